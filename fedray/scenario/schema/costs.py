"""`costs` and `topology`: what the devices are priced for, and how they are grouped."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from fedray.scenario.schema.base import LARGEST, Positive, Section, Words


class Twin(Section):
    """The architecture that all costs (seconds, bytes, memory, joules) are those of, in place of the trained one.

    Only its configuration is read. Layer j of the twin costs what layer j * L // twin layers of the L-layer stand-in
    says: the same rank, trained or not; a round's `local_steps` of the twin stand for the training's.
    """

    backbone: str = Field(description="An architecture by name, a local folder with config.json, or a hub name.")
    batch_size: Positive | None = Field(None, description="Examples per local step; null: the training's.")
    max_length: Annotated[int, Field(ge=16, le=8192)] | None = Field(
        None, description="Tokens of a text; null: the task's."
    )
    local_steps: Positive | None = Field(None, description="Local steps per round; null: the training's.")
    target_modules: Words | None = Field(None, description="Linear modules that carry LoRA; null: query and value.")


class Costs(Section):
    """What is priced."""

    twin: Twin | None = Field(None, description="The architecture that is priced; null: the backbone that is trained.")


class Topology(Section):
    """Groups of devices that are aggregated on their own before the global aggregation, for any method.

    `inner_rounds` aggregations happen in a group before each global one, each after an equal part of the local steps;
    groups do not wait for each other until then.
    """

    groups: Positive | None = Field(
        None, description="Number of groups; null: as the method plans (one, unless it forms groups)."
    )
    formation: Literal["near-iid", "speed", "random"] = Field(
        "near-iid",
        description="near-iid: label mixes like the fleet's; speed: equally fast devices together; random.",
    )
    spread_weight: float = Field(
        0.25,
        ge=0,
        le=LARGEST,
        description="near-iid: weight of the spread of speed against the divergence of label mixes.",
    )
    inner_rounds: Positive = Field(1, description="Aggregations per round in a group; divides training.local_steps.")

    @model_validator(mode="after")
    def _grouped(self) -> "Topology":
        alone = Topology.model_construct()
        for key in ("formation", "spread_weight", "inner_rounds"):
            given, default = getattr(self, key), getattr(alone, key)
            if self.groups is None and given != default:
                raise ValueError(f"{key}: given {given}; allowed: {default} without topology.groups")
        return self

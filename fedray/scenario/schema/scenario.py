"""The whole of a scenario."""

from math import ceil
from typing import Annotated, Any, Literal

from pydantic import Field, SerializeAsAny, field_validator

from fedray.scenario.schema.base import Section
from fedray.scenario.schema.costs import Costs, Topology
from fedray.scenario.schema.fleet import Fleet
from fedray.scenario.schema.model import Model
from fedray.scenario.schema.task import OpenTask
from fedray.scenario.schema.training import Runtime, Telemetry, Training
from fedray.scenario.schema.tuning import Tuning

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


class Scenario(Section):
    """One experiment: `fedray run` executes it."""

    schema_version: Literal[1] = Field(description="Version of this format.")
    name: Annotated[str, Field(pattern=NAME_PATTERN)] = Field("run", description="Name of the run and its directory.")
    seed: Annotated[int, Field(ge=0, lt=2**63)] = Field(0, description="Seed of every random choice of the run.")
    task: SerializeAsAny[OpenTask] = Field(
        OpenTask(), description="What is learned, and which device holds which examples."
    )
    model: Model = Field(Model(), description="The backbone, its adapters and its head.")
    fleet: Fleet = Field(Fleet(), description="The devices, their links, availability, batteries and faults.")
    method: dict[str, Any] = Field(
        default_factory=lambda: {"name": "fedit"}, description="A method by name, with its parameters."
    )
    topology: Topology = Field(Topology(), description="Groups that are aggregated before the global aggregation.")
    costs: Costs = Field(Costs(), description="The architecture whose seconds, bytes, memory and joules are counted.")
    training: Training = Field(Training(), description="Rounds, local steps, optimiser, participants and schedule.")
    runtime: Runtime = Field(Runtime(), description="Clock and spread over the Ray cluster.")
    telemetry: Telemetry = Field(Telemetry(), description="Metrics served while the run goes on.")
    tuning: Tuning | None = Field(None, description="How `fedray tune` chose values; null: it did not.")

    @field_validator("method", mode="before")
    @classmethod
    def _a_mapping(cls, method: object) -> object:
        if not isinstance(method, dict):
            name = method[:40] if isinstance(method, str) else "fedit"
            raise ValueError(f"given {str(method)[:40]!r}; allowed: a mapping with a name, as in {{name: {name}}}")
        return method

    @property
    def device_count(self) -> int:
        return sum(group.count for group in self.fleet.groups)

    @property
    def participant_count(self) -> int:
        """Devices asked in a round, over-selection included."""
        wanted = self.training.participants
        if wanted == "all":
            return self.device_count
        return min(ceil(wanted * self.training.policy.over_selection), self.device_count)

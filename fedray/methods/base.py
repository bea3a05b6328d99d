"""What a method is: it plans a round, says how updates aggregate, and learns from reports."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, TypeVar

import numpy as np
from pydantic import Field

from fedray.adapters import AdapterSpec, BackboneShape, layout_of
from fedray.aggregation import Aggregate, Fold, PerTensorMean, ZeroPaddedMean
from fedray.costs import Pricing
from fedray.protocol import Assignment, DeviceReport, Group, LocalHook, Plan, ServerState, View
from fedray.scenario.schema import LARGEST, Positive, Section


class MethodSection(Section):
    """Parameters every LoRA method here has."""

    rank: Positive = Field(8, description="LoRA rank (the mean over layers where ranks differ).")
    lora_alpha: float = Field(16.0, gt=0, le=LARGEST, description="Scaling is lora_alpha / rank, equal on all layers.")
    weights: Literal["examples", "uniform"] = Field("examples", description="What an update weighs in the mean.")
    aggregation: Literal["holders", "zero-pad"] = Field(
        "holders",
        description="holders: the mean of a tensor over the devices that hold it; zero-pad: over all devices, a tensor "
        "that a device does not hold counting as zeros. A tensor that no device holds keeps its value.",
    )
    learning_rate_multiplier: float = Field(
        1.0,
        gt=0,
        le=LARGEST,
        description="The LoRA tensors learn at training.optimiser.learning_rate times this; the head does not.",
    )

    @property
    def scaling(self) -> float:
        return self.lora_alpha / self.rank


Config = TypeVar("Config", bound=MethodSection)


@dataclass(frozen=True)
class MethodContext:
    """What a method may know for the whole run: the architecture it trains, prices, the training setting.

    With a cost twin the prices are those of another architecture (see costs.Pricing).
    """

    shape: BackboneShape
    pricing: Pricing
    devices: int
    local_steps: int
    rounds: int
    seed: int


class ParameterError(ValueError):
    """A parameter does not suit the backbone: key inside the method section, what is allowed."""

    def __init__(self, key: str, allowed: str) -> None:
        super().__init__(f"{key}: allowed: {allowed}")
        self.key = key
        self.allowed = allowed


class Method(ABC, Generic[Config]):
    """Responsibilities: the global adapter, each round's plan, and how updates become the next global adapter.

    A subclass must define `section`, `adapter` and `plan`; aggregation defaults to the per-tensor weighted mean that
    the section's `aggregation` names. Methods see estimates, never the emulator's truth.
    """

    section: ClassVar[type[MethodSection]]
    forms_groups: ClassVar[bool] = False  # plans groups itself, so that a scenario cannot
    keeps_layout: ClassVar[bool] = True  # the adapter's tensors stay the same, so that a group can aggregate repeatedly

    def __init__(self, config: Config, context: MethodContext) -> None:
        self.config = config
        self.context = context

    @abstractmethod
    def adapter(self) -> AdapterSpec:
        """The global adapter; ParameterError if the parameters do not suit the backbone."""

    @abstractmethod
    def plan(self, view: View) -> Plan:
        """What every device of the view does in this round."""

    def uniform_plan(self, view: View, spec: AdapterSpec, hook: LocalHook | None = None) -> Plan:
        """The plan in which every participant trains the same adapter."""
        steps = self.context.local_steps
        return in_one_group(
            Assignment(int(device), 0, spec, steps, self.weight(int(examples)), hook=hook)
            for device, examples in zip(view.devices, view.examples, strict=True)
        )

    def fold(self) -> Fold:
        """An empty fold; hosts fill copies of it."""
        layout = layout_of(self.context.shape, self.adapter())
        return ZeroPaddedMean(layout) if self.config.aggregation == "zero-pad" else PerTensorMean(layout)

    def apply(self, state: ServerState, folded: Aggregate) -> ServerState:
        """The next server state."""
        return ServerState(state.spec, np.where(folded.held, folded.values, state.values))

    def simulate_apply(self) -> None:
        """What `apply` would do to plans to come, where there is no training (`fedray plan`); nothing by default."""

    def observe(self, reports: Sequence[DeviceReport]) -> None:
        """Learn from what was measured in the round."""

    def state_dict(self) -> dict[str, Any]:
        """What must survive a restart, as plain JSON data."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state_dict."""

    def weight(self, examples: int) -> int:
        """An update's weight in the mean."""
        return examples if self.config.weights == "examples" else 1


def in_one_group(assignments: Iterable[Assignment]) -> Plan:
    """A plan without a hierarchy."""
    planned = tuple(assignments)
    return Plan(planned, (Group(0, tuple(assignment.device for assignment in planned)),))

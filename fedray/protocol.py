"""What passes between server and devices in a round."""

from dataclasses import dataclass, replace
from enum import StrEnum
from math import nan
from typing import NamedTuple

from fedray.adapters import AdapterSpec, Layout
from fedray.arrays import Flags, Floats, Ints, Values


class Phase(StrEnum):
    """What a device spends its round on."""

    DOWNLOAD = "download"
    COMPUTE = "compute"
    UPLOAD = "upload"


class Outcome(StrEnum):
    """How a device's round ended; metrics number them in this order."""

    FINISHED = "finished"
    SURPLUS = "surplus"
    LATE = "late"
    VANISHED = "vanished"
    UPLOAD_LOST = "upload lost"
    BATTERY_EMPTY = "battery empty"
    OUT_OF_MEMORY = "out of memory"


@dataclass(frozen=True)
class View:
    """What a real server may know before a round: who takes part and what they declared. Never the emulator's truth.

    Every column has shape (participants,), ordered by ascending device id. Measurements reach a method by `observe`.
    """

    round: int
    devices: Ints
    examples: Ints
    label_histograms: Ints  # (participants, labels)
    memory_bytes: Floats
    declared_flops_per_second: Floats  # the board in its default mode
    declared_mbps: Floats


@dataclass(frozen=True)
class Quantisation:
    """What these layers keep for backward is stored in `bits` bits, `group_size` values sharing one range (FedQuad)."""

    layers: tuple[int, ...]
    bits: int
    group_size: int


@dataclass(frozen=True)
class GradientNorms:
    """A device measures the mean squared norm of every trained layer's gradient, towards the output (FedQuad)."""


@dataclass(frozen=True)
class TailDecay:
    """A device adds strength * sum over modules of |B tail| |A tail| to its loss (HetLoRA); the tail is what lies
    beyond `keep` ranks. It measures that sum before and after training.
    """

    keep: int
    strength: float


@dataclass(frozen=True)
class TripletSelection:
    """A device selects the `keep` most important of all triplets (A row, E entry, B column) it holds (FedARA).

    `orthogonality` weighs mean(|A A^T - I|, |B^T B - I|) over the modules in the loss; `smoothing` is the share of the
    old value in the moving averages of importance. It sends what it selected, a bit per triplet, and each one's score.
    """

    keep: int
    orthogonality: float
    smoothing: float


LocalHook = GradientNorms | TailDecay | TripletSelection


class Cohort(NamedTuple):
    """Devices of one group that start from one version of the global adapter: their updates fold together."""

    group: int
    base_version: int


@dataclass(frozen=True)
class Assignment:
    """One device's part in a round: the adapter it holds and trains, for how long, and what its update weighs.

    `hook` is what a method asks of the device beyond plain training. `base_version` counts the server steps behind the
    state that the device starts from; it is set when the device is dispatched (`Plan.dispatched_from`), not by methods.
    """

    device: int
    group: int
    spec: AdapterSpec
    local_steps: int
    weight: int
    quantisation: Quantisation | None = None
    hook: LocalHook | None = None
    base_version: int = 0

    @property
    def cohort(self) -> Cohort:
        return Cohort(self.group, self.base_version)


@dataclass(frozen=True)
class Group:
    """Devices aggregated together before the global aggregation.

    `inner_rounds` counts the aggregations inside the group in one round, each after an equal part of the local steps;
    the last of them is what the global aggregation takes. It divides every member's local steps.
    """

    id: int
    devices: tuple[int, ...]
    inner_rounds: int = 1


@dataclass(frozen=True)
class Plan:
    """What every participant and group does in one round; assignments ascend by device id."""

    assignments: tuple[Assignment, ...]
    groups: tuple[Group, ...]

    def dispatched_from(self, version: int) -> "Plan":
        """The same plan with every device starting from a version of the global adapter."""
        if version == 0:
            return self
        return replace(self, assignments=tuple(replace(one, base_version=version) for one in self.assignments))


@dataclass(frozen=True)
class ServerState:
    """The global adapter: its spec and its flat buffer."""

    spec: AdapterSpec
    values: Values


@dataclass(frozen=True)
class Selection:
    """Which triplets of an adapter a device selected, and the score of each; both (triplets,), in layout order."""

    kept: Flags
    scores: Values


@dataclass(frozen=True)
class Update:
    """What a device sends back: its trained tensors (not a difference), flat in its own layout.

    With a selection only the selected triplets count as sent.
    """

    device: int
    layout: Layout
    values: Values
    selection: Selection | None = None


@dataclass(frozen=True)
class DeviceReport:
    """What a server can measure of one finished device: it knows its own request and the clock.

    `layer_seconds` are the seconds of one layer's forward pass in one local step (see costs.Work.layer_passes);
    `loss` is the mean training loss, nan if nothing was trained; `measured` is what the assignment's hook asked for.
    """

    device: int
    layer_seconds: float
    down_mbps: float
    up_mbps: float
    loss: float = nan
    measured: tuple[float, ...] = ()

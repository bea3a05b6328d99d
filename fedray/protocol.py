"""What passes between server and devices in a round."""

from dataclasses import dataclass, replace
from enum import StrEnum
from math import nan
from typing import ClassVar, NamedTuple

from fedray.adapters import AdapterSpec, Layout
from fedray.arrays import Flags, Floats, Ints, Values
from fedray.roofline import Kernels


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
class PricedAdapter:
    """An adapter as its price is computed: `spec` has the layers of the architecture that is priced.

    `own_layers` counts those of the backbone that is trained; the two differ under a cost twin. `down` and `up` are the
    tensors that travel without a hook, with the head where it travels.
    """

    spec: AdapterSpec
    own_layers: int
    down: Layout
    up: Layout

    def stretched(self, count: float) -> float:
        """A count over the backbone's layers as the same share of those that are priced."""
        return count * self.spec.layers / self.own_layers


class LocalHook:
    """What a method adds to local training: parameters, a price, and the name of the code that runs on the device.

    A subclass is a frozen dataclass, declared beside its method. Its fields are numbers, texts, flags or tuples of
    them, because a checkpoint of updates in flight holds them as JSON. `runner` names the torch half as
    `package.module:Class`, a subclass of fedray.learning.hooks.HookRunner; only processes that train import it.

    The price defaults to nothing. Counts grow with `PricedAdapter.stretched` where the hook counts over all layers.
    """

    runner: ClassVar[str]

    def download_bytes(self, adapter: PricedAdapter) -> int:
        """Bytes that a device receives beside the adapter."""
        return 0

    def upload_bytes(self, adapter: PricedAdapter) -> int:
        """Bytes that a device sends beside its update; negative where the hook has it send less of that."""
        return 0

    def step_kernels(self, adapter: PricedAdapter) -> Kernels:
        """What one local step launches beside plain training."""
        return Kernels()

    def memory_bytes(self, adapter: PricedAdapter) -> float:
        """What the device keeps in memory beside plain training."""
        return 0.0


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

"""What passes between server and devices in a round."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedray.adapters import AdapterSpec, Layout

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Values = NDArray[np.float32]


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
class Assignment:
    """One device's part in a round: the adapter it holds and trains, for how long, and what its update weighs."""

    device: int
    group: int
    spec: AdapterSpec
    local_steps: int
    weight: int


@dataclass(frozen=True)
class Group:
    """Devices aggregated together before the global aggregation."""

    id: int
    devices: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """What every participant and group does in one round; assignments ascend by device id."""

    assignments: tuple[Assignment, ...]
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class ServerState:
    """The global adapter: its spec and its flat buffer."""

    spec: AdapterSpec
    values: Values


@dataclass(frozen=True)
class Update:
    """What a device sends back: its trained tensors (not a difference), flat in its own layout."""

    device: int
    layout: Layout
    values: Values


@dataclass(frozen=True)
class DeviceReport:
    """What a server can measure of one finished device: it knows its own request and the clock.

    `layer_seconds` are the seconds of one layer's forward pass in one local step (see costs.Work.layer_passes);
    `loss` is the mean training loss, nan if nothing was trained.
    """

    device: int
    layer_seconds: float
    down_mbps: float
    up_mbps: float
    loss: float

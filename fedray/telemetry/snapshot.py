"""What a run publishes after a round."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fedray.protocol import Outcome, Phase

PHASES = (*(phase.value for phase in Phase), "waiting")
# upper bounds of a phase's seconds, three to a decade: from a small adapter's download to hours behind a fade
BOUNDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1e3, 2e3, 5e3, 1e4)
OUTCOMES = tuple(outcome.value for outcome in Outcome)


@dataclass(frozen=True)
class Histogram:
    """How many values lie at most at each of `BOUNDS` and above the one before, how many lie above all, their sum."""

    counts: tuple[int, ...]
    total: float


@dataclass(frozen=True)
class ProfileSeries:
    """What devices of one profile did: seconds, bytes, joules since the run began, the rest in the last round."""

    profile: str
    phases: Mapping[str, Histogram]
    bytes_up: int
    bytes_down: int
    joules: float
    devices: int
    mean_depth: float
    mean_rank: float


@dataclass(frozen=True)
class GroupSeries:
    """A group of the last round; `label_divergence` (nats) is None where its labels are unknown."""

    id: int
    devices: int
    inner_rounds: int
    label_divergence: float | None


@dataclass(frozen=True)
class DeviceSeries:
    """A device's part of the last round; `memory_ratio` is what it needed over what it had."""

    id: int
    profile: str
    outcome: str
    depth: int
    mean_rank: float
    busy_seconds: float
    waiting_seconds: float
    memory_ratio: float
    joules: float
    loss: float | None


@dataclass(frozen=True)
class Live:
    """What changes between rounds: trainings of the current round, done and planned, and hosts lost so far."""

    trained: int
    planned: int
    hosts_lost: int


@dataclass(frozen=True)
class Snapshot:
    """The state of a run at one time, as the coordinator publishes it after every round.

    Dropped, refused and wasted are totals since the run began, `coordinator_seconds` since this process took it up;
    accuracy and loss are those last evaluated, the rest is the last round's. `devices` are none in a fleet
    that is larger than the scenario's `telemetry.device_series`.
    """

    run: str
    method: str
    round: int
    rounds: int
    accuracy: float | None
    loss: float | None
    emulated_seconds: float
    round_seconds: float
    mean_waiting_seconds: float
    participants: int
    dropped_by: Mapping[str, int]
    rejected_by: Mapping[str, int]
    wasted_seconds: float
    wasted_joules: float
    wasted_bytes: int
    mean_depth: float
    mean_rank: float
    profiles: Sequence[ProfileSeries] = ()
    groups: int = 0
    group_series: Sequence[GroupSeries] = ()
    devices: Sequence[DeviceSeries] = ()
    coordinator_seconds: Mapping[str, float] = field(default_factory=dict)
    dilation: float | None = None
    overloads: int | None = None
    live: Live | None = None

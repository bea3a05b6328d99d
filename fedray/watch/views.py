"""What is told of a run: plain records whose field names are the keys of the page's JSON."""

from dataclasses import dataclass


@dataclass(frozen=True)
class UnderWay:
    """The current round; `share` of its trainings are done.

    Under the wall clock `elapsed_seconds` of it have passed, emulated, when this was told, and `dilation` wall seconds
    go by for each; both are None under the virtual clock. Large fleets show no devices before a round is complete.
    """

    round: int
    round_seconds: float
    trained: int
    planned: int
    hosts_lost: int
    share: float
    elapsed_seconds: float | None
    dilation: float | None
    has_devices: bool


@dataclass(frozen=True)
class Curve:
    """A run's rounds, a list per column; at most `MOST_POINTS` of them, evenly chosen, the last among them.

    `primary` is the primary metric on the test examples, None in rounds without evaluation.
    """

    round: list[int]
    emulated_seconds: list[float]
    bytes: list[int]
    primary: list[float | None]
    waiting_seconds: list[float]


@dataclass(frozen=True)
class RunView:
    """Where a run stands.

    `status` is running, completed, stopped, failed, or unfinished: no process writes to it, and it never ended.
    `primary` is the primary metric of the last evaluated round, `metric` its name.
    `under_way` is None unless a round has begun that is not complete. `log` holds the last lines, newest last.
    """

    name: str
    scenario: str
    method: str
    backbone: str
    twin: str | None
    status: str
    devices: int
    rounds: int
    rounds_planned: int
    metric: str
    primary: float | None
    emulated_seconds: float
    bytes_up: int
    bytes_down: int
    waiting_seconds: float
    joules: float
    dropped: int
    curve: Curve
    under_way: UnderWay | None
    log: list[str]


@dataclass(frozen=True)
class DeviceView:
    """A device's part of a round; `timeline` holds (second of the round, what it does from then on), ascending."""

    id: int
    profile: str
    mode: str
    link: str
    group: int
    depth: int
    ranks: tuple[float, ...]
    quantised_layers: int
    memory_bytes: int
    memory_limit_bytes: int
    bytes_up: int
    bytes_down: int
    busy_seconds: float
    waiting_seconds: float
    joules: float
    outcome: str
    loss: float | None
    timeline: list[tuple[float, str]]


@dataclass(frozen=True)
class GroupView:
    """A group of a round; `label_divergence` (nats) is None where its labels are unknown."""

    id: int
    devices: int
    inner_rounds: int
    mean_depth: float
    busy_seconds: float
    label_divergence: float | None


@dataclass(frozen=True)
class RoundView:
    """A round device by device; `fleet` is the number of devices, `left_out` of which are not here.

    With `own_time` there are no groups, and devices are those whose updates the step took, from before it began.
    """

    round: int
    complete: bool
    own_time: bool
    round_seconds: float
    fleet: int
    left_out: int
    devices: list[DeviceView]
    groups: list[GroupView]

"""Every metric, declared once: name, kind, help, labels, and how it is read from a snapshot."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Labels = tuple[str, ...]


@dataclass(frozen=True)
class Snapshot:
    """The state of a run at one moment, as the coordinator publishes it after every round.

    `devices_by_profile` counts planned devices; byte, joule and update counts are totals since the run began.
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
    bytes_up: int
    bytes_down: int
    energy_joules: float
    participants: int
    dropped_by: Mapping[str, int]
    wasted_seconds: float
    wasted_joules: float
    wasted_bytes: int
    rejected: int
    mean_depth: float
    mean_rank: float
    devices_by_profile: Mapping[str, int]
    dilation: float | None = None
    overloads: int | None = None


Sample = tuple[Labels, float]


@dataclass(frozen=True)
class Metric:
    """One metric family; counters get `_total` from the exposition format, units are in the name."""

    name: str
    kind: Literal["gauge", "counter"]
    help: str
    read: Callable[[Snapshot], Iterable[Sample]]
    labels: Labels = ()


def _one(read: Callable[[Snapshot], float | None]) -> Callable[[Snapshot], Iterable[Sample]]:
    def samples(snapshot: Snapshot) -> Iterable[Sample]:
        value = read(snapshot)
        return [] if value is None else [((), value)]

    return samples


def _gauge(name: str, text: str, read: Callable[[Snapshot], float | None]) -> Metric:
    return Metric(f"fedray_{name}", "gauge", text, _one(read))


def _counter(name: str, text: str, read: Callable[[Snapshot], float]) -> Metric:
    return Metric(f"fedray_{name}", "counter", text, _one(read))


METRICS: tuple[Metric, ...] = (
    _gauge("round", "Rounds completed.", lambda s: s.round),
    _gauge("rounds_planned", "Rounds the scenario asks for.", lambda s: s.rounds),
    _gauge("accuracy_ratio", "Global model on the evaluated test examples, 0 to 1.", lambda s: s.accuracy),
    _gauge("loss", "Mean cross-entropy of the global model on the evaluated test examples.", lambda s: s.loss),
    _gauge("emulated_seconds", "Emulated time since the run began.", lambda s: s.emulated_seconds),
    _gauge("round_seconds", "Emulated duration of the last round.", lambda s: s.round_seconds),
    _gauge(
        "waiting_seconds", "Mean waiting in the last round, of devices that finished.", lambda s: s.mean_waiting_seconds
    ),
    Metric(
        "fedray_traffic_bytes",
        "counter",
        "Adapter bytes between server and devices.",
        lambda s: [(("up",), s.bytes_up), (("down",), s.bytes_down)],
        ("direction",),
    ),
    _counter("energy_joules", "Energy of all devices, compute and radio.", lambda s: s.energy_joules),
    _gauge("participants", "Devices planned in the last round.", lambda s: s.participants),
    Metric(
        "fedray_devices_dropped",
        "counter",
        "Times a device did not finish a round, by how it ended.",
        lambda s: [((outcome,), count) for outcome, count in s.dropped_by.items()],
        ("outcome",),
    ),
    _counter("wasted_seconds", "Time of devices spent on what came to nothing.", lambda s: s.wasted_seconds),
    _counter("wasted_joules", "Energy of work that came to nothing.", lambda s: s.wasted_joules),
    _counter("wasted_bytes", "Traffic of devices that did not finish.", lambda s: s.wasted_bytes),
    _counter("updates_rejected", "Updates refused as unsound.", lambda s: s.rejected),
    _gauge("adapter_depth", "Mean LoRA depth of the last round.", lambda s: s.mean_depth),
    _gauge("adapter_rank", "Mean LoRA rank of the tuned layers of the last round.", lambda s: s.mean_rank),
    Metric(
        "fedray_devices",
        "gauge",
        "Devices planned in the last round, by profile.",
        lambda s: [((profile,), count) for profile, count in s.devices_by_profile.items()],
        ("profile",),
    ),
    _gauge(
        "dilation_ratio", "Wall clock: seconds on the wall per emulated second in the last round.", lambda s: s.dilation
    ),
    Metric(
        "fedray_overloads",
        "counter",
        "Wall clock: transfers and local steps that the machine could not end in time.",
        _one(lambda s: s.overloads),
    ),
)

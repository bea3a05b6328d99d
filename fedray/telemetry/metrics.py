"""Every metric, declared once: name, kind, help, labels, and how it is read from a snapshot."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from fedray.telemetry.snapshot import OUTCOMES, DeviceSeries, GroupSeries, Histogram, Live, ProfileSeries, Snapshot

Labels = tuple[str, ...]
Value = float | Histogram
Sample = tuple[Labels, Value]


@dataclass(frozen=True)
class Metric:
    """One metric family; counters get `_total` from the exposition format, units are in the name."""

    name: str
    kind: Literal["gauge", "counter", "histogram"]
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


def _counter(name: str, text: str, read: Callable[[Snapshot], float | None]) -> Metric:
    return Metric(f"fedray_{name}", "counter", text, _one(read))


def _live(read: Callable[[Live], float]) -> Callable[[Snapshot], float | None]:
    return lambda snapshot: read(snapshot.live) if snapshot.live else None


def _profile(name: str, text: str, read: Callable[[ProfileSeries], float]) -> Metric:
    return Metric(
        f"fedray_{name}", "gauge", text, lambda s: [((one.profile,), read(one)) for one in s.profiles], ("profile",)
    )


def _group(name: str, text: str, read: Callable[[GroupSeries], float | None]) -> Metric:
    def samples(snapshot: Snapshot) -> Iterable[Sample]:
        values = ((str(one.id), read(one)) for one in snapshot.group_series)
        return [((group,), value) for group, value in values if value is not None]

    return Metric(f"fedray_group_{name}", "gauge", text, samples, ("group",))


def _device(name: str, text: str, read: Callable[[DeviceSeries], float | None]) -> Metric:
    def samples(snapshot: Snapshot) -> Iterable[Sample]:
        values = ((str(one.id), one.profile, read(one)) for one in snapshot.devices)
        return [((device, profile), value) for device, profile, value in values if value is not None]

    return Metric(f"fedray_device_{name}", "gauge", text, samples, ("device", "profile"))


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
        "fedray_phase_seconds",
        "histogram",
        "Emulated seconds a device spent on each part of a round; of those that finished.",
        lambda s: [((one.profile, phase), spent) for one in s.profiles for phase, spent in one.phases.items()],
        ("profile", "phase"),
    ),
    Metric(
        "fedray_traffic_bytes",
        "counter",
        "Adapter bytes between server and devices.",
        lambda s: [
            ((direction, one.profile), count)
            for one in s.profiles
            for direction, count in (("up", one.bytes_up), ("down", one.bytes_down))
        ],
        ("direction", "profile"),
    ),
    Metric(
        "fedray_energy_joules",
        "counter",
        "Energy of devices, compute and radio.",
        lambda s: [((one.profile,), one.joules) for one in s.profiles],
        ("profile",),
    ),
    _gauge("participants", "Devices planned in the last round.", lambda s: s.participants),
    _profile("devices", "Devices planned in the last round, by profile.", lambda one: one.devices),
    Metric(
        "fedray_devices_dropped",
        "counter",
        "Times a device did not finish a round, by how it ended.",
        lambda s: [((outcome,), count) for outcome, count in s.dropped_by.items()],
        ("outcome",),
    ),
    Metric(
        "fedray_updates_rejected",
        "counter",
        "Updates refused as unsound, by what was wrong.",
        lambda s: [((reason,), count) for reason, count in s.rejected_by.items()],
        ("reason",),
    ),
    _counter("wasted_seconds", "Time of devices spent on what came to nothing.", lambda s: s.wasted_seconds),
    _counter("wasted_joules", "Energy of work that came to nothing.", lambda s: s.wasted_joules),
    _counter("wasted_bytes", "Traffic of devices that did not finish.", lambda s: s.wasted_bytes),
    _gauge("adapter_depth", "Mean LoRA depth of the last round.", lambda s: s.mean_depth),
    _gauge("adapter_rank", "Mean LoRA rank of the tuned layers of the last round.", lambda s: s.mean_rank),
    _profile("profile_depth", "Mean LoRA depth of the last round, by profile.", lambda one: one.mean_depth),
    _profile("profile_rank", "Mean LoRA rank of the tuned layers of the last round.", lambda one: one.mean_rank),
    _gauge("groups", "Groups of the last round.", lambda s: s.groups),
    _group("devices", "Devices of a group in the last round.", lambda one: one.devices),
    _group("inner_rounds", "Aggregations inside a group before the global one.", lambda one: one.inner_rounds),
    _group(
        "label_divergence_nats",
        "Kullback-Leibler divergence of a group's label mix from the fleet's.",
        lambda one: one.label_divergence,
    ),
    _device("depth", "LoRA depth of a device in its last round.", lambda one: one.depth),
    _device("rank", "Mean LoRA rank of a device's tuned layers.", lambda one: one.mean_rank),
    _device(
        "busy_seconds", "Download, compute and upload of a device in the last round.", lambda one: one.busy_seconds
    ),
    _device("waiting_seconds", "Waiting of a device in the last round.", lambda one: one.waiting_seconds),
    _device(
        "memory_ratio", "Memory a device needed over what it had; above 1 it failed.", lambda one: one.memory_ratio
    ),
    _device("energy_joules", "Energy of a device in the last round.", lambda one: one.joules),
    _device("loss", "Mean training loss of a device in the last round.", lambda one: one.loss),
    _device(
        "outcome",
        "How the last round ended for a device: " + ", ".join(f"{i} {name}" for i, name in enumerate(OUTCOMES)) + ".",
        lambda one: OUTCOMES.index(one.outcome),
    ),
    _gauge("trainings_planned", "Trainings planned in the current round.", _live(lambda live: live.planned)),
    _gauge("trainings_done", "Completed trainings of the current round.", _live(lambda live: live.trained)),
    _counter("hosts_lost", "Hosts that died and were replaced.", _live(lambda live: live.hosts_lost)),
    Metric(
        "fedray_coordinator_seconds",
        "counter",
        "Coordinator wall-clock seconds by phase since process start.",
        lambda s: [((phase,), seconds) for phase, seconds in s.coordinator_seconds.items()],
        ("phase",),
    ),
    _gauge(
        "dilation_ratio", "Wall clock: seconds on the wall per emulated second in the last round.", lambda s: s.dilation
    ),
    _counter(
        "overloads",
        "Wall clock: transfers and local steps that the machine could not end in time.",
        lambda s: s.overloads,
    ),
)

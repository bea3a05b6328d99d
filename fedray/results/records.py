"""What a run leaves behind, as records; field names are the keys of the files."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Status = Literal["completed", "stopped", "failed"]
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Enforced:
    """What a device's round really took under the wall clock, in emulated seconds: those on the wall over the dilation.

    Parts that were not reached are 0. `overloads` counts the transfers and local steps that the machine could not end
    in time; `memory_bytes` is what weights, optimiser and saved tensors occupied at most.
    """

    download_seconds: float
    compute_seconds: float
    upload_seconds: float
    end_seconds: float
    overloads: int
    memory_bytes: int


@dataclass(frozen=True)
class Enforcement:
    """A round under the wall clock: wall seconds per emulated second, how long it really took, emulated, and how many
    transfers and local steps the machine could not end in time.
    """

    dilation: float
    round_seconds: float
    overloads: int


@dataclass(frozen=True)
class RoundRecord:
    """One line of rounds.jsonl.

    `emulated_seconds` is the end of the round since the run began; `accuracy` and `loss` are the global model's on
    the evaluated test examples, null in rounds without evaluation; `dropped` counts devices that did not finish,
    `dropped_by` how (see DeviceRecord), `rejected` updates that were refused; mean depth and rank are over the planned
    devices, mean waiting over those that finished. Wasted is what devices that did not finish or were
    refused have spent (it is contained in the sums), and what a crash made one compute twice.
    """

    round: int
    emulated_seconds: float
    round_seconds: float
    mean_waiting_seconds: float
    accuracy: float | None
    loss: float | None
    bytes_up: int
    bytes_down: int
    energy_joules: float
    participants: int
    dropped: int
    rejected: int
    groups: int
    mean_depth: float
    mean_rank: float
    dropped_by: Mapping[str, int] = field(default_factory=dict)
    wasted_seconds: float = 0.0
    wasted_joules: float = 0.0
    wasted_bytes: int = 0
    enforcement: Enforcement | None = None

    def as_json(self) -> dict[str, Any]:
        """What is written; the key `enforcement` is there only under the wall clock."""
        keys = asdict(self)
        return keys if self.enforcement else {key: value for key, value in keys.items() if key != "enforcement"}


@dataclass(frozen=True)
class DeviceRecord:
    """One device in one round, as in `fedray plan --json` and in devices.jsonl.

    `ranks` are those of the tuned layers, towards the output (the mean over a layer's modules where they differ);
    seconds, bytes and joules are sums over the group's `inner_rounds` up to the moment the device stops; waiting is all
    the time of the round that it does nothing. A device whose `memory_bytes` exceed `memory_limit_bytes` does not fit:
    it downloads, fails, and sends nothing. `outcome` is finished, out of memory, vanished, battery empty, upload lost,
    late (after the deadline) or surplus (after enough others). Under a buffered or asynchronous schedule `group` is the
    number of server steps before the device began, and `staleness` that of the steps since.
    """

    id: int
    profile: str
    mode: str
    group: int
    depth: int
    ranks: tuple[float, ...]
    quantised_layers: int
    compute_seconds: float
    download_seconds: float
    upload_seconds: float
    waiting_seconds: float
    bytes_up: int
    bytes_down: int
    memory_bytes: int
    memory_limit_bytes: int
    joules: float
    fits: bool
    inner_rounds: int = 1
    outcome: str = "finished"
    staleness: int = 0

    @property
    def finished(self) -> bool:
        """Whether its update came in; runs from before there were outcomes only know who fits."""
        return self.fits and self.outcome == "finished"


@dataclass(frozen=True)
class TrainedDeviceRecord:
    """One line of devices.jsonl: the device's part, its mean training loss, and why its update was refused, if so.

    Under the wall clock, also what its part really took.
    """

    round: int
    device: DeviceRecord
    loss: float | None
    rejected: str | None
    enforced: Enforced | None = None


@dataclass(frozen=True)
class RoundUnderWay:
    """current.json: a round that has begun, as it is planned; `devices` are left out in fleets above 1,000 devices.

    `began` is in seconds since 1970; `dilation`, under the wall clock, wall seconds per emulated second.
    """

    round: int
    began: float
    emulated_seconds: float
    round_seconds: float
    dilation: float | None
    devices: tuple[DeviceRecord, ...]


@dataclass(frozen=True)
class Progress:
    """progress.json: trainings done of those of the round under way, and hosts lost since the run began.

    `passed` is the share of the round's planned time that is over, under the wall clock, where devices go on at once;
    it is told to who asks, and not written.
    """

    round: int
    trained: int
    planned: int
    hosts_lost: int
    passed: float | None = None


@dataclass(frozen=True)
class Target:
    """When the target accuracy was first reached: emulated seconds, bytes both ways, and the round."""

    accuracy: float
    emulated_seconds: float
    bytes: int
    round: int


@dataclass(frozen=True)
class Summary:
    """summary.json; `final_accuracy` is that of the last evaluated round, `devices_dropped` counts every round's.

    `twin` names the architecture that all costs are those of, where it is not the one trained; `overloads` are those of
    rounds under the wall clock.
    """

    schema_version: int
    run_id: str
    status: Status
    method: str
    rounds_completed: int
    devices: int
    final_accuracy: float | None
    best_accuracy: float | None
    emulated_seconds: float
    wall_seconds: float
    bytes_up: int
    bytes_down: int
    mean_waiting_seconds: float
    energy_joules: float
    peak_memory_bytes: int
    updates_rejected: int
    result_digest: str
    target: Target | None
    devices_dropped: int = 0
    wasted_seconds: float = 0.0
    wasted_joules: float = 0.0
    wasted_bytes: int = 0
    twin: str | None = None
    overloads: int | None = None

    def as_json(self) -> dict[str, Any]:
        """What is written and printed; the keys `twin` and `overloads` are there only if they say something."""
        absent = [key for key in ("twin", "overloads") if getattr(self, key) is None]
        return {key: value for key, value in asdict(self).items() if key not in absent}


def reached(rounds: Sequence[RoundRecord], accuracy: float) -> Target | None:
    """The first round whose evaluation reached an accuracy, or None."""
    sent = 0
    for record in rounds:
        sent += record.bytes_up + record.bytes_down
        if record.accuracy is not None and record.accuracy >= accuracy:
            return Target(accuracy, record.emulated_seconds, sent, record.round)
    return None


@dataclass(frozen=True)
class Tally:
    """What a run knows beside its rounds."""

    run_id: str
    method: str
    devices: int
    wall_seconds: float
    peak_memory_bytes: int
    result_digest: str
    target_accuracy: float | None
    twin: str | None = None


def summarise(rounds: Sequence[RoundRecord], tally: Tally, status: Status) -> Summary:
    """The summary of the rounds so far; mean waiting is the mean over rounds of each round's mean."""
    accuracies = [record.accuracy for record in rounds if record.accuracy is not None]
    enforced = [record.enforcement for record in rounds if record.enforcement is not None]
    return Summary(
        schema_version=SCHEMA_VERSION,
        run_id=tally.run_id,
        status=status,
        method=tally.method,
        rounds_completed=len(rounds),
        devices=tally.devices,
        final_accuracy=accuracies[-1] if accuracies else None,
        best_accuracy=max(accuracies, default=None),
        emulated_seconds=rounds[-1].emulated_seconds if rounds else 0.0,
        wall_seconds=tally.wall_seconds,
        bytes_up=sum(record.bytes_up for record in rounds),
        bytes_down=sum(record.bytes_down for record in rounds),
        mean_waiting_seconds=sum(record.mean_waiting_seconds for record in rounds) / max(len(rounds), 1),
        energy_joules=sum(record.energy_joules for record in rounds),
        peak_memory_bytes=tally.peak_memory_bytes,
        updates_rejected=sum(record.rejected for record in rounds),
        result_digest=tally.result_digest,
        target=reached(rounds, tally.target_accuracy) if tally.target_accuracy is not None else None,
        devices_dropped=sum(record.dropped for record in rounds),
        wasted_seconds=sum(record.wasted_seconds for record in rounds),
        wasted_joules=sum(record.wasted_joules for record in rounds),
        wasted_bytes=sum(record.wasted_bytes for record in rounds),
        twin=tally.twin,
        overloads=sum(forced.overloads for forced in enforced) if enforced else None,
    )

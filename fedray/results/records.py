"""What a run leaves behind, as records; field names are the keys of the files."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from fedray.protocol import Outcome
from fedray.results.metric import MetricValue, primary_metric


@dataclass(frozen=True)
class MeasuredPhases:
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
class WallClockStats:
    """A round under the wall clock: wall seconds per emulated second, how long it really took, emulated, and how many
    transfers and local steps the machine could not end in time.
    """

    dilation: float
    round_seconds: float
    overloads: int


@dataclass(frozen=True)
class DeviceAccuracy:
    """Test accuracy of the global model as devices with their label mixes would see it (see `device_accuracy`).

    `mean` is over devices, `worst_decile` over the tenth with the lowest accuracy, `by_profile` over a board type's.
    """

    mean: float
    worst_decile: float
    by_profile: Mapping[str, float]


@dataclass(frozen=True)
class RoundRecord:
    """One line of rounds.jsonl.

    `emulated_seconds` is the end of the round since the run began; `accuracy` and `loss` are the global model's on
    the evaluated test examples, null in rounds without evaluation; accuracy is null, too, for a task without one.
    `metrics` holds every metric on the test examples, the primary one first, `validation` the same metrics on the
    validation examples, both empty without evaluation. `score` is the primary metric on the validation examples, or on
    the test examples if the task holds none out: targets, early stopping and tuning look at nothing else. `dropped`
    counts devices that did not finish, `dropped_by` how (see DeviceRecord), `rejected` updates that were refused; mean
    depth and rank are over the planned devices, mean waiting over those that finished. Wasted is what devices that did
    not finish or were refused have spent (it is contained in the sums), and what a crash made one compute twice.
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
    score: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    validation: Mapping[str, float] = field(default_factory=dict)
    device_accuracy: DeviceAccuracy | None = None
    enforcement: WallClockStats | None = None

    @property
    def primary(self) -> MetricValue | None:
        """The primary metric on the test examples; None without evaluation."""
        return primary_metric(self.metrics, self.accuracy)

    def as_json(self) -> dict[str, Any]:
        """What is written; the key `enforcement` exists only under the wall clock."""
        keys = asdict(self)
        return keys if self.enforcement else {key: value for key, value in keys.items() if key != "enforcement"}


@dataclass(frozen=True)
class DeviceRecord:
    """One device in one round, as in `fedray plan --json` and in devices.jsonl.

    `ranks` are those of the tuned layers, towards the output (the mean over a layer's modules where they differ);
    seconds and bytes are sums over the group's `inner_rounds` until the device stops; waiting is all the
    time of the round that it does nothing, and `joules` pay for it too, at idle watts. A device whose `memory_bytes`
    exceed `memory_limit_bytes` does not fit: it downloads, fails, and sends nothing. `outcome` is finished, out of
    memory, vanished, battery empty, upload lost, late (after the deadline) or surplus (after enough others).
    `staleness` counts the server steps between the one that the device started from and this round's; 0 in synchronous
    rounds.
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
    outcome: str = Outcome.FINISHED.value
    staleness: int = 0

    @property
    def finished(self) -> bool:
        """Whether its update came in; runs from before there were outcomes only know who fits."""
        return self.fits and self.outcome == Outcome.FINISHED


@dataclass(frozen=True)
class TrainedDeviceRecord:
    """One line of devices.jsonl: the device's part, its mean training loss, and why its update was refused, if so.

    Under the wall clock, also what its part really took.
    """

    round: int
    device: DeviceRecord
    loss: float | None
    rejected: str | None
    enforced: MeasuredPhases | None = None


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
    """progress.json: trainings done of those of the current round, and hosts lost since the run began.

    `passed` is the share of the round's planned time that is over, under the wall clock, where devices go on at once;
    it is told to who asks, and not written.
    """

    round: int
    trained: int
    planned: int
    hosts_lost: int
    passed: float | None = None


@dataclass(frozen=True)
class AdapterOrigin:
    """adapter/training.json: what made the saved adapter, which is that after the last completed round."""

    fedray_version: str
    run_id: str
    scenario: str
    method: str
    seed: int
    rounds: int
    labels: tuple[str, ...]
    result_digest: str

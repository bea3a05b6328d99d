"""summary.json: a run as a whole, from its rounds."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from fedray.results.data_report import DeviceCounts
from fedray.results.metric import MetricValue, primary_metric
from fedray.results.records import DeviceAccuracy, RoundRecord

Status = Literal["completed", "stopped", "failed"]
Split = Literal["validation", "test"]
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Target:
    """When a target score was reached: emulated seconds, bytes both ways, and the round.

    `accuracy` is the score to reach. It counts as reached at the first of `held` evaluations in a row that reach it.
    """

    accuracy: float
    emulated_seconds: float
    bytes: int
    round: int
    held: int = 1


@dataclass(frozen=True)
class Steps:
    """Local steps of a device in a round: `trained` for real, `priced` in seconds, bytes and joules."""

    trained: int
    priced: int


@dataclass(frozen=True)
class Summary:
    """summary.json; `final_accuracy` is the test accuracy of the last evaluated round, null for a task without one.

    `scored_on` names the examples that `final_score`, `best_score` and `target` refer to: validation, or test if the
    task holds none out. `best_accuracy` is the test accuracy of round `best_round`, whose score is the best.
    `final_metrics`, the primary one first, and `device_accuracy` are those of the last evaluated round;
    `majority_accuracy` is the test accuracy of always answering the most frequent training label.
    `devices_sitting_out` never take part for want of examples, `devices_topped_up` also train on copies (see
    DataReport). `devices_dropped` counts every round's. `twin` names the architecture that all costs are those of,
    where it is not the one trained, and `steps` says how many of the priced steps are trained; `overloads` are those
    of rounds under the wall clock.
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
    scored_on: Split | None = None
    final_score: float | None = None
    best_score: float | None = None
    best_round: int | None = None
    final_metrics: Mapping[str, float] = field(default_factory=dict)
    device_accuracy: DeviceAccuracy | None = None
    majority_accuracy: float | None = None
    devices_sitting_out: int | None = None
    devices_topped_up: int | None = None
    twin: str | None = None
    steps: Steps | None = None
    overloads: int | None = None

    @property
    def primary(self) -> MetricValue | None:
        """The primary metric on the test examples in the last evaluated round; None without evaluation."""
        return primary_metric(self.final_metrics, self.final_accuracy)

    def as_json(self) -> dict[str, Any]:
        """What is written and printed; `twin`, `steps` and `overloads` are left out where they are null."""
        absent = [key for key in ("twin", "steps", "overloads") if getattr(self, key) is None]
        return {key: value for key, value in asdict(self).items() if key not in absent}


def reached(rounds: Sequence[RoundRecord], score: float, held: int = 1) -> Target | None:
    """The first evaluation from which on `held` evaluations in a row reach a score, or None."""
    sent, streak = 0, 0
    first: Target | None = None
    for record in rounds:
        sent += record.bytes_up + record.bytes_down
        if record.score is None:
            continue
        streak = streak + 1 if record.score >= score else 0
        if streak == 1:
            first = Target(score, record.emulated_seconds, sent, record.round, held)
        if streak == held:
            return first
    return None


@dataclass(frozen=True)
class SummaryInputs:
    """What a run knows beside its rounds."""

    run_id: str
    method: str
    devices: int
    wall_seconds: float
    peak_memory_bytes: int
    result_digest: str
    target: float | None
    held: int = 1
    scored_on: Split | None = None
    majority_accuracy: float | None = None
    shards: DeviceCounts | None = None
    twin: str | None = None
    steps: Steps | None = None


def summarise(rounds: Sequence[RoundRecord], inputs: SummaryInputs, status: Status) -> Summary:
    """The summary of the rounds so far; mean waiting is the mean over rounds of each round's mean."""
    judged = [(record.score, record) for record in rounds if record.score is not None]
    last = judged[-1][1] if judged else None
    best_score, best = max(judged, key=lambda one: one[0], default=(None, None))  # the earliest of equals
    enforced = [record.enforcement for record in rounds if record.enforcement is not None]
    return Summary(
        schema_version=SCHEMA_VERSION,
        run_id=inputs.run_id,
        status=status,
        method=inputs.method,
        rounds_completed=len(rounds),
        devices=inputs.devices,
        final_accuracy=last.accuracy if last else None,
        best_accuracy=best.accuracy if best else None,
        emulated_seconds=rounds[-1].emulated_seconds if rounds else 0.0,
        wall_seconds=inputs.wall_seconds,
        bytes_up=sum(record.bytes_up for record in rounds),
        bytes_down=sum(record.bytes_down for record in rounds),
        mean_waiting_seconds=sum(record.mean_waiting_seconds for record in rounds) / max(len(rounds), 1),
        energy_joules=sum(record.energy_joules for record in rounds),
        peak_memory_bytes=inputs.peak_memory_bytes,
        updates_rejected=sum(record.rejected for record in rounds),
        result_digest=inputs.result_digest,
        target=reached(rounds, inputs.target, inputs.held) if inputs.target is not None else None,
        devices_dropped=sum(record.dropped for record in rounds),
        wasted_seconds=sum(record.wasted_seconds for record in rounds),
        wasted_joules=sum(record.wasted_joules for record in rounds),
        wasted_bytes=sum(record.wasted_bytes for record in rounds),
        scored_on=inputs.scored_on,
        final_score=last.score if last else None,
        best_score=best_score,
        best_round=best.round if best else None,
        final_metrics=last.metrics if last else {},
        device_accuracy=last.device_accuracy if last else None,
        majority_accuracy=inputs.majority_accuracy,
        devices_sitting_out=inputs.shards.sitting_out if inputs.shards else None,
        devices_topped_up=inputs.shards.topped_up if inputs.shards else None,
        twin=inputs.twin,
        steps=inputs.steps,
        overloads=sum(forced.overloads for forced in enforced) if enforced else None,
    )

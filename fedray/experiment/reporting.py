"""From a round's plan, schedule and outcome to the records that are written and printed."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from fedray import __version__
from fedray.emulation import Schedule
from fedray.experiment.aggregation_schedule import Step
from fedray.experiment.experiment import Experiment
from fedray.fleet import Fleet, FleetState
from fedray.learning.evaluation import Score, device_accuracies
from fedray.protocol import Outcome, Plan
from fedray.results import (
    AdapterOrigin,
    DeviceAccuracy,
    DeviceRecord,
    RoundRecord,
    RoundUnderWay,
    Summary,
    WallClockStats,
    summarise_devices,
)


def device_records(fleet: Fleet, step: Step, round_: int) -> list[DeviceRecord]:
    """One record per assignment, ascending by device; a power mode is that of the round in which the device began."""
    plan, schedule = step.plan, step.schedule
    modes = {group: fleet.modes(began) for group, began in step.began.items()}
    waiting = schedule.waiting_seconds
    inner_rounds = {group.id: group.inner_rounds for group in plan.groups}
    return [
        DeviceRecord(
            id=assignment.device,
            profile=fleet.devices[assignment.device].profile.name,
            mode=modes[assignment.group][assignment.device],
            group=assignment.group,
            depth=assignment.spec.depth,
            ranks=assignment.spec.trained_ranks,
            quantised_layers=len(assignment.quantisation.layers) if assignment.quantisation else 0,
            compute_seconds=float(schedule.compute_seconds[i]),
            download_seconds=float(schedule.download_seconds[i]),
            upload_seconds=float(schedule.upload_seconds[i]),
            waiting_seconds=float(waiting[i]),
            bytes_up=int(schedule.bytes_up[i]),
            bytes_down=int(schedule.bytes_down[i]),
            memory_bytes=int(schedule.memory_bytes[i]),
            memory_limit_bytes=int(schedule.memory_limit_bytes[i]),
            joules=float(schedule.joules[i]),
            fits=bool(schedule.fits[i]),
            inner_rounds=inner_rounds[assignment.group],
            outcome=schedule.outcomes[i].value,
            staleness=round_ - step.began[assignment.group],
        )
        for i, assignment in enumerate(plan.assignments)
    ]


def under_way(
    round_: int,
    fleet_state: FleetState,
    schedule: Schedule,
    devices: Sequence[DeviceRecord],
    dilation: float | None,
) -> RoundUnderWay:
    """A round that begins now, at an emulated time."""
    return RoundUnderWay(round_, time.time(), fleet_state.seconds, schedule.round_seconds, dilation, tuple(devices))


@dataclass(frozen=True)
class RoundEvaluation:
    """What the evaluation of a round says of the global model (see RoundRecord); empty without evaluation."""

    score: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    validation: Mapping[str, float] = field(default_factory=dict)
    device_accuracy: DeviceAccuracy | None = None


def round_evaluation(scores: Mapping[str, Score], experiment: Experiment) -> RoundEvaluation:
    """The scores of a round, by split, as they are recorded."""
    if not scores or experiment.data is None:
        return RoundEvaluation()
    test = scores["test"]
    by_device = device_accuracies(test.label_accuracy, experiment.label_histograms)
    profiles = [device.profile.name for device in experiment.fleet.devices]
    return RoundEvaluation(
        score=scores[experiment.data.scored_on].accuracy,
        metrics=test.metrics,
        validation=scores["validation"].metrics if "validation" in scores else {},
        device_accuracy=summarise_devices(by_device, profiles),
    )


def round_record(
    round_: int,
    ended: float,
    plan: Plan,
    schedule: Schedule,
    rejected: Sequence[int],
    evaluation: RoundEvaluation,
    enforcement: WallClockStats | None = None,
) -> RoundRecord:
    """The record of a round that ended at `ended` emulated seconds; what `rejected` devices did came to nothing."""
    refused = np.isin(schedule.devices, rejected)
    specs = [assignment.spec for assignment in plan.assignments]
    return RoundRecord(
        round=round_,
        emulated_seconds=ended,
        round_seconds=schedule.round_seconds,
        mean_waiting_seconds=schedule.mean_waiting_seconds,
        accuracy=evaluation.metrics.get("accuracy"),
        loss=evaluation.metrics.get("loss"),
        bytes_up=int(schedule.bytes_up.sum()),
        bytes_down=int(schedule.bytes_down.sum()),
        energy_joules=float(schedule.joules.sum()),
        participants=len(plan.assignments),
        dropped=int((~schedule.finished).sum()),
        rejected=len(rejected),
        groups=len(plan.groups),
        mean_depth=float(np.mean([spec.depth for spec in specs])),
        mean_rank=float(np.mean([np.mean(spec.trained_ranks) for spec in specs])),
        dropped_by=dict(Counter(outcome.value for outcome in schedule.outcomes if outcome is not Outcome.FINISHED)),
        wasted_seconds=float(np.where(refused, schedule.busy_seconds, schedule.wasted_seconds).sum()),
        wasted_joules=float(np.where(refused, schedule.joules, schedule.wasted_joules).sum()),
        wasted_bytes=int(np.where(refused, schedule.bytes_down + schedule.bytes_up, schedule.wasted_bytes).sum()),
        score=evaluation.score,
        metrics=evaluation.metrics,
        validation=evaluation.validation,
        device_accuracy=evaluation.device_accuracy,
        enforcement=enforcement,
    )


def adapter_origin(experiment: Experiment, summary: Summary) -> AdapterOrigin:
    """What made the adapter of a run that ends with this summary."""
    return AdapterOrigin(
        fedray_version=__version__,
        run_id=summary.run_id,
        scenario=experiment.scenario.name,
        method=summary.method,
        seed=experiment.scenario.seed,
        rounds=summary.rounds_completed,
        labels=experiment.data.label_names if experiment.data else (),
        result_digest=summary.result_digest,
    )

"""From a round's plan, schedule and outcome to the records that are written and printed."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from fedray import __version__
from fedray.arrays import Ints
from fedray.experiment.aggregation_schedule import RoundStep
from fedray.experiment.experiment import Experiment
from fedray.fleet import Fleet
from fedray.learning.evaluation import device_accuracies
from fedray.learning.tasks import Score
from fedray.protocol import Outcome
from fedray.results import (
    AdapterOrigin,
    DeviceAccuracy,
    RoundRecord,
    RoundUnderWay,
    Summary,
    WallClockStats,
    summarise_devices,
)
from fedray.results.round_devices import RoundDevices
from fedray.results.run_directory import LARGEST_IN_LINES


def round_devices(fleet: Fleet, step: RoundStep) -> RoundDevices:
    """The planned and scheduled devices of a round; a power mode is that of the round in which the device began."""
    plan, schedule, round_ = step.plan, step.schedule, step.start.round
    assignments = plan.assignments
    modes = {version: fleet.modes(version + 1) for version in step.bases}
    inner_rounds = {group.id: group.inner_rounds for group in plan.groups}
    ranks = {id(assignment.spec): assignment.spec.trained_ranks for assignment in assignments}
    quantised = [assignment.quantisation for assignment in assignments]
    return RoundDevices(
        round=round_,
        id=schedule.devices,
        profile=tuple(fleet.devices[assignment.device].profile.name for assignment in assignments),
        mode=tuple(modes[assignment.base_version][assignment.device] for assignment in assignments),
        group=_ints([assignment.group for assignment in assignments]),
        depth=_ints([len(assignment.spec.trained) for assignment in assignments]),
        ranks=tuple(ranks[id(assignment.spec)] for assignment in assignments),
        quantised_layers=_ints([len(quantisation.layers) if quantisation else 0 for quantisation in quantised]),
        compute_seconds=schedule.compute_seconds,
        download_seconds=schedule.download_seconds,
        upload_seconds=schedule.upload_seconds,
        waiting_seconds=schedule.waiting_seconds,
        bytes_up=schedule.bytes_up,
        bytes_down=schedule.bytes_down,
        memory_bytes=schedule.memory_bytes.astype(np.int64),
        memory_limit_bytes=schedule.memory_limit_bytes.astype(np.int64),
        joules=schedule.joules,
        fits=schedule.fits,
        inner_rounds=_ints([inner_rounds[assignment.group] for assignment in assignments]),
        outcome=tuple(outcome.value for outcome in schedule.outcomes),
        staleness=round_ - 1 - _ints([assignment.base_version for assignment in assignments]),
    )


def _ints(column: list[int]) -> Ints:
    return np.array(column, np.int64)


def under_way(fleet: Fleet, step: RoundStep, devices: RoundDevices, dilation: float | None) -> RoundUnderWay:
    """A round that begins now, at an emulated time; in large fleets without its devices."""
    rows = tuple(devices.rows()) if len(fleet) <= LARGEST_IN_LINES else ()
    start, seconds = step.start, step.schedule.round_seconds
    return RoundUnderWay(start.round, time.time(), start.fleet_state.seconds, seconds, dilation, rows)


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
    by_device = None
    if test.label_accuracy is not None:
        profiles = [device.profile.name for device in experiment.fleet.devices]
        accuracies = device_accuracies(test.label_accuracy, experiment.label_histograms)
        by_device = summarise_devices(accuracies, profiles)
    return RoundEvaluation(
        score=scores[experiment.data.scored_on].primary,
        metrics=test.metrics,
        validation=scores["validation"].metrics if "validation" in scores else {},
        device_accuracy=by_device,
    )


def round_record(
    step: RoundStep,
    ended: float,
    rejected: Sequence[int],
    evaluation: RoundEvaluation,
    enforcement: WallClockStats | None,
) -> RoundRecord:
    """The record of a round that ended at `ended` emulated seconds; what `rejected` devices did came to nothing."""
    plan, schedule = step.plan, step.schedule
    refused = np.isin(schedule.devices, rejected)
    specs = {id(assignment.spec): assignment.spec for assignment in plan.assignments}
    mean_ranks = {key: np.mean(spec.trained_ranks) for key, spec in specs.items()}
    return RoundRecord(
        round=step.start.round,
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
        mean_depth=float(np.mean([len(assignment.spec.trained) for assignment in plan.assignments])),
        mean_rank=float(np.mean([mean_ranks[id(assignment.spec)] for assignment in plan.assignments])),
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
        labels=experiment.data.task.label_names if experiment.data else (),
        result_digest=summary.result_digest,
    )

"""The rows of a comparison: every run's figures, and their statistics over the seeds of an experiment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fedray.analysis.against import Against
from fedray.analysis.budgets import BudgetedQuality, WithinBudget, budgeted, within
from fedray.analysis.criteria import Budget
from fedray.analysis.experiments import Experiment, MeasuredRun, MemoryLoss, final_primary
from fedray.analysis.statistics import Statistic, statistic
from fedray.analysis.targets import Attempt
from fedray.results import DeviceAccuracy, Status


@dataclass(frozen=True)
class ComparedRun:
    """One run; accuracies, `macro_f1` and `loss` are on the test examples, the last three of the last evaluation.

    `final_primary` is the primary metric then, which is the accuracy of a classification.
    `target` is null without a target for this run; `within` has an entry per budget.
    """

    run: str
    seed: int
    method: str
    status: Status
    rounds_completed: int
    final_primary: float | None
    final_accuracy: float | None
    best_accuracy: float | None
    macro_f1: float | None
    loss: float | None
    device_accuracy: DeviceAccuracy | None
    emulated_seconds: float
    bytes_up: int
    bytes_down: int
    mean_waiting_seconds: float
    energy_joules: float
    memory: MemoryLoss
    target: Attempt | None
    within: tuple[WithinBudget, ...]


@dataclass(frozen=True)
class ComparedRow:
    """One experiment over its seeds; every statistic is over the runs that have the value, and says how many do.

    `device_accuracy` is the mean over devices, `worst_decile` that of the tenth of them with the lowest accuracy,
    `by_profile` by board type. `lost_to_memory` counts devices that ran out of memory, a round; `never_finished`
    those of a run that did and finished no round. Those `to target` are over runs that reached it. `against` has an
    entry per baseline, but none for the row itself.
    """

    label: str
    method: str
    runs: tuple[ComparedRun, ...]
    rounds_completed: Statistic
    final_primary: Statistic
    final_accuracy: Statistic
    best_accuracy: Statistic
    macro_f1: Statistic
    loss: Statistic
    device_accuracy: Statistic
    worst_decile: Statistic
    by_profile: Mapping[str, Statistic]
    emulated_seconds: Statistic
    bytes_up: Statistic
    bytes_down: Statistic
    mean_waiting_seconds: Statistic
    energy_joules: Statistic
    lost_to_memory: Statistic
    never_finished: Statistic
    target_seconds: Statistic
    target_bytes: Statistic
    target_joules: Statistic
    target_round: Statistic
    within: tuple[BudgetedQuality, ...]
    against: tuple[Against, ...]


def compared_row(
    experiment: Experiment,
    attempts: Mapping[str, Attempt | None],
    budgets: Sequence[Budget],
    comparisons: Sequence[Against],
) -> ComparedRow:
    """A row; UserError for evaluations without scores under a budget."""
    runs = [_compared_run(run, attempts.get(run.path), budgets) for run in experiment.runs]
    reached = [run.target.spent for run in runs if run.target and run.target.reached]
    devices = [run.device_accuracy for run in runs if run.device_accuracy]
    profiles = sorted({profile for one in devices for profile in one.by_profile})
    return ComparedRow(
        label=experiment.label,
        method=runs[0].method,
        runs=tuple(runs),
        rounds_completed=statistic(run.rounds_completed for run in runs),
        final_primary=statistic(run.final_primary for run in runs),
        final_accuracy=statistic(run.final_accuracy for run in runs),
        best_accuracy=statistic(run.best_accuracy for run in runs),
        macro_f1=statistic(run.macro_f1 for run in runs),
        loss=statistic(run.loss for run in runs),
        device_accuracy=statistic(one.mean for one in devices),
        worst_decile=statistic(one.worst_decile for one in devices),
        by_profile={profile: statistic(one.by_profile.get(profile) for one in devices) for profile in profiles},
        emulated_seconds=statistic(run.emulated_seconds for run in runs),
        bytes_up=statistic(run.bytes_up for run in runs),
        bytes_down=statistic(run.bytes_down for run in runs),
        mean_waiting_seconds=statistic(run.mean_waiting_seconds for run in runs),
        energy_joules=statistic(run.energy_joules for run in runs),
        lost_to_memory=statistic(run.memory.per_round for run in runs),
        never_finished=statistic(run.memory.never_finished for run in runs),
        target_seconds=statistic(spent.emulated_seconds for spent in reached),
        target_bytes=statistic(spent.bytes for spent in reached),
        target_joules=statistic(spent.joules for spent in reached),
        target_round=statistic(spent.round for spent in reached),
        within=tuple(budgeted([run.within[i] for run in runs], budget) for i, budget in enumerate(budgets)),
        against=tuple(comparisons),
    )


def _compared_run(run: MeasuredRun, attempt: Attempt | None, budgets: Sequence[Budget]) -> ComparedRun:
    summary = run.summary
    losses = [record.loss for record in run.rounds if record.primary is not None]
    return ComparedRun(
        run=run.path,
        seed=run.seed,
        method=summary.method,
        status=summary.status,
        rounds_completed=summary.rounds_completed,
        final_primary=final_primary(run),
        final_accuracy=summary.final_accuracy,
        best_accuracy=summary.best_accuracy,
        macro_f1=summary.final_metrics.get("macro_f1"),
        loss=losses[-1] if losses else None,
        device_accuracy=summary.device_accuracy,
        emulated_seconds=summary.emulated_seconds,
        bytes_up=summary.bytes_up,
        bytes_down=summary.bytes_down,
        mean_waiting_seconds=summary.mean_waiting_seconds,
        energy_joules=summary.energy_joules,
        memory=run.memory,
        target=attempt,
        within=tuple(within(run, budget) for budget in budgets),
    )

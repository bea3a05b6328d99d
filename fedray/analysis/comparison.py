"""Runs side by side: what each reached, at what cost, and how sure the differences are."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from fedray.analysis.against import Attempts, Measure, against
from fedray.analysis.baselines import Standing, baselines_of, by_quality, by_target
from fedray.analysis.budgets import within
from fedray.analysis.criteria import Budget, Criteria, ProtocolName
from fedray.analysis.experiments import Experiment, MeasuredRun, final_primary, read_experiments
from fedray.analysis.robustness import Grid, robustness_grid
from fedray.analysis.rows import ComparedRow, ComparedRun, compared_row
from fedray.analysis.settings import differing_sections
from fedray.analysis.targets import Aims, TargetRule, aims_of
from fedray.errors import UserError
from fedray.results import RunDirectory, Split

if TYPE_CHECKING:
    from pandas import DataFrame

DEFAULT = Criteria()


@dataclass(frozen=True)
class Comparison:
    """Rows, each an experiment over its seeds, under one protocol.

    `target` says where targets come from, `no_ratios` why there are no ratios to them, if so. `baselines` are the rows
    that ratios are against, `best` and `worst` those of them that do best and worst (see `baselines.py`).
    `metric` names the primary metric of all runs, null where they differ.
    `majority_accuracy` is the test accuracy of always giving the most frequent training label, the highest of all
    runs. `scored_on` names the examples that scores are of, null where runs differ. `differing` names what should not
    differ between methods and does: the sections task, fleet, model, costs, training, and the twin whose costs were
    counted; `twin` is that of all runs, if they agree. `grid` is set under the protocol robustness.
    """

    protocol: ProtocolName
    target: TargetRule | None
    no_ratios: str | None
    baselines: tuple[str, ...]
    best: str | None
    worst: str | None
    metric: str | None
    majority_accuracy: float | None
    scored_on: Split | None
    differing: tuple[str, ...]
    twin: str | None
    warnings: tuple[str, ...]
    rows: tuple[ComparedRow, ...]
    grid: Grid | None

    @property
    def metric_words(self) -> str:
        """What the primary metric is called."""
        return self.metric or "primary metric"

    @property
    def runs(self) -> tuple[ComparedRun, ...]:
        """All runs, row by row."""
        return tuple(run for row in self.rows for run in row.runs)

    def frame(self) -> "DataFrame":
        """One pandas row per run, with the keys of `ComparedRun` but `within`, and the label of its row."""
        import pandas

        runs = [{"label": row.label, **asdict(run)} for row in self.rows for run in row.runs]
        return pandas.json_normalize([{key: value for key, value in run.items() if key != "within"} for run in runs])


def compare(runs: Sequence[RunDirectory], criteria: Criteria = DEFAULT) -> Comparison:
    """Compare runs by some criteria; a directory that is given twice counts once.

    Runs that differ in their seed only are one row. Rows are paired with a baseline by seed. A row is named by its
    label, by its method if no other row has it, or by one of its runs.

    Raises
    ------
    UserError
        if a folder is not a run, there is no such row, or the protocol needs what the runs do not have.
    """
    experiments = read_experiments(runs)
    read = [run for one in experiments for run in one.runs]
    aims = _aims(experiments, criteria)
    majority = max((run.summary.majority_accuracy or 0.0 for run in read), default=0.0) or None
    no_ratios = _too_low(aims, majority) if aims else None
    attempts = {run.path: aims.attempt(run) for run in read} if aims else {}
    trusted = attempts if aims and not no_ratios else None
    baselines = baselines_of(experiments, criteria.baselines)
    qualities = [_primary_within(budget) for budget in criteria.budgets]
    found = [against(one, experiments, trusted, qualities) for one in baselines]
    ranked = sorted(baselines, key=_standing(trusted, qualities))
    protocol = criteria.protocol or ("cost-to-target" if aims else "quality-under-budget" if qualities else "summary")
    grid = robustness_grid(experiments) if protocol == "robustness" else None
    twins = {run.summary.twin for run in read}
    metrics = _metrics(read)
    splits = {run.summary.scored_on for run in read} - {None}
    differing = differing_sections([run.settings for run in read]) + (("twin",) if len(twins) > 1 else ())
    return Comparison(
        protocol=protocol,
        target=aims.rule if aims else None,
        no_ratios=no_ratios,
        baselines=tuple(one.label for one in baselines),
        best=ranked[0].label if ranked else None,
        worst=ranked[-1].label if ranked else None,
        metric=metrics[0] if len(metrics) == 1 else None,
        majority_accuracy=majority,
        scored_on=splits.pop() if len(splits) == 1 else None,
        differing=differing,
        twin=twins.pop() if len(twins) == 1 else None,
        warnings=tuple(_warnings(differing, grid, read)),
        rows=tuple(
            compared_row(row, attempts, criteria.budgets, [rows[row.label] for rows in found if row.label in rows])
            for row in experiments
        ),
        grid=grid,
    )


def _aims(experiments: Sequence[Experiment], criteria: Criteria) -> Aims | None:
    """Targets that were asked for, or those of the runs where nothing else was."""
    asked = criteria.target is not None or criteria.target_of is not None
    if not asked and (criteria.budgets or criteria.protocol not in (None, "cost-to-target")):
        return None
    aims = aims_of(experiments, criteria)
    if aims is None and criteria.protocol == "cost-to-target":
        raise UserError(
            "--protocol cost-to-target: needs a target: --target ACC, --target-of NAME, or one training.stop.target "
            "that all runs have"
        )
    return aims


def _too_low(aims: Aims, majority: float | None) -> str | None:
    """Why no ratios to these targets may be given, if so."""
    lowest = min(aims.scores.values(), default=None)
    if majority is None or lowest is None or lowest > majority:
        return None
    return (
        f"the target {lowest:.3f} is not above {majority:.3f}, the accuracy of always giving the most frequent label: "
        "no speed-ups to it are shown"
    )


def _primary_within(budget: Budget) -> Measure:
    return lambda run: within(run, budget).primary


def _standing(attempts: Attempts | None, qualities: Sequence[Measure]) -> Standing:
    """What baselines are ranked by: the cost to the target, else quality under the first budget, else in the end."""
    if attempts is not None:
        return by_target(attempts)
    return by_quality(qualities[0] if qualities else final_primary)


def _metrics(runs: Sequence[MeasuredRun]) -> list[str]:
    """The names of the runs' primary metrics."""
    return sorted({run.summary.primary.name for run in runs if run.summary.primary})


def _warnings(differing: Sequence[str], grid: Grid | None, runs: Sequence[MeasuredRun]) -> list[str]:
    """One line each for what makes these runs poor to compare."""
    varied = {key.partition(".")[0] for key in grid.keys} if grid else set()
    found = []
    if unlike := [name for name in differing if name not in varied]:
        found.append(f"the runs differ in {', '.join(unlike)}: what separates them is not the method alone")
    if len(metrics := _metrics(runs)) > 1:
        found.append(f"the runs have different primary metrics ({', '.join(metrics)}): they are not comparable")
    if len({run.summary.scored_on for run in runs} - {None}) > 1:
        found.append("some runs are scored on validation, others on test examples: their targets are not the same")
    return found

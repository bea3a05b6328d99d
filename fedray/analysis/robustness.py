"""The robustness grid: every method under every condition, and what it loses against the first condition."""

from collections.abc import Sequence
from dataclasses import dataclass

from fedray.analysis.against import differences
from fedray.analysis.experiments import Experiment, final_primary
from fedray.analysis.statistics import PairedDifference, Statistic, statistic
from fedray.errors import UserError


@dataclass(frozen=True)
class GridCell:
    """One method under one condition: final test accuracy, and how it differs from the first condition, by seed.

    For a task without accuracy both are of its primary metric.

    `change` is null in the first column. Its p-values are corrected over the method's conditions.
    """

    accuracy: Statistic
    change: PairedDifference | None


@dataclass(frozen=True)
class GridRow:
    """One method under every condition; a cell is null where no run has both."""

    method: str
    cells: tuple[GridCell | None, ...]


@dataclass(frozen=True)
class Grid:
    """Methods by conditions; `keys` are those that conditions vary, `conditions` their values, in the order given."""

    keys: tuple[str, ...]
    conditions: tuple[tuple[str, ...], ...]
    rows: tuple[GridRow, ...]


def robustness_grid(experiments: Sequence[Experiment]) -> Grid:
    """The grid of some experiments.

    Raises
    ------
    UserError
        if nothing varies but the method, or two experiments are the same method under the same condition.
    """
    conditions = list(dict.fromkeys(one.name.condition for one in experiments))
    if conditions in ([], [()]):
        raise UserError("--protocol robustness: only the method varies; sweep a key like fleet.faults.dropout")
    methods = list(dict.fromkeys(one.name.method for one in experiments))
    places = {(one.name.method, one.name.condition): one for one in experiments}
    if len(places) < len(experiments):
        raise UserError("--protocol robustness: several runs are one method, one condition and one seed")
    return Grid(
        keys=tuple(key for key, _ in conditions[0]),
        conditions=tuple(tuple(text for _, text in condition) for condition in conditions),
        rows=tuple(_row(method, [places.get((method, condition)) for condition in conditions]) for method in methods),
    )


def _row(method: str, experiments: Sequence[Experiment | None]) -> GridRow:
    first, *others = experiments
    there = [one for one in others if one is not None]
    changes = differences(first, there, final_primary) if first is not None else []
    change_of = dict(zip([one.label for one in there], changes, strict=True)) if changes else {}
    cells = []
    for one in experiments:
        accuracy = statistic(final_primary(run) for run in one.runs) if one is not None else None
        change = change_of.get(one.label) if one is not None else None
        cells.append(GridCell(accuracy, change) if accuracy is not None else None)
    return GridRow(method, tuple(cells))

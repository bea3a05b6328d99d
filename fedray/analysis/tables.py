"""A comparison as tables of text, for terminals and pages alike: rounded figures, each beside how sure it is."""

from collections import Counter
from collections.abc import Iterator

from fedray.analysis.budgets import BudgetedQuality
from fedray.analysis.comparison import Comparison
from fedray.analysis.criteria import Budget
from fedray.analysis.ratio_tables import ratio_tables, shown_baselines
from fedray.analysis.robustness import Grid, GridCell
from fedray.analysis.rows import ComparedRow
from fedray.analysis.text import (
    NONE,
    Cell,
    Show,
    TextTable,
    accuracy,
    count,
    difference_lines,
    energy,
    mean_lines,
)
from fedray.results.quantities import duration, size

SPREAD = "±: half of the 95 % t interval of the mean over seeds; one seed has none"


def comparison_tables(comparison: Comparison) -> list[TextTable]:
    """The tables of the protocol: quality and memory, cost, and the rows against their baselines."""
    quality = _quality(comparison)
    match comparison.protocol:
        case "summary":
            return [quality, _whole_cost(comparison), *ratio_tables(comparison)]
        case "cost-to-target":
            return [quality, _cost_to_target(comparison), *ratio_tables(comparison)]
        case "quality-under-budget":
            return [quality, *_budgets(comparison)]
        case "robustness":
            return [quality, *(_grids(comparison.grid, comparison.metric_words) if comparison.grid else ())]


def target_words(comparison: Comparison) -> str | None:
    """What the target is, in words; None without one."""
    rule = comparison.target
    if rule is None:
        return None
    held = f", held for {rule.hold} evaluations" if rule.hold > 1 else ""
    examples = f", on {comparison.scored_on} examples" if comparison.scored_on else ""
    if rule.score is not None:
        return f"target: {rule.score:.3f}{examples}{held}"
    return f"target: {rule.share:g} of the plateau of {rule.of} with the same seed{examples}{held}"


def row_words(row: ComparedRow) -> str:
    """A row's label, with the runs that are not whole."""
    several = len(row.runs) > 1
    counts = Counter(run.status for run in row.runs if run.status != "completed")
    words = [f"{number} of {len(row.runs)} {status}" if several else status for status, number in counts.items()]
    return f"{row.label} ({', '.join(words)})" if words else row.label


def _quality(comparison: Comparison) -> TextTable:
    headings = ("method", "run", comparison.metric_words, "macro-F1", "loss", "devices", "worst 10 %", "lost to memory")
    rows = [
        (
            (row_words(row),),
            (row.runs[0].run if len(row.runs) == 1 else f"{len(row.runs)} seeds",),
            *(mean_lines(one, len(row.runs), accuracy) for one in (row.final_primary, row.macro_f1, row.loss)),
            *(mean_lines(one, len(row.runs), accuracy) for one in (row.device_accuracy, row.worst_decile)),
            _memory(row),
        )
        for row in comparison.rows
    ]
    notes = [
        f"{comparison.metric_words}, macro-F1 and loss: test examples, last evaluation; devices: the mean of the "
        "global model's accuracy on each device's label mix, and that of the worst tenth"
    ]
    if comparison.majority_accuracy is not None:
        notes.append(f"always giving the most frequent label has accuracy {comparison.majority_accuracy:.3f}")
    if any(len(row.runs) > 1 for row in comparison.rows):
        notes.append(SPREAD)
    if comparison.scored_on == "test":
        notes.append("no validation examples were held out: scores and targets are of the test examples themselves")
    if comparison.twin:
        notes.append(f"all costs are those of {comparison.twin}; a small stand-in was trained")
    return TextTable("quality", headings, 2, tuple(rows), tuple(notes))


def _memory(row: ComparedRow) -> Cell:
    """Devices a round, and those that were never of use."""
    lost, never = row.lost_to_memory.mean or 0.0, row.never_finished.mean or 0.0
    if not lost:
        return ("0",)
    return (f"{lost:.1f} a round",) + ((f"{count(never)} never in",) if never else ())


def _whole_cost(comparison: Comparison) -> TextTable:
    rows = [
        (
            (row_words(row),),
            mean_lines(row.rounds_completed, len(row.runs), count),
            mean_lines(row.emulated_seconds, len(row.runs), duration),
            mean_lines(row.bytes_up, len(row.runs), size),
            mean_lines(row.bytes_down, len(row.runs), size),
            mean_lines(row.energy_joules, len(row.runs), energy),
            mean_lines(row.mean_waiting_seconds, len(row.runs), duration),
        )
        for row in comparison.rows
    ]
    headings = ("method", "rounds", "emulated time", "sent up", "sent down", "energy", "waiting a round")
    return TextTable("cost of the whole run", headings, 1, tuple(rows))


def _cost_to_target(comparison: Comparison) -> TextTable:
    rows = [
        (
            (row_words(row),),
            _reached(row),
            mean_lines(row.target_round, row.target_round.n, count),
            mean_lines(row.target_seconds, row.target_seconds.n, duration),
            mean_lines(row.target_bytes, row.target_bytes.n, size),
            mean_lines(row.target_joules, row.target_joules.n, energy),
            mean_lines(row.mean_waiting_seconds, len(row.runs), duration),
        )
        for row in comparison.rows
    ]
    headings = ("method", "reached", "rounds", "time", "bytes", "energy", "waiting a round")
    notes = [note for note in (target_words(comparison), comparison.no_ratios) if note]
    if any(run.target is not None and not run.target.reached for run in comparison.runs):
        notes.append("means are over the seeds that reached the target; the others would have spent more")
    return TextTable("cost to the target", headings, 2, tuple(rows), tuple(notes))


def _reached(row: ComparedRow) -> Cell:
    """How many seeds reached the target, and how many have none to reach."""
    reached = sum(run.target is not None and run.target.reached for run in row.runs)
    without = sum(run.target is None for run in row.runs)
    return (f"{reached}/{len(row.runs)} seeds",) + ((f"no target for {without}",) if without else ())


def _budgets(comparison: Comparison) -> Iterator[TextTable]:
    """A table per budget."""
    baselines = shown_baselines(comparison) if len(comparison.rows) > 1 else []
    for number, quality in enumerate(comparison.rows[0].within if comparison.rows else ()):
        rows = [
            (
                (row_words(row),),
                *_budget_cells(row.within[number], len(row.runs)),
                *(_against_cell(row, baseline, number) for baseline, _ in baselines),
            )
            for row in comparison.rows
        ]
        headings = ("method", "budget spent", comparison.metric_words, "macro-F1", "worst 10 %")
        notes = ["the evaluation with the best score within the budget, in figures on the test examples"]
        if any(row.within[number].exhausted < len(row.runs) for row in comparison.rows):
            notes.append("a run that ended before its budget was spent might have done better with the rest of it")
        if baselines:
            notes.append(
                "against a baseline: mean difference over paired seeds, its 95 % t interval, and the p-value of the "
                "paired t-test, Holm-corrected over the rows"
            )
        against = tuple(f"against {baseline}{rank}" for baseline, rank in baselines)
        title = f"quality under a budget of {budget_words(quality.budget)}"
        yield TextTable(title, (*headings, *against), 2, tuple(rows), tuple(notes))


def budget_words(budget: Budget) -> str:
    """A budget as people say it."""
    show: dict[str, Show] = {"seconds": duration, "bytes": size, "joules": energy}
    return show[budget.resource](budget.amount)


def _budget_cells(quality: BudgetedQuality, runs: int) -> tuple[Cell, ...]:
    figures = (quality.primary, quality.macro_f1, quality.worst_decile)
    return (f"{quality.exhausted}/{runs} seeds",), *(mean_lines(one, runs, accuracy) for one in figures)


def _against_cell(row: ComparedRow, baseline: str, budget: int) -> Cell:
    found = next((one.within[budget] for one in row.against if one.baseline == baseline), None)
    return (NONE,) if found is None else difference_lines(found)


def _grids(grid: Grid, metric: str) -> Iterator[TextTable]:
    """The final metric by method and condition; below it, how it differs from the first condition."""
    title = f"robustness: final test {metric} by {', '.join(grid.keys)}"
    headings = ("method", *(", ".join(condition) for condition in grid.conditions))
    rows = [
        (
            (row.method,),
            *((NONE,) if cell is None else mean_lines(cell.accuracy, cell.accuracy.n, accuracy) for cell in row.cells),
        )
        for row in grid.rows
    ]
    yield TextTable(title, headings, 1, tuple(rows), (SPREAD,))
    changes = [((row.method,), *map(_change_cell, row.cells[1:])) for row in grid.rows]
    notes = ("paired by seed: mean, 95 % t interval, p of the paired t-test, Holm-corrected over the row",)
    yield TextTable(f"change against {headings[1]}", (headings[0], *headings[2:]), 1, tuple(changes), notes)


def _change_cell(cell: GridCell | None) -> Cell:
    return (NONE,) if cell is None or cell.change is None else difference_lines(cell.change)

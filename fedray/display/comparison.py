"""Runs side by side."""

from collections import Counter
from collections.abc import Callable

from rich.table import Table

from fedray.analysis import ComparedRow, Comparison, Statistic
from fedray.display.words import share, table
from fedray.results.quantities import duration, size

Show = Callable[[float], str]


def comparison_table(comparison: Comparison) -> Table:
    """A row per experiment: mean ± standard deviation over its seeds, and how many of them count if not all do."""
    aimed = comparison.target_accuracy is not None or comparison.target_of is not None
    cost = ("time to target", "bytes to target") if aimed else ("emulated time", "sent up", "sent down")
    ratios = ("speed-up", "bytes ratio") if aimed else ()
    right = ("rounds", "final", "best", *cost, "waiting s", "energy kJ", *ratios)
    made = table(_title(comparison), ("method", "run"), right)
    made.show_lines = any(len(row.runs) > 1 for row in comparison.rows)
    notes = [f"all costs are those of {comparison.twin}; a small stand-in was trained"] if comparison.twin else []
    if aimed:
        notes.append(f"speed-up and bytes ratio: against {comparison.baseline}")
    made.caption, made.caption_justify = "\n".join(notes) or None, "left"
    for row in comparison.rows:
        made.add_row(
            _label(row),
            row.runs[0].run if len(row.runs) == 1 else f"{len(row.runs)} seeds",
            _spread(row, row.rounds_completed, lambda rounds: f"{rounds:.1f}".removesuffix(".0")),
            _spread(row, row.final_accuracy, share),
            _spread(row, row.best_accuracy, share),
            *(_cost_to_target(row) if aimed else _whole_cost(row)),
            _spread(row, row.mean_waiting_seconds, "{:.1f}".format),
            _spread(row, row.energy_joules, lambda joules: f"{joules / 1000:.1f}"),
            *((_spread(row, ratio, "{:.2f}×".format) for ratio in (row.speed_up, row.bytes_ratio)) if aimed else ()),
        )
    return made


def difference_warning(comparison: Comparison) -> str | None:
    """One line if the runs differ in more than their method, else None."""
    if not comparison.differing:
        return None
    return f"warning: the runs differ in {', '.join(comparison.differing)}: what separates them is not the method alone"


def _title(comparison: Comparison) -> str | None:
    if comparison.target_of is not None:
        return f"target accuracy: the final one of {comparison.target_of}, by seed"
    target = comparison.target_accuracy
    return f"target accuracy {target:.3f}" if target is not None else None


def _label(row: ComparedRow) -> str:
    """With the runs that are not whole."""
    several = len(row.runs) > 1
    counts = Counter(run.status for run in row.runs if run.status != "completed")
    words = [f"{count} of {len(row.runs)} {status}" if several else status for status, count in counts.items()]
    return f"{row.label} ({', '.join(words)})" if words else row.label


def _cost_to_target(row: ComparedRow) -> tuple[str, ...]:
    return _spread(row, row.target_seconds, duration), _spread(row, row.target_bytes, size)


def _whole_cost(row: ComparedRow) -> tuple[str, ...]:
    time = _spread(row, row.emulated_seconds, duration)
    return time, _spread(row, row.bytes_up, size), _spread(row, row.bytes_down, size)


def _spread(row: ComparedRow, statistic: Statistic, show: Show) -> str:
    """The mean; below it `± deviation`, unless all values are equal, and `(2/3)` if only two of three runs have one."""
    lines = ["–" if statistic.mean is None else show(statistic.mean)]
    below = [f"± {show(statistic.std)}"] if statistic.std else []
    if statistic.n < len(row.runs) > 1:
        below.append(f"({statistic.n}/{len(row.runs)})")
    return "\n".join([*lines, " ".join(below)] if below else lines)

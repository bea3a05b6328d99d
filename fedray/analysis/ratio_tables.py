"""Rows against the best and the worst baseline, as tables of text."""

from collections.abc import Iterator

from fedray.analysis.against import Against, TargetRatios
from fedray.analysis.comparison import Comparison
from fedray.analysis.statistics import PairedRatio
from fedray.analysis.text import NONE, Cell, TextTable, difference_lines, ratio_lines, seed_lines

READING = (
    "×: the baseline's over the row's, geometric mean over paired seeds (above 1 the row needs less)",
    "ranges: 95 % t intervals; one seed has none; p: paired t-test, Holm-corrected over the rows of this table",
)


def ratio_tables(comparison: Comparison) -> Iterator[TextTable]:
    """A table against the best baseline, and one against the worst if it is another; none without other rows."""
    for baseline, rank in shown_baselines(comparison):
        found = [(row.label, one) for row in comparison.rows for one in row.against if one.baseline == baseline]
        if not found:
            continue
        title = f"against {baseline}{rank}"
        if comparison.protocol == "cost-to-target" and not comparison.no_ratios:
            yield _to_target(
                title, comparison.metric_words, [(label, one, one.to_target) for label, one in found if one.to_target]
            )
        else:
            yield _per_round(title, comparison.metric_words, found)


def shown_baselines(comparison: Comparison) -> list[tuple[str, str]]:
    """The best and the worst baseline, each with the words that say so where there are several."""
    if comparison.best is None or comparison.worst is None:
        return []
    if comparison.best == comparison.worst:
        return [(comparison.best, "")]
    several = len(comparison.baselines)
    return [
        (comparison.best, f", the best of {several} baselines"),
        (comparison.worst, f", the worst of {several} baselines"),
    ]


def _to_target(title: str, metric: str, found: list[tuple[str, Against, TargetRatios]]) -> TextTable:
    rows = [
        (
            (label, *seed_lines(ratios.seconds)),
            ratio_lines(ratios.seconds),
            _split(ratios.seconds_per_round, ratios.rounds),
            ratio_lines(ratios.bytes),
            ratio_lines(ratios.joules),
            difference_lines(one.final_accuracy),
        )
        for label, one, ratios in found
    ]
    headings = ("method", "speed-up", "per round × rounds", "bytes", "energy", f"{metric} in the end")
    notes = (*READING, "speed-up = cheaper rounds × fewer rounds; a missed target gives no ratio, only bounds (≥, ≤)")
    return TextTable(title, headings, 1, tuple(rows), notes)


def _per_round(title: str, metric: str, found: list[tuple[str, Against]]) -> TextTable:
    rows = [
        (
            (label, *seed_lines(one.per_round.seconds)),
            *map(ratio_lines, (one.per_round.seconds, one.per_round.bytes, one.per_round.joules)),
            difference_lines(one.final_accuracy),
        )
        for label, one in found
    ]
    headings = ("method", "time a round", "bytes a round", "energy a round", f"{metric} in the end")
    return TextTable(title, headings, 1, tuple(rows), READING)


def _split(per_round: PairedRatio, rounds: PairedRatio) -> Cell:
    if per_round.ratio is None or rounds.ratio is None:
        return (NONE,)
    return (f"{per_round.ratio:.2f} × {rounds.ratio:.2f}",)

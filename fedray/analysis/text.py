"""Figures as text: rounded, with what says how sure they are on the lines below."""

from collections.abc import Callable
from dataclasses import dataclass

from fedray.analysis.statistics import PairedDifference, PairedRatio, Statistic

Cell = tuple[str, ...]  # lines
Show = Callable[[float], str]
NONE = "–"


@dataclass(frozen=True)
class TextTable:
    """A table of text; the first `words` columns are words, the others figures. Notes say how it is to be read."""

    title: str
    headings: tuple[str, ...]
    words: int
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()


def accuracy(value: float) -> str:
    return f"{value:.3f}"


def energy(joules: float) -> str:
    """Joules below 1,000, else kilojoules, megajoules."""
    if joules < 1000:
        return f"{joules:.0f} J"
    return f"{joules / 1e3:.1f} kJ" if joules < 1e6 else f"{joules / 1e6:.1f} MJ"


def count(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def mean_lines(statistic: Statistic, runs: int, show: Show) -> Cell:
    """The mean; `±half its interval`; `2/3` if only two of three runs have a value."""
    if statistic.mean is None:
        return (NONE,)
    lines = [show(statistic.mean)]
    if statistic.high is not None and statistic.std:
        lines.append(f"±{show(statistic.high - statistic.mean)}")
    if statistic.n < runs:
        lines.append(f"({statistic.n}/{runs})")
    return tuple(lines)


def ratio_lines(ratio: PairedRatio) -> Cell:
    """The geometric mean, its interval, its corrected p-value; and a bound over all seeds where some missed."""
    lines = [NONE if ratio.ratio is None else f"{ratio.ratio:.2f}×"]
    if ratio.low is not None and ratio.high is not None:
        lines.append(f"{ratio.low:.2f}–{ratio.high:.2f}")
    lines += p_lines(ratio.p_holm)
    if ratio.at_least is not None:
        lines.append(f"all ≥ {ratio.at_least:.2f}×")
    if ratio.at_most is not None:
        lines.append(f"all ≤ {ratio.at_most:.2f}×")
    return tuple(lines)


def difference_lines(difference: PairedDifference) -> Cell:
    """The mean difference, its interval, its corrected p-value."""
    lines = [NONE if difference.mean is None else f"{difference.mean:+.3f}"]
    if difference.low is not None and difference.high is not None:
        lines.append(f"{difference.low:+.3f} to {difference.high:+.3f}")
    return (*lines, *p_lines(difference.p_holm))


def seed_lines(found: PairedRatio | PairedDifference) -> Cell:
    """How many seeds count, and why the others do not; nothing of a single seed that does."""
    if found.n == found.seeds + found.unpaired == 1:
        return ()
    lines = [f"{found.n}/{found.seeds + found.unpaired} seeds"]
    if isinstance(found, PairedRatio):
        missed = (("it missed", found.row_missed), ("baseline missed", found.baseline_missed))
        lines += [f"{who} {times}" for who, times in (*missed, ("both missed", found.both_missed)) if times]
    if found.unpaired:
        lines.append(f"no pair {found.unpaired}")
    return tuple(lines)


def p_lines(p: float | None) -> Cell:
    if p is None:
        return ()
    return ("p<0.001",) if p < 0.001 else (f"p={p:.3f}",)

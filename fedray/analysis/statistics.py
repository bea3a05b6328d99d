"""Statistics over seeds: means and paired differences with 95 % intervals, geometric mean ratios, Holm's correction.

Intervals and p-values are Student's t over independent seeds. A percentile bootstrap is not offered: over three to
five seeds it is far too narrow.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import exp, inf, log, sqrt
from statistics import fmean, stdev
from typing import TypeVar

from scipy.special import (  # Student's t: its distribution and quantiles; scipy.stats imports for a second
    stdtr,
    stdtrit,
)

CONFIDENCE = 0.95
ROUNDING = 1e-12  # relative, or absolute below 1: a smaller spread is that of floating point, not of seeds


@dataclass(frozen=True)
class Statistic:
    """Mean, sample standard deviation and 95 % t interval of the mean, of the `n` runs of a row that have a value.

    The mean is null without any value; deviation and interval are null below two.
    """

    mean: float | None
    std: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class PairedDifference:
    """The row's value minus the baseline's with the same seed: mean, 95 % t interval, p-value of the paired t-test.

    `n` of the `seeds` that both have give a difference; `unpaired` counts seeds of the row that the baseline lacks.
    `p_holm` is `p` after Holm's correction over all rows compared with this baseline.
    """

    mean: float | None
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None
    n: int
    seeds: int
    unpaired: int


@dataclass(frozen=True)
class Observed:
    """What a run spent until it reached a target; `censored`: it did not, and would have spent at least `value`."""

    value: float
    censored: bool = False


@dataclass(frozen=True)
class Pair:
    """What baseline and row have under one seed; null where there is nothing to observe."""

    seed: int
    baseline: Observed | None
    row: Observed | None


@dataclass(frozen=True)
class SeedRatio:
    """Baseline over row under one seed; only a bound where one of the two missed, nothing where both did."""

    seed: int
    ratio: float | None
    at_least: float | None
    at_most: float | None


@dataclass(frozen=True)
class PairedRatio:
    """Baseline over row: geometric mean over seeds, 95 % t interval on the logarithms, p-value of their paired t-test.

    Above 1 the row needs less. `n` of the `seeds` that both have give a ratio. Of the others `row_missed`,
    `baseline_missed` and `both_missed` count which side did not reach the target; `unpaired` counts seeds of the row
    that the baseline lacks. `at_least` and `at_most` bound the geometric mean over all seeds, the missed ones at what
    they spent at least; null without missed seeds, or where those do not give that bound. `p_holm` is `p` after
    Holm's correction over all rows compared with this baseline.
    """

    ratio: float | None
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None
    n: int
    seeds: int
    unpaired: int
    row_missed: int
    baseline_missed: int
    both_missed: int
    at_least: float | None
    at_most: float | None
    by_seed: tuple[SeedRatio, ...]


Tested = TypeVar("Tested", PairedDifference, PairedRatio)


def statistic(values: Iterable[float | None]) -> Statistic:
    """Over the values that there are."""
    known = [value for value in values if value is not None]
    sample = _t_sample(known)
    return Statistic(sample.mean, stdev(known) if len(known) > 1 else None, sample.low, sample.high, len(known))


def paired_difference(pairs: Sequence[tuple[float | None, float | None]], unpaired: int = 0) -> PairedDifference:
    """Of (baseline, row) values by seed; a seed in which either is null gives no difference."""
    known = [row - baseline for baseline, row in pairs if baseline is not None and row is not None]
    sample = _t_sample(known)
    return PairedDifference(sample.mean, sample.low, sample.high, sample.p, None, len(known), len(pairs), unpaired)


def paired_ratio(pairs: Sequence[Pair], unpaired: int = 0) -> PairedRatio:
    """Baseline over row of every seed; seeds in which either missed, or a value is not positive, give no ratio."""
    seeds = [_seed_ratio(pair) for pair in pairs]
    logs = [log(one.ratio) for one in seeds if one.ratio is not None]
    sample = _t_sample(logs)
    missed = [(pair.baseline.censored, pair.row.censored) for pair in pairs if pair.baseline and pair.row]
    whole = len(logs) == len(pairs)
    return PairedRatio(
        ratio=_exp(sample.mean),
        low=_exp(sample.low),
        high=_exp(sample.high),
        p=sample.p,
        p_holm=None,
        n=len(logs),
        seeds=len(pairs),
        unpaired=unpaired,
        row_missed=missed.count((False, True)),
        baseline_missed=missed.count((True, False)),
        both_missed=missed.count((True, True)),
        at_least=None if whole else _geometric_mean([one.ratio or one.at_least for one in seeds]),
        at_most=None if whole else _geometric_mean([one.ratio or one.at_most for one in seeds]),
        by_seed=tuple(seeds),
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values (Holm 1979, Scand. J. Statist. 6), in the order given.

    The smallest of m is multiplied by m, the next by m - 1 and so on; none falls below a smaller one's, none exceeds 1.
    """
    adjusted = [0.0] * len(p_values)
    least = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = least
    return adjusted


def corrected(tests: Sequence[Tested]) -> list[Tested]:
    """The tests with Holm's correction over those that have a p-value."""
    adjusted = iter(holm([test.p for test in tests if test.p is not None]))
    return [replace(test, p_holm=None if test.p is None else next(adjusted)) for test in tests]


@dataclass(frozen=True)
class _TSample:
    """Mean, its 95 % interval, and the two-sided p-value for a true mean of 0."""

    mean: float | None
    low: float | None
    high: float | None
    p: float | None


def _t_sample(values: Sequence[float]) -> _TSample:
    n = len(values)
    if n < 2:
        return _TSample(values[0] if values else None, None, None, None)
    mean, error = fmean(values), stdev(values) / sqrt(n)
    if error <= ROUNDING * max(1.0, *map(abs, values)):
        error = 0.0
    half = float(stdtrit(n - 1, (1 + CONFIDENCE) / 2)) * error
    t = abs(mean) / error if error else (inf if abs(mean) > ROUNDING else 0.0)
    return _TSample(mean, mean - half, mean + half, 2 * float(stdtr(n - 1, -t)))


def _seed_ratio(pair: Pair) -> SeedRatio:
    baseline, row = pair.baseline, pair.row
    if baseline is None or row is None or baseline.value <= 0 or row.value <= 0:
        return SeedRatio(pair.seed, None, None, None)
    ratio = baseline.value / row.value
    if baseline.censored and row.censored:
        return SeedRatio(pair.seed, None, None, None)
    if row.censored:
        return SeedRatio(pair.seed, None, None, at_most=ratio)
    if baseline.censored:
        return SeedRatio(pair.seed, None, at_least=ratio, at_most=None)
    return SeedRatio(pair.seed, ratio, None, None)


def _geometric_mean(values: Sequence[float | None]) -> float | None:
    """Null without values, or where one is null."""
    known = [log(value) for value in values if value is not None]
    return exp(fmean(known)) if known and len(known) == len(values) else None


def _exp(value: float | None) -> float | None:
    return None if value is None else exp(value)

"""Which rows are the baselines, and which of them does best and worst."""

from collections.abc import Callable, Sequence
from math import exp, inf, log
from statistics import fmean

from fedray.analysis.against import Attempts, Measure
from fedray.analysis.experiments import Experiment, find, matching

Standing = Callable[[Experiment], tuple[float, float]]  # the smaller, the better


def baselines_of(experiments: Sequence[Experiment], words: Sequence[str]) -> list[Experiment]:
    """The rows that words name, several to a word between commas; the first row without words.

    UserError if there is no such row.
    """
    if not words:
        return list(experiments[:1])
    names = [
        name
        for word in words
        for name in ([word] if matching(experiments, word) else [part.strip() for part in word.split(",")])
    ]
    found = [find(experiments, name, "--baselines") for name in names]
    return [one for number, one in enumerate(found) if one not in found[:number]]


def by_target(attempts: Attempts) -> Standing:
    """By the number of seeds that missed the target, then by the geometric mean of the seconds to it."""

    def standing(experiment: Experiment) -> tuple[float, float]:
        tried = [attempts[run.path] for run in experiment.runs]
        seconds = [one.spent.emulated_seconds for one in tried if one is not None and one.reached]
        known = all(second > 0 for second in seconds) and seconds
        return len(tried) - len(seconds), exp(fmean(map(log, seconds))) if known else inf

    return standing


def by_quality(measure: Measure) -> Standing:
    """By the number of runs without the value, then by its mean, the highest first."""

    def standing(experiment: Experiment) -> tuple[float, float]:
        known = [value for value in map(measure, experiment.runs) if value is not None]
        return len(experiment.runs) - len(known), -fmean(known) if known else inf

    return standing

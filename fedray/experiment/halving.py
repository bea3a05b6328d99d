"""Synchronous successive halving (Jamieson and Talwalkar, AISTATS 2016): rungs, survivors, the score of a trial. Pure.

All trials complete a rung before any is dropped, so the outcome depends neither on the order of the runs nor on an
interruption. ASHA and the pruners of Ray Tune and Optuna decide whenever a trial reports: what survives then depends on
which trial was first. Their trials are also not resumable as fedray's run directories. Hence these three functions
instead of a library.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, inf, isfinite
from statistics import fmean

from fedray.results import RoundRecord

JUDGED = 2  # evaluations, the latest: one alone is noise, and the best of all is what an unstable run only touched


@dataclass(frozen=True)
class Rung:
    """`trials` trials complete `rounds` rounds, counted from their first."""

    rounds: int
    trials: int


@dataclass(frozen=True)
class Score:
    """The validation score that a run holds, or -inf and why it has none."""

    value: float
    failure: str | None = None


def rungs(trials: int, rounds: int, eta: int, every: int) -> tuple[Rung, ...]:
    """The rungs by which `trials` trials become one within `rounds` rounds.

    The trials of a rung divided by `eta`, rounded up, go on, `eta` times as long; the last rung has `rounds` rounds and
    at least two trials if there are two. A rung ends with an evaluated round: its rounds are a multiple of `every`, or
    all. Of rungs of equal rounds only the first is left: a later one would see nothing new.
    """
    sizes = [trials]
    while (following := ceil(sizes[-1] / eta)) > 1:
        sizes.append(following)
    lengths = [rounds / eta**steps for steps in reversed(range(len(sizes)))]
    found: dict[int, Rung] = {}
    for size, length in zip(sizes, lengths, strict=True):
        whole = min(ceil(length / every) * every, rounds)
        found.setdefault(whole, Rung(whole, size))
    return tuple(found.values())


def survivors(scores: Sequence[float], count: int) -> tuple[int, ...]:
    """The indices of the `count` best scores, in order; of equal scores the first. -inf never survives."""
    finite = [index for index, score in enumerate(scores) if score > -inf]
    best = sorted(finite, key=lambda index: -scores[index])[:count]
    return tuple(sorted(best))


def score(records: Sequence[RoundRecord], rounds: int) -> Score:
    """The mean of the last two validation scores of a run's first `rounds` rounds; of one evaluation, that one.

    The best score would let a learning rate win that reaches it once and falls back.

    A run has diverged if its last loss is not finite, or if a round refused every update that arrived.
    """
    seen = [record for record in records if record.round <= rounds]
    judged = [(record.score, record.loss) for record in seen if record.score is not None]
    for record in seen:
        if record.rejected and record.rejected == record.participants - record.dropped:
            return Score(-inf, f"diverged: every update of round {record.round} was refused")
    if not judged:
        return Score(-inf, "no round was evaluated")
    last = judged[-1][1]
    if last is not None and not isfinite(last):
        return Score(-inf, f"diverged: the loss is {last:g}")
    return Score(fmean(value for value, _ in judged[-JUDGED:]))


def edges(best: Mapping[str, object], tried: Sequence[Mapping[str, object]]) -> dict[str, str]:
    """Numeric keys whose best value is the `smallest` or the `largest` tried: the grid may be too narrow there."""
    found = {}
    for key, value in best.items():
        values = {point[key] for point in tried}
        numbers = {one for one in values if isinstance(one, int | float) and not isinstance(one, bool)}
        if len(numbers) == len(values) > 1 and value in (min(numbers), max(numbers)):
            found[key] = "smallest" if value == min(numbers) else "largest"
    return found

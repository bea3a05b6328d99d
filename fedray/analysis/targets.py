"""Targets: what a run has to reach, whether it did, and what it had spent by then."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from fedray.analysis.criteria import HOLD, SHARE, Criteria
from fedray.analysis.experiments import Experiment, MeasuredRun, Spent, find
from fedray.errors import UserError
from fedray.results import reached

PLATEAU = 1 / 3  # of a run's evaluations, the last ones
FEWEST = 3  # evaluations of a plateau


@dataclass(frozen=True)
class TargetRule:
    """Where targets come from: `score` for all runs, or `share` of the plateau of the row `of`, by seed.

    A target is reached at the first of `hold` evaluations in a row that reach it.
    """

    score: float | None
    of: str | None
    share: float | None
    hold: int


@dataclass(frozen=True)
class Attempt:
    """A run on its way to a target: what it had spent when it reached it.

    Where it was not reached, the cost is a lower bound: all that the run spent, or what it had spent
    when the evaluations began that reached the target up to the run's end, too few to hold it.
    """

    score: float
    reached: bool
    spent: Spent


@dataclass(frozen=True)
class Aims:
    """The rule and every run's target by its path; a run has none where the row of the rule lacks its seed."""

    rule: TargetRule
    scores: Mapping[str, float]

    def attempt(self, run: MeasuredRun) -> Attempt | None:
        """How a run fared; None without a target. A run without a round missed it, having spent nothing."""
        score = self.scores.get(run.path)
        if score is None:
            return None
        if not run.rounds:
            return Attempt(score, False, Spent(0, 0.0, 0, 0.0))
        found = reached(run.rounds, score, self.rule.hold)
        by = found.round if found else _unfinished(run, score)
        return Attempt(score, found is not None, run.spent[by - 1])


def aims_of(experiments: Sequence[Experiment], criteria: Criteria) -> Aims | None:
    """The targets that the criteria set; None where they set none and the runs do not agree on one of their own.

    Raises
    ------
    UserError
        if there is no such row, none of its runs has a plateau, or a run has evaluations without scores.
    """
    runs = [run for one in experiments for run in one.runs]
    if criteria.target_of is not None:
        reference = find(experiments, criteria.target_of, "--target-of")
        share = SHARE if criteria.share is None else criteria.share
        plateaus = {run.seed: plateau([score for score, _, _ in run.scored]) for run in reference.runs}
        known = {seed: share * level for seed, level in plateaus.items() if level is not None}
        if not known:
            raise UserError(f"--target-of: {reference.label} has fewer than {FEWEST} evaluations, so it has no plateau")
        rule = TargetRule(None, reference.label, share, criteria.hold or HOLD)
        scores = {run.path: known[run.seed] for run in runs if run.seed in known}
    else:
        own = {run.settings.stop for run in runs}
        stop = own.pop() if len(own) == 1 else None
        if criteria.target is not None:
            rule = TargetRule(criteria.target, None, None, criteria.hold or HOLD)
        elif stop is not None:
            rule = TargetRule(stop.target, None, None, criteria.hold or stop.hold)
        else:
            return None
        scores = {run.path: rule.score for run in runs if rule.score is not None}
    for run in runs:
        _ = run.scored  # a run without scores would look like one that missed
    return Aims(rule, scores)


def plateau(scores: Sequence[float]) -> float | None:
    """The mean of the last third of the scores, rounded up, and of at least three; None below three."""
    last = max(FEWEST, ceil(PLATEAU * len(scores)))
    return sum(scores[-last:]) / last if len(scores) >= FEWEST else None


def _unfinished(run: MeasuredRun, score: float) -> int:
    """The round of the first of the evaluations that reach a score up to the run's end, else its last round."""
    first = len(run.rounds)
    for value, record, _ in reversed(run.scored):
        if value < score:
            break
        first = record.round
    return first

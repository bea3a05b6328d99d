"""Rows against a baseline, paired by seed: ratios of what they spent, differences of what they reached."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fedray.analysis.experiments import Experiment, MeasuredRun, final_primary
from fedray.analysis.statistics import (
    Observed,
    Pair,
    PairedDifference,
    PairedRatio,
    corrected,
    paired_difference,
    paired_ratio,
)
from fedray.analysis.targets import Attempt

Attempts = Mapping[str, Attempt | None]  # by the run's path
Measure = Callable[[MeasuredRun], float | None]


@dataclass(frozen=True)
class TargetRatios:
    """What the baseline spent to the target over what the row spent; `seconds` is the speed-up.

    The speed-up is the product of `seconds_per_round` and `rounds`, both up to the target: cheaper rounds and fewer
    rounds. The same holds for bytes.
    """

    seconds: PairedRatio
    seconds_per_round: PairedRatio
    rounds: PairedRatio
    bytes: PairedRatio
    bytes_per_round: PairedRatio
    joules: PairedRatio


@dataclass(frozen=True)
class RoundRatios:
    """What a round of the baseline costs over what one of the row costs, in the mean over each run's own rounds."""

    seconds: PairedRatio
    bytes: PairedRatio
    joules: PairedRatio


@dataclass(frozen=True)
class Against:
    """A row against one baseline; p-values are corrected over all rows compared with it, for each figure by itself.

    `final_accuracy` is a difference of test accuracies, or of the primary metric of a task without accuracy.
    `to_target` is null where no ratio may be given: without a target, or with one that the majority baseline reaches.
    `within` has an entry per budget.
    """

    baseline: str
    final_accuracy: PairedDifference
    per_round: RoundRatios
    to_target: TargetRatios | None
    within: tuple[PairedDifference, ...]


def against(
    baseline: Experiment,
    rows: Sequence[Experiment],
    attempts: Attempts | None,
    qualities: Sequence[Measure],
) -> dict[str, Against]:
    """Every other row against the baseline, by its label.

    Without `attempts` there are no ratios to a target; `qualities` are the figures by budget.
    """
    others = [row for row in rows if row is not baseline]
    final = differences(baseline, others, final_primary)
    within = [differences(baseline, others, quality) for quality in qualities]
    rounds = _round_ratios(baseline, others)
    targets: Sequence[TargetRatios | None] = [None] * len(others)
    if attempts is not None:
        targets = _target_ratios(baseline, others, attempts)
    return {
        row.label: Against(baseline.label, final[i], rounds[i], targets[i], tuple(found[i] for found in within))
        for i, row in enumerate(others)
    }


def differences(baseline: Experiment, rows: Sequence[Experiment], measure: Measure) -> list[PairedDifference]:
    """Row minus baseline for every row, with Holm's correction over them."""
    found = []
    for row in rows:
        common, unpaired = _paired(baseline, row)
        pairs = [(measure(theirs), measure(mine)) for theirs, mine in common]
        found.append(paired_difference(pairs, unpaired))
    return corrected(found)


def _target_ratios(baseline: Experiment, rows: Sequence[Experiment], attempts: Attempts) -> list[TargetRatios]:
    def ratios(amount: Callable[[Attempt], float], by_round: bool = False) -> list[PairedRatio]:
        def observed(run: MeasuredRun) -> Observed | None:
            attempt = attempts[run.path]
            if attempt is None:
                return None
            if not by_round:
                return Observed(amount(attempt), not attempt.reached)
            if not attempt.reached:  # what its rounds cost bounds nothing
                return Observed(0.0, censored=True)
            return Observed(amount(attempt) / attempt.spent.round)

        return _ratios(baseline, rows, observed)

    columns = (
        ratios(lambda attempt: attempt.spent.emulated_seconds),
        ratios(lambda attempt: attempt.spent.emulated_seconds, by_round=True),
        ratios(lambda attempt: attempt.spent.round),
        ratios(lambda attempt: attempt.spent.bytes),
        ratios(lambda attempt: attempt.spent.bytes, by_round=True),
        ratios(lambda attempt: attempt.spent.joules),
    )
    return [TargetRatios(*found) for found in zip(*columns, strict=True)]


def _round_ratios(baseline: Experiment, rows: Sequence[Experiment]) -> list[RoundRatios]:
    def ratios(amount: Callable[[MeasuredRun], float]) -> list[PairedRatio]:
        def observed(run: MeasuredRun) -> Observed | None:
            return Observed(amount(run) / len(run.rounds)) if run.rounds else None

        return _ratios(baseline, rows, observed)

    columns = (
        ratios(lambda run: run.summary.emulated_seconds),
        ratios(lambda run: run.summary.bytes_up + run.summary.bytes_down),
        ratios(lambda run: run.summary.energy_joules),
    )
    return [RoundRatios(*found) for found in zip(*columns, strict=True)]


def _ratios(
    baseline: Experiment, rows: Sequence[Experiment], observed: Callable[[MeasuredRun], Observed | None]
) -> list[PairedRatio]:
    found = []
    for row in rows:
        common, unpaired = _paired(baseline, row)
        pairs = [Pair(mine.seed, observed(theirs), observed(mine)) for theirs, mine in common]
        found.append(paired_ratio(pairs, unpaired))
    return corrected(found)


def _paired(baseline: Experiment, row: Experiment) -> tuple[list[tuple[MeasuredRun, MeasuredRun]], int]:
    """(baseline's run, row's run) of every seed that both have, and how many of the row's the baseline lacks."""
    common = [(theirs, mine) for mine in row.runs if (theirs := baseline.of_seed(mine.seed)) is not None]
    return common, len(row.runs) - len(common)

"""A tuning: its runs while they go on, and what every trial scored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from fedray.display.sweep import BatchDisplay, Row
from fedray.display.tables import share, table
from fedray.results import RoundRecord
from fedray.results.metric import MetricValue
from fedray.results.tuning_record import MethodRecord, TrialRecord, TuningRecord

if TYPE_CHECKING:  # tables of files must not wait for torch and Ray
    from fedray.experiment.halving import Rung, Score
    from fedray.runtime.batch import SweptRun
    from fedray.runtime.tuning import Tuning


class TuningDisplay(BatchDisplay):
    """Follows a tuning as a sweep is followed; a run is judged by its score on the validation examples."""

    measure = "validation"
    rounds = 0  # of all runs to the end of their rungs, if none fails
    heading = ""

    def opened(self, tuning: Tuning) -> None:
        rungs, seeds = tuning.rungs, tuning.record.seeds
        begins = [0, *(rung.rounds for rung in rungs[:-1])]
        trials = sum(rung.trials * (rung.rounds - begin) for rung, begin in zip(rungs, begins, strict=True))
        self.rounds = len(tuning.methods) * len(seeds) * trials
        self.rows = {run.name: Row(run.name, rungs[0].rounds, round=run.rounds) for run in tuning.runs}
        numbers = ", ".join(map(str, seeds))
        climb = " → ".join(f"{rung.trials} for {rung.rounds} rounds" for rung in rungs)
        self._say(
            f"tuning {', '.join(method.method for method in tuning.methods)} on the validation examples with "
            f"seed{'s' * (len(seeds) > 1)} {numbers}; trials of each: {climb}; results in {tuning.folder}"
        )
        if self.console.is_terminal and not self.quiet:
            self.live.start()

    def climbed(self, method: str, rung: Rung, runs: Sequence[SweptRun]) -> None:
        """A rung of a method begins with these runs; those that are not among them have been dropped."""
        names = {run.name for run in runs}
        for row in self.rows.values():
            if row.name in names:
                row.rounds, row.status = rung.rounds, "complete" if row.round >= rung.rounds else "waiting"
            elif row.status == "complete" and row.rounds < rung.rounds and method == self.heading:
                row.status = "dropped"
        self.heading = method

    def judged(self, run: SweptRun, judged: Score) -> None:
        """The score of a run at the end of a rung."""
        row = self.rows[run.name]
        row.measured = None if judged.failure else judged.value
        if judged.failure and row.status != "failed":
            row.status = "failed"
            self.console.print(f"{run.name} {judged.failure}", highlight=False, soft_wrap=True, markup=False)

    def measured(self, record: RoundRecord) -> MetricValue | None:
        return None if record.score is None else MetricValue(self.measure, record.score)

    def _left(self) -> str:
        left = self.rounds - sum(row.round for row in self.rows.values())
        return f"  left {self._estimate(left)}" if left > 0 and self.done else ""


def tuning_tables(record: TuningRecord) -> Iterator[Table]:
    """A table for every method: its trials with their score at the end of each rung."""
    for method in record.methods:
        columns = [f"{rung.rounds} rounds" for rung in record.rungs]
        title = f"{method.method}: mean of the last two validation scores after"
        made = table(title, [*map(_short, record.grid)], [*columns, ""])
        for trial in method.trials:
            scores = [*map(share, trial.scores), *("" for _ in columns[len(trial.scores) :])]
            words = [f"{trial.values[key]}" for key in record.grid]
            made.add_row(*words, *scores, _outcome(method, trial, len(columns)))
        yield made


def tuning_notes(record: TuningRecord) -> Iterator[str]:
    """One line for everything that its user should know, and how to go on."""
    for method in record.methods:
        for key, edge in method.edges.items():
            value = method.chosen[key] if method.chosen else None
            yield f"warning: {method.method}: {key} {value} is the {edge} of the grid; widen it to look further"
        if method.chosen is None:
            yield f"{method.method}: no trial has a score"
    files = [method.scenario for method in record.methods if method.scenario]
    if files:
        yield f"compare with other seeds: fedray sweep {' '.join(files)} --seeds 1,2,3"


def _short(key: str) -> str:
    return key.rpartition(".")[2]


def _outcome(method: MethodRecord, trial: TrialRecord, rungs: int) -> str:
    if trial.failure:
        return "no score"
    if method.chosen == trial.values:
        return "chosen"
    return "" if len(trial.scores) == rungs else "dropped"

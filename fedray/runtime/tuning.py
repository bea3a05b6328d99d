"""Tuning: the best values of a grid for each method, by successive halving on the validation examples."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from statistics import fmean
from typing import Protocol

from fedray.experiment.halving import Rung, Score, edges, score, survivors
from fedray.experiment.tuned import TunedScenario
from fedray.results.tuning_record import MethodRecord, TrialRecord, TuningRecord, write_tuning
from fedray.runtime.batch import BatchCallback, BatchProgress, SweptRun, run_each
from fedray.runtime.driver import share_of, shared_session
from fedray.runtime.session import Cluster

FILE = "tune.json"


@dataclass(frozen=True)
class Trial:
    """One point of the grid for one method: a run for every tuning seed, and the scenario it would become."""

    values: Mapping[str, object]
    runs: tuple[SweptRun, ...]
    scenario: TunedScenario


@dataclass(frozen=True)
class MethodTrials:
    """All trials of a method, the smallest learning rate first; `output` is where its tuned scenario goes."""

    method: str
    trials: tuple[Trial, ...]
    output: Path


@dataclass(frozen=True)
class Tuning:
    """Everything a tuning does, checked and prepared; `record` is what tune.json says at first."""

    folder: Path
    record: TuningRecord
    rungs: tuple[Rung, ...]
    methods: tuple[MethodTrials, ...]

    @property
    def runs(self) -> tuple[SweptRun, ...]:
        return tuple(run for method in self.methods for trial in method.trials for run in trial.runs)

    @property
    def file(self) -> Path:
        return self.folder / FILE


class TuningWatcher(BatchCallback, Protocol):
    """Callback for a tuning, and for each of its runs."""

    def opened(self, tuning: Tuning) -> None:
        """All runs are valid; none has begun."""

    def climbed(self, method: str, rung: Rung, runs: Sequence[SweptRun]) -> None:
        """A rung of a method begins, with these runs."""

    def judged(self, run: SweptRun, judged: Score) -> None:
        """The score of a run at the end of a rung."""


def run_tuning(tuning: Tuning, address: str | None, callback: TuningWatcher) -> TuningRecord:
    """Do what is left of a tuning and write the tuned scenarios.

    Raises
    ------
    UserError
        if there is no such cluster, it is too small for one of the runs, or a file or port cannot be used.
    RunInterruptedError
        on Ctrl-C; completed rounds are kept.
    """
    callback.opened(tuning)
    with ExitStack() as stack:
        return _Halving(tuning, address, callback, stack).all_methods()


class _Halving:
    """Responsibilities: climb the rungs method by method, keep tune.json true, open Ray when the first run needs it."""

    def __init__(self, tuning: Tuning, address: str | None, callback: TuningWatcher, stack: ExitStack) -> None:
        self.tuning = tuning
        self.address = address
        self.callback = callback
        self.stack = stack
        self.cluster: Cluster | None = None
        self.record = tuning.record
        self.complete = 0  # runs that reached the end of a rung
        self.failures: dict[str, str] = {}  # by the run's name
        self.began: set[str] = {run.name for run in tuning.runs if run.begun}
        self.rounds = {run.name: run.rounds for run in tuning.runs}

    def all_methods(self) -> TuningRecord:
        for number, method in enumerate(self.tuning.methods):
            self._replace(number, self._tuned(number, method))
        return self.record

    def _tuned(self, number: int, method: MethodTrials) -> MethodRecord:
        """A method after its last rung, its tuned scenario written."""
        left = tuple(range(len(method.trials)))
        scores: dict[int, list[float]] = {index: [] for index in left}
        for rung, following in zip(self.tuning.rungs, [*self.tuning.rungs[1:], None], strict=True):
            self._climb(method, rung, [run for index in left for run in method.trials[index].runs])
            for index in left:
                scores[index].append(self._score(method.trials[index], rung))
            count = following.trials if following else 1
            best = survivors([scores[index][-1] for index in left], count)
            left = tuple(left[place] for place in best)
            self._replace(number, self._written(method, scores))
        record = self._written(method, scores)
        if not left:
            return record
        winner, value = method.trials[left[0]], scores[left[0]][-1]
        winner.scenario.write(method.output, value)
        tried = [trial.values for trial in method.trials]
        return replace(
            record,
            chosen=winner.values,
            score=value,
            edges=edges(winner.values, tried),
            scenario=str(method.output),
        )

    def _climb(self, method: MethodTrials, rung: Rung, runs: Sequence[SweptRun]) -> None:
        """Bring runs to the end of a rung."""
        self.callback.climbed(method.method, rung, runs)
        left = [run for run in runs if not run.complete and self.rounds[run.name] < rung.rounds]
        self.complete += len(runs) - len(left)
        if not left:
            return
        again = [replace(run, begun=run.name in self.began) for run in left]
        progress = BatchProgress(self.complete, self._planned, self.tuning.folder)
        failed = run_each(self._ray(), again, self.callback, progress, rung.rounds)
        self.failures.update({name: f"failed: {reason.splitlines()[0]}" for name, reason in failed.items()})
        self.began.update(run.name for run in left)
        self.complete += len(left)

    def _score(self, trial: Trial, rung: Rung) -> float:
        """The mean over the seeds; -inf if a run diverged or failed."""
        found = []
        for run in trial.runs:
            reason = self.failures.get(run.name)
            judged = Score(-inf, reason) if reason else score(run.directory.rounds(), rung.rounds)
            if judged.failure:
                self.failures[run.name] = judged.failure
            self.callback.judged(run, judged)
            found.append(judged.value)
        return fmean(found)

    def _written(self, method: MethodTrials, scores: Mapping[int, Sequence[float]]) -> MethodRecord:
        """What tune.json says of a method that has climbed so far."""
        trials = []
        for index, trial in enumerate(method.trials):
            failed = [f"{run.name} {self.failures[run.name]}" for run in trial.runs if run.name in self.failures]
            known = [value if value > -inf else None for value in scores[index]]
            trials.append(TrialRecord(trial.values, [run.name for run in trial.runs], known, "; ".join(failed) or None))
        return MethodRecord(method.method, trials, None, None, {}, None)

    def _replace(self, number: int, method: MethodRecord) -> None:
        methods = [*self.record.methods]
        methods[number] = method
        self.record = replace(self.record, methods=methods)
        write_tuning(self.tuning.file, self.record)

    def _ray(self) -> Cluster:
        """Ray, once every run has room on it and tune.json says what will be done."""
        if self.cluster is None:
            scenarios = [run.experiment.scenario for run in self.tuning.runs]
            self.cluster = self.stack.enter_context(shared_session(self.address, scenarios))
            for run in self.tuning.runs:
                share_of(run.experiment, self.cluster)
            write_tuning(self.tuning.file, self.record)
        return self.cluster

    @property
    def _planned(self) -> int:
        """Runs over all rungs."""
        seeds = len(self.tuning.record.seeds)
        return len(self.tuning.methods) * seeds * sum(rung.trials for rung in self.tuning.rungs)

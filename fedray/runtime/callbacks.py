"""Several callbacks that act as one."""

from collections.abc import Sequence

from fedray.experiment.experiment import Experiment
from fedray.results import Progress, RoundRecord, RunDirectory, Summary
from fedray.runtime.batch import SweptRun
from fedray.runtime.coordinator_actor import RunStart
from fedray.runtime.driver import RunCallback
from fedray.runtime.sweep import Sweep, SweepCallback


class RunCallbacks(RunCallback):
    """Calls each of some callbacks of a run, in order."""

    def __init__(self, callbacks: Sequence[RunCallback]) -> None:
        self.callbacks = callbacks

    def started(self, experiment: Experiment, directory: RunDirectory, start: RunStart) -> None:
        for callback in self.callbacks:
            callback.started(experiment, directory, start)

    def progressed(self, progress: Progress) -> None:
        for callback in self.callbacks:
            callback.progressed(progress)

    def completed(self, record: RoundRecord) -> None:
        for callback in self.callbacks:
            callback.completed(record)


class SweepCallbacks(RunCallbacks, SweepCallback):
    """Calls each of some callbacks of a sweep, in order."""

    def __init__(self, callbacks: Sequence[SweepCallback]) -> None:
        super().__init__(callbacks)
        self.of_sweep = callbacks

    def opened(self, sweep: Sweep) -> None:
        for callback in self.of_sweep:
            callback.opened(sweep)

    def began(self, run: SweptRun) -> None:
        for callback in self.of_sweep:
            callback.began(run)

    def ended(self, run: SweptRun, summary: Summary) -> None:
        for callback in self.of_sweep:
            callback.ended(run, summary)

    def failed(self, run: SweptRun, reason: str) -> None:
        for callback in self.of_sweep:
            callback.failed(run, reason)

"""The Ray actor around a coordinator."""

import gc
from dataclasses import dataclass

import ray

from fedray.experiment.experiment import Experiment
from fedray.results import Progress, RoundRecord, RunDirectory, Status, Summary
from fedray.runtime.coordinator import Coordinator, open_coordinator
from fedray.runtime.execution.host_pool import HostResources


@dataclass(frozen=True)
class RunStart:
    """The start of a run: rounds completed before, and the metrics URL, if metrics are served."""

    records: tuple[RoundRecord, ...]
    metrics_url: str | None


class CoordinatorActor:
    """Answers calls while a round runs; `open` is a call because Ray hides the errors of an actor's constructor."""

    def open(self, experiment: Experiment, directory: RunDirectory, resources: HostResources, resume: bool) -> RunStart:
        """Make the coordinator; UserError as from `open_coordinator`."""
        self.coordinator: Coordinator = open_coordinator(experiment, directory, resources, resume)
        gc.freeze()  # what a run starts with is not garbage: collecting would visit it for every few thousand devices
        return RunStart(self.coordinator.run_state.records, self.coordinator.publisher.url)

    def run_round(self) -> RoundRecord:
        """The next round."""
        return self.coordinator.run_round()

    @ray.method(concurrency_group="watch")
    def progress(self) -> Progress:
        """Progress of the current round; answered while it runs."""
        return self.coordinator.progress

    @ray.method(concurrency_group="watch")
    def conclude(self, status: Status) -> Summary:
        """Write the summary and the adapter of the completed rounds, and end; a round in progress no longer counts."""
        return self.coordinator.conclude(status)

"""The hosts of a run at work: one executor per round, evaluation, and the progress of the current round."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from threading import Lock
from typing import Any

import ray

from fedray.experiment.aggregation_schedule import RoundStep
from fedray.experiment.experiment import Experiment
from fedray.learning.evaluation import combine_sets, every_block
from fedray.learning.tasks import Score
from fedray.methods import Method
from fedray.protocol import ServerState
from fedray.results import Progress
from fedray.runtime.execution.host_pool import HostPool, HostResources, cut
from fedray.runtime.execution.messages import HostConfig
from fedray.runtime.execution.round_executor import RoundExecutor, VirtualExecutor, WallExecutor
from fedray.runtime.heads import LocalHeads
from fedray.runtime.wallclock import WallClock


class Execution:
    """Responsibilities: own the hosts; give each round the executor of the run's clock; say how far it is."""

    def __init__(
        self,
        experiment: Experiment,
        method: Method[Any],
        resources: HostResources,
        rounds_completed: int,
        report: Callable[[Progress], None],
    ) -> None:
        """Start the hosts. `report` is called when the current round has progressed."""
        clock = experiment.scenario.runtime.clock
        host_config = HostConfig(
            shape=experiment.backbone.shape,
            head=experiment.scenario.model.head,
            assets=experiment.assets(experiment.build_method().adapter()),  # the largest, also in a resumed run
            clock=clock,
        )
        self.method = method
        self.hosts = HostPool(host_config, resources)
        self.wall = WallClock(experiment, self.hosts.calibrate(), resources.processors) if clock == "wall" else None
        self._report = report
        self._progress = Progress(rounds_completed, 0, 0, 0)
        self._counting = Lock()
        self._current: RoundExecutor | None = None

    @property
    def progress(self) -> Progress:
        """Progress of the current round."""
        passed = self._current.passed if self._current else None
        return replace(self._progress, hosts_lost=self.hosts.deaths, passed=passed)

    def begin(self, step: RoundStep, heads: LocalHeads | None) -> RoundExecutor:
        """The executor of a round that begins now."""
        if self.wall is None:
            executor: RoundExecutor = VirtualExecutor(self.hosts, self.method, step, heads, self._count)
        else:
            plan = self.wall.plan(step.plan, step.schedule)
            executor = WallExecutor(self.hosts, self.method, step, heads, self._count, plan)
        self._current = executor
        self._progress = Progress(step.start.round, 0, executor.planned, 0)
        self._report(self.progress)
        return executor

    def evaluate(self, state: ServerState) -> Mapping[str, Score]:
        """The score of a server state on every held-out set, by split; empty for a task without data."""
        assets = self.hosts.host_config.assets
        if assets is None:
            return {}
        values = ray.put(state.values)
        parts = cut(every_block(assets.held_out), self.hosts.resources.hosts, 1)
        answers = self.hosts.map("evaluate", [(state.spec, values, part) for part in parts])
        return combine_sets(assets.task, assets.held_out, [score for answer in answers for score in answer])

    def _count(self, trained: int) -> None:
        with self._counting:
            self._progress = replace(self._progress, trained=self._progress.trained + trained)
            self._report(self.progress)

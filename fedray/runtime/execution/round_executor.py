"""A round's work, cut into chunks for the hosts and gathered again."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Lock
from typing import Any

import ray

from fedray.adapters import AdapterSpec, layout_of
from fedray.experiment.aggregation_schedule import Step
from fedray.learning.evaluation import Score, combine_sets, every_block
from fedray.methods import Method
from fedray.protocol import Assignment, ServerState
from fedray.results import Progress
from fedray.runtime.execution.host_pool import HostPool, cut
from fedray.runtime.execution.messages import Chunk, RoundResult, combine_inner_rounds, merge_results
from fedray.runtime.heads import LocalHeads
from fedray.runtime.wallclock import WallClockPlan
from fedray.scenario.schema import Corruption

CHUNKS_PER_HOST = 4  # pieces a round is cut into: enough to even out, few enough to keep folds rare


class RoundExecutor:
    """Responsibilities: put each adapter into the object store once, spread devices over hosts, count who is done."""

    def __init__(self, hosts: HostPool, rounds_completed: int, tell: Callable[[Progress], None]) -> None:
        """`tell` is called when the current round has progressed."""
        self.hosts = hosts
        self._tell = tell
        self._progress = Progress(rounds_completed, 0, 0, 0)
        self._began = 0.0  # of the current round
        self._pacing: WallClockPlan | None = None
        self._counting = Lock()

    @property
    def progress(self) -> Progress:
        """Progress of the current round."""
        passed = self._pacing.share_passed(time.monotonic() - self._began) if self._pacing else None
        return replace(self._progress, hosts_lost=self.hosts.deaths, passed=passed)

    def train(
        self,
        round_: int,
        step: Step,
        method: Method[Any],
        heads: LocalHeads | None,
        wall_plan: WallClockPlan | None,
    ) -> RoundResult:
        """Carry out a round's plan, each group from its server state: its inner rounds, on its own.

        After each inner round but the last a group continues from its members' aggregate; the result holds the last.
        On the wall, groups go on at the same time, and devices that will not finish set out, too.
        """
        assignments = list(step.plan.assignments) if wall_plan else step.schedule.finishing(step.plan)
        inner_rounds = {group.id: group.inner_rounds for group in step.plan.groups}
        planned = sum(inner_rounds[assignment.group] for assignment in assignments)
        self._progress = Progress(round_, 0, planned, 0)
        self._began, self._pacing = time.monotonic(), wall_plan
        self._tell(self.progress)
        fold = ray.put(method.fold())

        def inner(some: Sequence[Assignment]) -> RoundResult:
            return self._inner_rounds(round_, step, some, inner_rounds, method, fold, heads, wall_plan)

        if wall_plan is None:
            return inner(assignments)
        groups = [[one for one in assignments if one.group == group] for group in inner_rounds]
        with ThreadPoolExecutor(len(groups) or 1) as own_times:
            return merge_results(list(own_times.map(inner, filter(None, groups))))

    def _inner_rounds(
        self,
        round_: int,
        step: Step,
        assignments: Sequence[Assignment],
        inner_rounds: Mapping[int, int],
        method: Method[Any],
        fold: ray.ObjectRef,
        heads: LocalHeads | None,
        wall_plan: WallClockPlan | None,
    ) -> RoundResult:
        """Some groups' members through all of their inner rounds; virtual time does not mind who waits for whom."""
        states = dict(step.bases)
        results: list[RoundResult] = []
        for part in range(max((inner_rounds[one.group] for one in assignments), default=0)):
            going_on = [one for one in assignments if inner_rounds[one.group] > part]
            if wall_plan and part:
                going_on = [one for one in going_on if wall_plan.targets[one.device].gets_through]
            going_on.sort(key=lambda assignment: assignment.group)  # a group on few hosts, so that folds are few
            parts = {group: (part, of) for group, of in inner_rounds.items()}
            result = self._carry_out(round_, states, going_on, parts, step.schedule.corruptions, fold, heads, wall_plan)
            for group, members in result.folds.items():
                if inner_rounds[group] > part + 1:
                    states[group] = method.apply(states[group], members.result())
            heads = heads.replaced(result.heads) if heads else None
            results.append(result)
        return combine_inner_rounds(results)

    def _carry_out(
        self,
        round_: int,
        states: Mapping[int, ServerState],
        assignments: Sequence[Assignment],
        parts: Mapping[int, tuple[int, int]],
        corruptions: Mapping[int, Corruption],
        fold: ray.ObjectRef,
        heads: LocalHeads | None,
        wall_plan: WallClockPlan | None,
    ) -> RoundResult:
        """Some assignments, each from the state of its group and for its group's part of the local steps."""
        shape = self.hosts.host_config.shape
        adapters: dict[tuple[int, AdapterSpec], ray.ObjectRef] = {}
        for group, spec in {(assignment.group, assignment.spec) for assignment in assignments}:
            state = states[group]
            places = layout_of(shape, state.spec).positions_of(layout_of(shape, spec))
            adapters[group, spec] = ray.put(state.values[places])
        chunks = [
            Chunk(
                round=round_,
                assignments=tuple(some),
                parts=tuple(parts[a.group] for a in some),
                corruptions=tuple(corruptions.get(a.device) for a in some),
                fold=fold,
                adapters={key: adapters[key] for key in {(a.group, a.spec) for a in some}},
                heads=heads.of([a.device for a in some]) if heads else None,
                targets=tuple(wall_plan.targets[a.device].part_of(parts[a.group][1]) for a in some)
                if wall_plan
                else None,
                dilation=wall_plan.dilation if wall_plan else 1.0,
            )
            for some in cut(assignments, self.hosts.resources.hosts, 1 if wall_plan else CHUNKS_PER_HOST)
        ]

        def count(index: int) -> None:
            with self._counting:
                trained = self._progress.trained + len(chunks[index].assignments)
                self._progress = replace(self._progress, trained=trained)
                self._tell(self.progress)

        return merge_results(self.hosts.map("train", [(chunk,) for chunk in chunks], count))

    def evaluate(self, state: ServerState) -> Mapping[str, Score]:
        """The score of a server state on every held-out set, by split; empty for a task without data."""
        assets = self.hosts.host_config.assets
        if assets is None:
            return {}
        values = ray.put(state.values)
        parts = cut(every_block(assets.held_out), self.hosts.resources.hosts, 1)
        answers = self.hosts.map("evaluate", [(state.spec, values, part) for part in parts])
        return combine_sets(assets.held_out, [score for answer in answers for score in answer], assets.recipe.labels)

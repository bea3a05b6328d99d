"""Carrying a round out on the hosts: chunks of assignments, adapters in the object store, inner rounds of groups."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import ray

from fedray.adapters import AdapterSpec, layout_of
from fedray.experiment.aggregation_schedule import RoundStep
from fedray.methods import Method
from fedray.protocol import Assignment, Cohort, ServerState
from fedray.results import WallClockStats
from fedray.runtime.execution.host_pool import HostPool, cut
from fedray.runtime.execution.messages import Chunk, RoundResult, combine_inner_rounds, merge_results
from fedray.runtime.heads import LocalHeads
from fedray.runtime.wallclock import WallClockPlan

CHUNKS_PER_HOST = 4  # pieces a round is cut into: enough to even out, few enough to keep folds rare


class RoundExecutor(ABC):
    """Responsibilities: have the assignments of one round trained, each cohort from its state, and count who is done.

    After each inner round but the last a group continues from its members' aggregate; the result holds the last.
    """

    dilation: float | None = None  # wall seconds per emulated second, where emulated time is enforced
    chunks_per_host = CHUNKS_PER_HOST

    def __init__(
        self,
        hosts: HostPool,
        method: Method[Any],
        step: RoundStep,
        heads: LocalHeads | None,
        trained: Callable[[int], None],
    ) -> None:
        """`trained` is called with a number of assignments that have been trained."""
        self.hosts = hosts
        self.method = method
        self.step = step
        self.heads = heads
        self.trained = trained
        self.fold = ray.put(method.fold())
        self.inner_rounds = {group.id: group.inner_rounds for group in step.plan.groups}

    @property
    @abstractmethod
    def assignments(self) -> Sequence[Assignment]:
        """Those that are carried out."""

    @abstractmethod
    def train(self) -> RoundResult:
        """Carry the round out."""

    @property
    def planned(self) -> int:
        """Trainings to come, one per assignment and inner round."""
        return sum(self.inner_rounds[assignment.group] for assignment in self.assignments)

    @property
    def passed(self) -> float | None:
        """The share of the round's planned time that is over, where emulated time is enforced."""
        return None

    def stats(self, result: RoundResult) -> WallClockStats | None:
        """What the round took on the wall, where emulated time is enforced."""
        return None

    def train_groups(self, assignments: Sequence[Assignment]) -> RoundResult:
        """Some groups' members through all of their inner rounds."""
        states = {one.cohort: self.step.bases[one.base_version] for one in assignments}
        heads, results = self.heads, list[RoundResult]()
        for part in range(max((self.inner_rounds[one.group] for one in assignments), default=0)):
            going_on = [one for one in assignments if self.inner_rounds[one.group] > part and self.goes_on(one, part)]
            going_on.sort(key=lambda assignment: assignment.cohort)  # a cohort on few hosts, so that folds are few
            result = self._carry_out(part, states, going_on, heads)
            for cohort, members in result.folds.items():
                if self.inner_rounds[cohort.group] > part + 1:
                    states[cohort] = self.method.apply(states[cohort], members.result())
            heads = heads.replaced(result.heads) if heads else None
            results.append(result)
        return combine_inner_rounds(results)

    def goes_on(self, assignment: Assignment, part: int) -> bool:
        """Whether a device takes part in an inner round, counted from 0."""
        return True

    def chunk(
        self, part: int, assignments: Sequence[Assignment], adapters: Mapping[Any, Any], heads: LocalHeads | None
    ) -> Chunk:
        """What a host is sent: some assignments of an inner round."""
        corruptions = self.step.schedule.corruptions
        return Chunk(
            round=self.step.start.round,
            assignments=tuple(assignments),
            parts=tuple((part, self.inner_rounds[one.group]) for one in assignments),
            corruptions=tuple(corruptions.get(one.device) for one in assignments),
            fold=self.fold,
            adapters=adapters,
            heads=heads.of([one.device for one in assignments]) if heads else None,
        )

    def _carry_out(
        self,
        part: int,
        states: Mapping[Cohort, ServerState],
        assignments: Sequence[Assignment],
        heads: LocalHeads | None,
    ) -> RoundResult:
        pieces = cut(assignments, self.hosts.resources.hosts, self.chunks_per_host)
        kinds = [{(one.cohort, one.spec) for one in _distinct(piece)} for piece in pieces]
        adapters = {kind: self._put(states[kind[0]], kind[1]) for kind in set().union(*kinds)}
        chunks = [
            self.chunk(part, piece, {kind: adapters[kind] for kind in mine}, heads)
            for piece, mine in zip(pieces, kinds, strict=True)
        ]
        results = self.hosts.map(
            "train", [(chunk,) for chunk in chunks], lambda index: self.trained(len(chunks[index].assignments))
        )
        return merge_results(results)

    def _put(self, state: ServerState, spec: AdapterSpec) -> ray.ObjectRef:
        """The part of a state that a spec holds, in the object store."""
        shape = self.hosts.host_config.shape
        places = layout_of(shape, state.spec).positions_of(layout_of(shape, spec))
        return ray.put(state.values[places])


class VirtualExecutor(RoundExecutor):
    """Devices train as fast as the machine can; only those whose updates arrive are trained."""

    @property
    def assignments(self) -> Sequence[Assignment]:
        return self.step.schedule.finishing(self.step.plan)

    def train(self) -> RoundResult:
        return self.train_groups(self.assignments)


class WallExecutor(RoundExecutor):
    """Devices are held to their time; groups go on at the same time, and devices that will not finish set out too."""

    chunks_per_host = 1

    def __init__(
        self,
        hosts: HostPool,
        method: Method[Any],
        step: RoundStep,
        heads: LocalHeads | None,
        trained: Callable[[int], None],
        wall_plan: WallClockPlan,
    ) -> None:
        super().__init__(hosts, method, step, heads, trained)
        self.wall_plan = wall_plan
        self.dilation = wall_plan.dilation
        self.began = time.monotonic()

    @property
    def assignments(self) -> Sequence[Assignment]:
        return self.step.plan.assignments

    @property
    def passed(self) -> float | None:
        return self.wall_plan.share_passed(time.monotonic() - self.began)

    def train(self) -> RoundResult:
        self.began = time.monotonic()
        groups = [[one for one in self.assignments if one.group == group] for group in self.inner_rounds]
        with ThreadPoolExecutor(len(groups) or 1) as threads:
            return merge_results(list(threads.map(self.train_groups, filter(None, groups))))

    def goes_on(self, assignment: Assignment, part: int) -> bool:
        return part == 0 or self.wall_plan.targets[assignment.device].gets_through

    def chunk(
        self, part: int, assignments: Sequence[Assignment], adapters: Mapping[Any, Any], heads: LocalHeads | None
    ) -> Chunk:
        targets = [self.wall_plan.targets[one.device].part_of(self.inner_rounds[one.group]) for one in assignments]
        plain = super().chunk(part, assignments, adapters, heads)
        return replace(plain, targets=tuple(targets), dilation=self.wall_plan.dilation)

    def stats(self, result: RoundResult) -> WallClockStats | None:
        return self.wall_plan.outcome([mine.enforced for mine in result.devices.values() if mine.enforced])


def _distinct(assignments: Sequence[Assignment]) -> list[Assignment]:
    """One assignment of each cohort and spec object."""
    return list({(one.group, one.base_version, id(one.spec)): one for one in assignments}.values())

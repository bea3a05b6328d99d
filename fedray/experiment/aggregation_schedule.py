"""Which updates a server step aggregates, and how: synchronous rounds, buffered or asynchronous steps."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from fedray.aggregation import Fold
from fedray.aggregation.staleness import Arrival, buffered, mixed
from fedray.emulation import InFlightUpdates, Schedule, dispatch
from fedray.methods import Method
from fedray.protocol import Plan, ServerState
from fedray.scenario.schema import Asynchronous, Buffered, RoundSchedule, Synchronous


@dataclass(frozen=True)
class Step:
    """A round as it is carried out: who is done, in which round and from which state each group started, what is under
    way after it.
    """

    plan: Plan
    schedule: Schedule
    began: Mapping[int, int]
    bases: Mapping[int, ServerState]
    in_flight: InFlightUpdates | None


class AggregationSchedule(Protocol):
    """How rounds follow each other."""

    def step(
        self,
        round_: int,
        state: ServerState,
        in_flight: InFlightUpdates | None,
        plan: Plan,
        schedule: Schedule,
        at: float,
    ) -> Step:
        """The round in which a plan begins from a state at a time, with its schedule."""
        ...

    def merged(self, round_: int, state: ServerState, step: Step, folds: Mapping[int, Fold]) -> ServerState:
        """The next state, from the fold of each group."""
        ...


def aggregation_schedule(schedule: RoundSchedule, method: Method[Any]) -> AggregationSchedule:
    """The pace of a scenario."""
    return SynchronousSchedule(method) if isinstance(schedule, Synchronous) else AsynchronousSchedule(schedule, method)


@dataclass(frozen=True)
class SynchronousSchedule:
    """Every device that begins a round ends it; the method folds and applies."""

    method: Method[Any]

    def step(
        self,
        round_: int,
        state: ServerState,
        in_flight: InFlightUpdates | None,
        plan: Plan,
        schedule: Schedule,
        at: float,
    ) -> Step:
        groups = [group.id for group in plan.groups]
        return Step(plan, schedule, dict.fromkeys(groups, round_), dict.fromkeys(groups, state), in_flight)

    def merged(self, round_: int, state: ServerState, step: Step, folds: Mapping[int, Fold]) -> ServerState:
        whole = self.method.fold()
        for fold in folds.values():
            whole.merge(fold)
        return self.method.apply(state, whole.result())


@dataclass(frozen=True)
class AsynchronousSchedule:
    """A round is a server step: as soon as enough updates are in, whichever state they started from.

    The method's fold aggregates the updates of each version, the schedule mixes the versions, and the method applies
    the mixture as it applies a synchronous round's aggregate.
    """

    schedule: Buffered | Asynchronous
    method: Method[Any]

    def step(
        self,
        round_: int,
        state: ServerState,
        in_flight: InFlightUpdates | None,
        plan: Plan,
        schedule: Schedule,
        at: float,
    ) -> Step:
        version = round_ - 1
        in_flight = dispatch(in_flight, self._weighed(plan), schedule, version, state, at)
        wanted = self.schedule.buffer if isinstance(self.schedule, Buffered) else 1
        server_step, left = in_flight.next_server_step(wanted, at)
        began = {version: version + 1 for version in server_step.bases}
        return Step(server_step.plan, server_step.schedule, began, server_step.bases, left)

    def merged(self, round_: int, state: ServerState, step: Step, folds: Mapping[int, Fold]) -> ServerState:
        arrivals = [
            Arrival(step.bases[version].values, fold.result(), staleness=round_ - 1 - version)
            for version, fold in sorted(folds.items())
        ]
        if not arrivals:
            return state
        if isinstance(self.schedule, Buffered):
            mixture = buffered(state.values, arrivals, self.schedule.server_learning_rate, self.schedule)
        else:
            mixture = mixed(state.values, arrivals[0], self.schedule.mixing, self.schedule)
        return self.method.apply(state, mixture)

    def _weighed(self, plan: Plan) -> Plan:
        """The plan with the weights that the schedule gives its updates."""
        if isinstance(self.schedule, Buffered) and self.schedule.weights == "examples":
            return plan
        return replace(plan, assignments=tuple(replace(assignment, weight=1) for assignment in plan.assignments))

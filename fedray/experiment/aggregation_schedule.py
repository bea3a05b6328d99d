"""Which updates a server step aggregates, and how: synchronous rounds, buffered or asynchronous steps."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from fedray.aggregation import Fold
from fedray.aggregation.staleness import Arrival, buffered, mixed
from fedray.emulation import InFlightUpdates, Schedule
from fedray.fleet import FleetState
from fedray.methods import Method
from fedray.protocol import Cohort, Plan, ServerState
from fedray.scenario.schema import Asynchronous, Buffered, RoundSchedule, Synchronous


@dataclass(frozen=True)
class RoundStart:
    """What a round starts from: the global adapter, the fleet at the time of its start, updates in flight."""

    round: int
    state: ServerState
    fleet_state: FleetState
    in_flight: InFlightUpdates | None


@dataclass(frozen=True)
class RoundStep:
    """A round as it is carried out: the plan and schedule of the updates that it aggregates.

    `bases` are the states that their devices started from, by `Assignment.base_version`; `in_flight` are the updates
    in flight after the round.
    """

    start: RoundStart
    plan: Plan
    schedule: Schedule
    bases: Mapping[int, ServerState]
    in_flight: InFlightUpdates | None


class AggregationSchedule(Protocol):
    """How rounds follow each other."""

    def step(self, start: RoundStart, plan: Plan, schedule: Schedule) -> RoundStep:
        """The round in which a plan with its schedule is dispatched."""
        ...

    def merged(self, step: RoundStep, folds: Mapping[Cohort, Fold]) -> ServerState:
        """The next state, from the fold of each cohort."""
        ...


def aggregation_schedule(schedule: RoundSchedule, method: Method[Any]) -> AggregationSchedule:
    """The aggregation schedule of a scenario."""
    return SynchronousSchedule(method) if isinstance(schedule, Synchronous) else AsynchronousSchedule(schedule, method)


@dataclass(frozen=True)
class SynchronousSchedule:
    """Every device that begins a round ends it; the method folds and applies."""

    method: Method[Any]

    def step(self, start: RoundStart, plan: Plan, schedule: Schedule) -> RoundStep:
        return RoundStep(start, plan, schedule, {start.round - 1: start.state}, start.in_flight)

    def merged(self, step: RoundStep, folds: Mapping[Cohort, Fold]) -> ServerState:
        whole = self.method.fold()
        for fold in folds.values():
            whole.merge(fold)
        return self.method.apply(step.start.state, whole.result())


@dataclass(frozen=True)
class AsynchronousSchedule:
    """A round is a server step: as soon as enough updates are in, whichever state they started from.

    The method's fold aggregates the updates of each version, the schedule mixes the versions, and the method applies
    the mixture as it applies a synchronous round's aggregate.
    """

    schedule: Buffered | Asynchronous
    method: Method[Any]

    def step(self, start: RoundStart, plan: Plan, schedule: Schedule) -> RoundStep:
        at = start.fleet_state.seconds
        in_flight = InFlightUpdates.dispatched(self._weighed(plan), schedule, start.state, at)
        if start.in_flight is not None:
            in_flight = start.in_flight.joined(in_flight)
        wanted = self.schedule.buffer if isinstance(self.schedule, Buffered) else 1
        server_step, left = in_flight.next_server_step(wanted, at)
        return RoundStep(start, server_step.plan, server_step.schedule, server_step.bases, left)

    def merged(self, step: RoundStep, folds: Mapping[Cohort, Fold]) -> ServerState:
        state, version = step.start.state, step.start.round - 1
        arrivals = [
            Arrival(step.bases[cohort.base_version].values, fold.result(), staleness=version - cohort.base_version)
            for cohort, fold in sorted(folds.items(), key=lambda item: item[0])
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

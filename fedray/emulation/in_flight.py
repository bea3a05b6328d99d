"""Updates in flight between server steps (semi-asynchronous and asynchronous schedules)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from fedray.arrays import Flags, Floats, Ints
from fedray.emulation.schedule import Schedule
from fedray.protocol import Assignment, Group, Outcome, Plan, ServerState


@dataclass(frozen=True)
class InFlightUpdates:
    """Assignments in flight and when they end, in emulated seconds since the run began.

    The columns of `schedule` and `ends`, (assignments,), belong to them; the schedule's `round_seconds` are meaningless
    here. `bases` are the server states that devices started from, by `Assignment.base_version`.
    """

    assignments: tuple[Assignment, ...]
    schedule: Schedule
    ends: Floats
    bases: Mapping[int, ServerState] = field(default_factory=dict)

    @staticmethod
    def dispatched(plan: Plan, schedule: Schedule, base: ServerState, at: float) -> "InFlightUpdates":
        """Those of a plan whose devices start from the state `base` at time `at`."""
        bases = {assignment.base_version: base for assignment in plan.assignments[:1]}
        return InFlightUpdates(plan.assignments, schedule, at + schedule.end_seconds, bases)

    def joined(self, fresh: "InFlightUpdates") -> "InFlightUpdates":
        """These and those dispatched since, ascending by device id."""
        assignments = (*self.assignments, *fresh.assignments)
        order = np.argsort([assignment.device for assignment in assignments])
        together = _rows(_concatenated(self.schedule, fresh.schedule), order)
        ends = np.concatenate([self.ends, fresh.ends])[order]
        bases = {**self.bases, **fresh.bases}
        return InFlightUpdates(tuple(assignments[place] for place in order), together, ends, bases)

    def next_server_step(self, wanted: int, started: float) -> "tuple[ServerStep, InFlightUpdates | None]":
        """The next server step after `started`, and the updates still in flight after it.

        It happens once `wanted` updates have arrived (ties: lower device first) or, if fewer are in flight, when the
        last one finishes. Devices that failed before it are done, too.
        """
        finished = np.flatnonzero(self.schedule.finished)
        order = finished[np.lexsort((self.schedule.devices[finished], self.ends[finished]))][:wanted]
        at = float(self.ends[order[-1]]) if len(order) else float(self.ends.max())
        done = np.zeros(len(self.ends), np.bool_)
        done[order] = True
        done |= ~self.schedule.finished & (self.ends <= at)
        waiting = np.where(self.schedule.finished, at - self.ends, 0.0)
        resting = np.minimum(np.maximum(at - self.ends, 0.0), self.schedule.rest_lasts)
        schedule = replace(self.schedule, waiting_seconds=waiting, resting_seconds=resting, round_seconds=at - started)
        reached = self._only(done, schedule)
        plan = Plan(reached.assignments, (Group(0, tuple(one.device for one in reached.assignments)),))
        left = self._only(~done, self.schedule) if not done.all() else None
        return ServerStep(plan, reached.schedule, at, reached.bases), left

    def _only(self, rows: Flags, schedule: Schedule) -> "InFlightUpdates":
        chosen = tuple(one for one, taken in zip(self.assignments, rows, strict=True) if taken)
        started = {one.base_version for one in chosen}
        bases = {version: base for version, base in self.bases.items() if version in started}
        return InFlightUpdates(chosen, _rows(schedule, np.flatnonzero(rows)), self.ends[rows], bases)


@dataclass(frozen=True)
class ServerStep:
    """A server step: the plan of its updates, their schedule and bases, and when it happens."""

    plan: Plan
    schedule: Schedule
    seconds: float
    bases: Mapping[int, ServerState]


def busy_devices(in_flight: InFlightUpdates | None) -> list[int]:
    """Devices whose updates are in flight."""
    return [assignment.device for assignment in in_flight.assignments] if in_flight else []


def _rows(schedule: Schedule, rows: Ints) -> Schedule:
    columns: dict[str, Any] = {
        field.name: column[rows]
        for field in fields(schedule)
        if isinstance(column := getattr(schedule, field.name), np.ndarray)
    }
    devices = set(schedule.devices[rows].tolist())
    outcomes: tuple[Outcome, ...] = tuple(schedule.outcomes[row] for row in rows)
    corruptions = {device: found for device, found in schedule.corruptions.items() if device in devices}
    return replace(schedule, **columns, outcomes=outcomes, corruptions=corruptions)


def _concatenated(one: Schedule, other: Schedule) -> Schedule:
    columns: dict[str, Any] = {
        field.name: np.concatenate([column, getattr(other, field.name)])
        for field in fields(one)
        if isinstance(column := getattr(one, field.name), np.ndarray)
    }
    corruptions = {**one.corruptions, **other.corruptions}
    return replace(one, **columns, outcomes=(*one.outcomes, *other.outcomes), corruptions=corruptions)

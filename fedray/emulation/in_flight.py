"""Devices that work on their own time between server steps (semi-asynchronous and asynchronous schedules)."""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedray.emulation.schedule import Outcome, Schedule
from fedray.protocol import Assignment, Floats, Group, Ints, Plan


@dataclass(frozen=True)
class InFlightUpdates:
    """Who is under way, with what, and until when, in emulated seconds since the run began.

    An assignment's group is the version of the global adapter that its device started from: the number of server steps
    before it. The columns of `schedule`, (assignments,), belong to them; its `round_seconds` mean nothing here.
    """

    assignments: tuple[Assignment, ...]
    schedule: Schedule
    ends: Floats

    @property
    def versions(self) -> set[int]:
        return {assignment.group for assignment in self.assignments}

    def next_server_step(self, wanted: int, started: float) -> "tuple[ServerStep, InFlightUpdates | None]":
        """The next server step, which began at a time, and who is still under way after it.

        It happens when so many updates are in, the lower device first among equals; or all there are, if fewer come.
        Who failed until then is known, and done too.
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
        groups = (
            Group(version, tuple(one.device for one in reached.assignments if one.group == version))
            for version in sorted(reached.versions)
        )
        plan = Plan(reached.assignments, tuple(groups))
        left = self._only(~done, self.schedule) if not done.all() else None
        return ServerStep(plan, reached.schedule, at), left

    def _only(self, rows: NDArray[np.bool_], schedule: Schedule) -> "InFlightUpdates":
        chosen = tuple(one for one, taken in zip(self.assignments, rows, strict=True) if taken)
        return InFlightUpdates(chosen, _rows(schedule, np.flatnonzero(rows)), self.ends[rows])


@dataclass(frozen=True)
class ServerStep:
    """A server step: the plan of those that are done, one group per version, their schedule, and when it happens."""

    plan: Plan
    schedule: Schedule
    seconds: float


def dispatch(
    flights: InFlightUpdates | None, plan: Plan, schedule: Schedule, version: int, at: float
) -> InFlightUpdates:
    """Those under way, and those of a plan that starts from a version at a time; ascending by device."""
    starting = tuple(replace(assignment, group=version) for assignment in plan.assignments)
    fresh = InFlightUpdates(starting, schedule, at + schedule.end_seconds)
    if flights is None:
        return fresh
    everybody = (*flights.assignments, *fresh.assignments)
    order = np.argsort([assignment.device for assignment in everybody])
    together = _rows(_concatenated(flights.schedule, fresh.schedule), order)
    ends = np.concatenate([flights.ends, fresh.ends])[order]
    return InFlightUpdates(tuple(everybody[place] for place in order), together, ends)


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

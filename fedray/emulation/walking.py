"""When every device of a round downloads, computes and uploads, before anything cuts it short."""

import heapq
from collections import defaultdict
from collections.abc import Callable
from enum import IntEnum

import numpy as np

from fedray.emulation.airtime import Cell
from fedray.emulation.journey import Flags, Journey, Leg, Timeline
from fedray.protocol import Floats, Ints


def walk(journey: Journey) -> Timeline:
    """The timeline of a journey: leg by leg if no device disturbs another, event by event if some share a cell."""
    if (journey.conditions.cells[journey.devices] >= 0).any():
        return _Walker(journey).run()
    return _leg_by_leg(journey)


def _leg_by_leg(journey: Journey) -> Timeline:
    devices, fits, conditions = journey.devices, journey.fits, journey.conditions
    legs: list[Leg] = []
    begins = ends = np.zeros(len(devices))
    for inner in range(journey.most_inner_rounds):
        taking = journey.takes(inner)
        start = journey.started + begins
        download = _transfers(conditions.down.transfer_seconds, taking, devices, journey.down_bytes, start)
        compute = np.where(taking & fits, journey.computing / journey.inner_rounds, 0.0)
        ready = start + download + compute
        upload = _transfers(conditions.up.transfer_seconds, taking & fits, devices, journey.up_bytes, ready)
        leg = Leg(taking, begins, download, compute, upload)
        legs.append(leg)
        ends = np.where(taking, leg.ends, ends)
        slowest = np.zeros(journey.groups)
        waited_for = taking & fits & journey.stays
        np.maximum.at(slowest, journey.group[waited_for], leg.ends[waited_for])
        begins = np.maximum(slowest[journey.group], ends)
    return Timeline(tuple(legs), ends)


def _transfers(
    transfer_seconds: Callable[[Ints, Ints, Floats], Floats],
    taking: Flags,
    devices: Ints,
    size_bytes: Ints,
    start: Floats,
) -> Floats:
    """Seconds of the transfers of those that take part."""
    seconds = np.zeros(len(devices))
    seconds[taking] = transfer_seconds(devices[taking], size_bytes[taking], start[taking])
    return seconds


class _Event(IntEnum):
    """What happens next to an assignment, or to the air of a cell."""

    DOWNLOAD = 0
    UPLOAD = 1
    IN_THE_AIR = 2
    ARRIVED = 3
    CELL = 4


class _Walker:
    """Responsibilities: keep the events of a round in order, let cells divide their air, hold groups together."""

    def __init__(self, journey: Journey) -> None:
        self.journey = journey
        count, inner = len(journey.devices), journey.most_inner_rounds
        self.begins, self.download, self.compute, self.upload = (np.zeros((inner, count)) for _ in range(4))
        self.inner = np.zeros(count, np.int64)
        self.uploading = np.zeros(count, np.bool_)
        self.since = np.zeros(count)
        self.ended_at = np.zeros(count)
        self.idle = np.zeros(count, np.bool_)
        self.cells: dict[int, Cell] = defaultdict(Cell)
        self.events: list[tuple[float, int, int, int]] = []
        waited_for = journey.fits & journey.stays
        self.missing = [
            np.bincount(journey.group[journey.takes(k) & waited_for], minlength=journey.groups) for k in range(inner)
        ]

    def run(self) -> Timeline:
        for who in range(len(self.journey.devices)):
            self._push(0.0, _Event.DOWNLOAD, who)
        while self.events:
            at, kind, who, changes = heapq.heappop(self.events)
            if kind == _Event.CELL:
                cell = self.cells[who]
                if cell.changes == changes:  # else somebody came or left since, and the end has moved
                    self._arrived(at, cell.end())
                    self._watch(who)
            elif kind == _Event.IN_THE_AIR:
                self._in_the_air(at, who)
            elif kind == _Event.ARRIVED:
                self._arrived(at, who)
            else:
                self._begin(at, who, uploading=kind == _Event.UPLOAD)
        legs = tuple(
            Leg(self.journey.takes(k), self.begins[k], self.download[k], self.compute[k], self.upload[k])
            for k in range(self.journey.most_inner_rounds)
        )
        return Timeline(legs, self.ended_at)

    def _begin(self, at: float, who: int, uploading: bool) -> None:
        """A transfer begins; with a cell it is in the air after its latency, else its end is known."""
        journey = self.journey
        self.uploading[who], self.since[who] = uploading, at
        if not uploading:
            self.begins[self.inner[who], who] = at
        device = int(journey.devices[who])
        lane = journey.conditions.up if uploading else journey.conditions.down
        if journey.conditions.cells[device] >= 0:
            self._push(at + float(lane.latency_seconds[device]), _Event.IN_THE_AIR, who)
            return
        size = (journey.up_bytes if uploading else journey.down_bytes)[[who]]
        seconds = lane.transfer_seconds(np.array([device]), size, np.array([journey.started + at]))
        self._push(at + float(seconds[0]), _Event.ARRIVED, who)

    def _in_the_air(self, at: float, who: int) -> None:
        journey, uploading = self.journey, bool(self.uploading[who])
        device = int(journey.devices[who])
        lane = journey.conditions.up if uploading else journey.conditions.down
        size = (journey.up_bytes if uploading else journey.down_bytes)[who]
        cell = int(journey.conditions.cells[device])
        self.cells[cell].begin(at, who, float(8e-6 * size / lane.mbps[device]))
        self._watch(cell)

    def _arrived(self, at: float, who: int) -> None:
        """A transfer has ended: computing follows a download, the end of the leg an upload or a failure."""
        inner, took = int(self.inner[who]), at - self.since[who]
        if not self.uploading[who]:
            self.download[inner, who] = took
            if self.journey.fits[who]:
                self.compute[inner, who] = self.journey.computing[who] / self.journey.inner_rounds[who]
                self._push(at + self.compute[inner, who], _Event.UPLOAD, who)
            else:
                self.ended_at[who] = at
            return
        self.upload[inner, who] = took
        self.ended_at[who], self.idle[who] = at, True
        group = int(self.journey.group[who])
        if self.journey.stays[who]:
            self.missing[inner][group] -= 1
        self._go_on(at, inner, group)

    def _go_on(self, at: float, inner: int, group: int) -> None:
        """Members that wait begin their next leg once the group's inner round is complete."""
        if self.missing[inner][group]:
            return
        members = (self.journey.group == group) & self.idle & (self.inner == inner)
        for who in np.flatnonzero(members & (self.journey.inner_rounds > inner + 1)):
            self.inner[who] += 1
            self.idle[who] = False
            self._push(at, _Event.DOWNLOAD, int(who))

    def _watch(self, cell: int) -> None:
        """Note when the cell's next transfer ends, as far as is known now."""
        if (at := self.cells[cell].next_end()) < np.inf:
            self._push(at, _Event.CELL, cell, self.cells[cell].changes)

    def _push(self, at: float, kind: _Event, who: int, changes: int = 0) -> None:
        heapq.heappush(self.events, (float(at), int(kind), who, changes))

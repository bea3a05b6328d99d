"""When every device of a round downloads, computes and uploads, before anything cuts it short."""

import heapq
from collections import defaultdict
from collections.abc import Callable
from enum import IntEnum

import numpy as np

from fedray.arrays import Flags, Floats, Ints
from fedray.emulation.round_work import InnerRoundTimes, RoundWork, Timeline
from fedray.emulation.shared_channel import SharedChannel


def build_timeline(round_work: RoundWork) -> Timeline:
    """The timeline of a round: vectorised if devices are independent, discrete-event if some share a channel."""
    if (round_work.conditions.cells[round_work.devices] >= 0).any():
        return EventSimulator(round_work).run()
    return _vectorised(round_work)


def _vectorised(round_work: RoundWork) -> Timeline:
    devices, fits, conditions = round_work.devices, round_work.fits, round_work.conditions
    inner_rounds: list[InnerRoundTimes] = []
    begins = ends = np.zeros(len(devices))
    for inner in range(round_work.most_inner_rounds):
        taking = round_work.takes(inner)
        start = round_work.started + begins
        download = _transfers(conditions.down.transfer_seconds, taking, devices, round_work.down_bytes, start)
        compute = np.where(taking & fits, round_work.computing / round_work.inner_rounds, 0.0)
        ready = start + download + compute
        upload = _transfers(conditions.up.transfer_seconds, taking & fits, devices, round_work.up_bytes, ready)
        times = InnerRoundTimes(taking, begins, download, compute, upload)
        inner_rounds.append(times)
        ends = np.where(taking, times.ends, ends)
        slowest = np.zeros(round_work.groups)
        waited_for = taking & fits & round_work.stays
        np.maximum.at(slowest, round_work.group[waited_for], times.ends[waited_for])
        begins = np.maximum(slowest[round_work.group], ends)
    return Timeline(tuple(inner_rounds), ends)


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
    """What happens next to an assignment, or on a shared channel."""

    DOWNLOAD = 0
    UPLOAD = 1
    IN_THE_AIR = 2
    ARRIVED = 3
    CELL = 4


class EventSimulator:
    """Responsibilities: process a round's events in order, share channels between transfers, keep groups in step."""

    def __init__(self, round_work: RoundWork) -> None:
        self.round_work = round_work
        count, inner = len(round_work.devices), round_work.most_inner_rounds
        self.begins, self.download, self.compute, self.upload = (np.zeros((inner, count)) for _ in range(4))
        self.inner = np.zeros(count, np.int64)
        self.uploading = np.zeros(count, np.bool_)
        self.since = np.zeros(count)
        self.ended_at = np.zeros(count)
        self.idle = np.zeros(count, np.bool_)
        self.channels: dict[int, SharedChannel] = defaultdict(SharedChannel)
        self.events: list[tuple[float, int, int, int]] = []
        waited_for = round_work.fits & round_work.stays
        self.missing = [
            np.bincount(round_work.group[round_work.takes(k) & waited_for], minlength=round_work.groups)
            for k in range(inner)
        ]

    def run(self) -> Timeline:
        for who in range(len(self.round_work.devices)):
            self._push(0.0, _Event.DOWNLOAD, who)
        while self.events:
            at, kind, who, changes = heapq.heappop(self.events)
            if kind == _Event.CELL:
                cell = self.channels[who]
                if cell.changes == changes:  # otherwise a transfer began or ended since, and the end has moved
                    self._arrived(at, cell.end())
                    self._watch(who)
            elif kind == _Event.IN_THE_AIR:
                self._in_the_air(at, who)
            elif kind == _Event.ARRIVED:
                self._arrived(at, who)
            else:
                self._begin(at, who, uploading=kind == _Event.UPLOAD)
        inner_rounds = tuple(
            InnerRoundTimes(self.round_work.takes(k), self.begins[k], self.download[k], self.compute[k], self.upload[k])
            for k in range(self.round_work.most_inner_rounds)
        )
        return Timeline(inner_rounds, self.ended_at)

    def _begin(self, at: float, who: int, uploading: bool) -> None:
        """Begin a transfer; on a shared channel it starts after its latency, otherwise its end is known."""
        round_work = self.round_work
        self.uploading[who], self.since[who] = uploading, at
        if not uploading:
            self.begins[self.inner[who], who] = at
        device = int(round_work.devices[who])
        direction = round_work.conditions.up if uploading else round_work.conditions.down
        if round_work.conditions.cells[device] >= 0:
            self._push(at + float(direction.latency_seconds[device]), _Event.IN_THE_AIR, who)
            return
        size = (round_work.up_bytes if uploading else round_work.down_bytes)[[who]]
        seconds = direction.transfer_seconds(np.array([device]), size, np.array([round_work.started + at]))
        self._push(at + float(seconds[0]), _Event.ARRIVED, who)

    def _in_the_air(self, at: float, who: int) -> None:
        round_work, uploading = self.round_work, bool(self.uploading[who])
        device = int(round_work.devices[who])
        direction = round_work.conditions.up if uploading else round_work.conditions.down
        size = (round_work.up_bytes if uploading else round_work.down_bytes)[who]
        cell = int(round_work.conditions.cells[device])
        self.channels[cell].begin(at, who, float(8e-6 * size / direction.mbps[device]))
        self._watch(cell)

    def _arrived(self, at: float, who: int) -> None:
        """A transfer has ended: computing follows a download, the end of the inner round an upload or a failure."""
        inner, took = int(self.inner[who]), at - self.since[who]
        if not self.uploading[who]:
            self.download[inner, who] = took
            if self.round_work.fits[who]:
                self.compute[inner, who] = self.round_work.computing[who] / self.round_work.inner_rounds[who]
                self._push(at + self.compute[inner, who], _Event.UPLOAD, who)
            else:
                self.ended_at[who] = at
            return
        self.upload[inner, who] = took
        self.ended_at[who], self.idle[who] = at, True
        group = int(self.round_work.group[who])
        if self.round_work.stays[who]:
            self.missing[inner][group] -= 1
        self._go_on(at, inner, group)

    def _go_on(self, at: float, inner: int, group: int) -> None:
        """Members that wait begin their next inner round once the group's inner round is complete."""
        if self.missing[inner][group]:
            return
        members = (self.round_work.group == group) & self.idle & (self.inner == inner)
        for who in np.flatnonzero(members & (self.round_work.inner_rounds > inner + 1)):
            self.inner[who] += 1
            self.idle[who] = False
            self._push(at, _Event.DOWNLOAD, int(who))

    def _watch(self, cell: int) -> None:
        """Schedule the end of the channel's next transfer, as far as it is known now."""
        if (at := self.channels[cell].next_end()) < np.inf:
            self._push(at, _Event.CELL, cell, self.channels[cell].changes)

    def _push(self, at: float, kind: _Event, who: int, changes: int = 0) -> None:
        heapq.heappush(self.events, (float(at), int(kind), who, changes))

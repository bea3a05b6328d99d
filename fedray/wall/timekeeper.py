"""Holding a device to its time and its memory."""

import time
from collections.abc import Callable
from itertools import pairwise

from fedray.results import Enforced
from fedray.wall.errand import Errand


class CutShortError(Exception):
    """The device's time in this round is over."""


class Timekeeper:
    """Lets every transfer and every local step end when it was planned to, or late where the machine is too slow.

    The ends are those of the plan, whatever came before: after a late one the next catches up, so that hiccups of the
    machine do not add up. There is one sleep per transfer and per step. `begins` is a time of `clock` in wall seconds;
    an emulated second takes `dilation` of them.
    """

    def __init__(
        self,
        errand: Errand,
        steps: int,
        begins: float,
        dilation: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.errand = errand
        self.steps = steps
        self.begins = begins
        self.dilation = dilation
        self.clock = clock
        self.sleep = sleep
        self.steps_done = 0
        self.overloads = 0
        self.memory_bytes = 0
        self.marks = [0.0]  # when parts ended, in emulated seconds

    def downloaded(self) -> None:
        """The adapter is there."""
        self._hold_until(self.errand.download_seconds)
        self._mark()

    def holds(self, memory_bytes: int) -> None:
        """So much is in memory; MemoryError if that is more than the device has."""
        self.memory_bytes = max(self.memory_bytes, memory_bytes)
        if memory_bytes > self.errand.memory_limit_bytes:
            limit = self.errand.memory_limit_bytes
            raise MemoryError(f"training took {memory_bytes / 1e6:.1f} MB of the device's {limit / 1e6:.1f}")

    def stepped(self) -> None:
        """A local step is over; after the last one, computing is."""
        self.steps_done += 1
        share = self.steps_done / self.steps
        self._hold_until(self.errand.download_seconds + share * self.errand.compute_seconds)
        if self.steps_done == self.steps:
            self._mark()

    def uploaded(self) -> None:
        """The update is sent."""
        errand = self.errand
        self._hold_until(errand.download_seconds + errand.compute_seconds + errand.upload_seconds)
        self._mark()

    def enforced(self) -> Enforced:
        """What the parts have taken, the one under way until now."""
        if len(self.marks) < 4:
            self._mark()
        ends = self.marks + [self.marks[-1]] * (4 - len(self.marks))
        download, compute, upload = (after - before for before, after in pairwise(ends))
        return Enforced(download, compute, upload, ends[-1], self.overloads, self.memory_bytes)

    def _hold_until(self, planned: float) -> None:
        left = self.begins + min(planned, self.errand.stops) * self.dilation - self.clock()
        if left >= 0:
            self.sleep(left)
        elif planned < self.errand.stops:
            self.overloads += 1
        if planned >= self.errand.stops:
            raise CutShortError

    def _mark(self) -> None:
        self.marks.append((self.clock() - self.begins) / self.dilation)

"""Holding a device to its time and its memory."""

import time
from collections.abc import Callable
from itertools import pairwise

from fedray.results import MeasuredPhases
from fedray.wall.phase_targets import PhaseTargets


class CutShortError(Exception):
    """The device's time in this round is over."""


class Throttle:
    """Lets every transfer and every local step take the time computed for it, or more where the machine is slow.

    Steps end at equal parts of the computing time, whatever came before: after a late one the next catches up, so that
    hiccups of the machine do not add up. A transfer begins when computing has really ended, and takes all of its time.
    There is one sleep per transfer and per step. `begins` is a time of `clock` in wall seconds; an emulated second
    takes `dilation` of them.
    """

    def __init__(
        self,
        targets: PhaseTargets,
        steps: int,
        begins: float,
        dilation: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.targets = targets
        self.steps = steps
        self.begins = begins
        self.dilation = dilation
        self.clock = clock
        self.sleep = sleep
        self.stops = begins + targets.stops * dilation  # on the wall
        self.steps_done = 0
        self.overloads = 0
        self.memory_bytes = 0
        self.marks = [begins]  # when the parts ended, on the wall

    def downloaded(self) -> None:
        """The download has ended."""
        self._hold_for(self.targets.download_seconds)
        self._mark()

    def holds(self, memory_bytes: int) -> None:
        """`memory_bytes` are in use; MemoryError if the device has less."""
        self.memory_bytes = max(self.memory_bytes, memory_bytes)
        if memory_bytes > self.targets.memory_limit_bytes:
            limit = self.targets.memory_limit_bytes
            raise MemoryError(f"training took {memory_bytes / 1e6:.1f} MB of the device's {limit / 1e6:.1f}")

    def stepped(self) -> None:
        """A local step is over; after the last one, computing is."""
        self.steps_done += 1
        self._hold_for(self.targets.compute_seconds * self.steps_done / self.steps)
        if self.steps_done == self.steps:
            self._mark()

    def uploaded(self) -> None:
        """The update is sent."""
        self._hold_for(self.targets.upload_seconds)
        self._mark()

    def enforced(self) -> MeasuredPhases:
        """Seconds of each phase, of the current one until now."""
        if len(self.marks) < 4:
            self._mark()
        ends = self.marks + [self.marks[-1]] * (4 - len(self.marks))
        download, compute, upload = ((after - before) / self.dilation for before, after in pairwise(ends))
        whole = (ends[-1] - self.begins) / self.dilation
        return MeasuredPhases(download, compute, upload, whole, self.overloads, self.memory_bytes)

    def _hold_for(self, planned: float) -> None:
        """Wait until `planned` emulated seconds after the last phase, or until the device is cut short."""
        ends = self.marks[-1] + planned * self.dilation
        left = min(ends, self.stops) - self.clock()
        if left >= 0:
            self.sleep(left)
        else:
            self.overloads += 1
        if ends >= self.stops:
            raise CutShortError

    def _mark(self) -> None:
        self.marks.append(self.clock())

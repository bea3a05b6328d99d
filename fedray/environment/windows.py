"""When a device is online: windows over a period that repeats."""

from dataclasses import dataclass
from math import inf

import numpy as np

from fedray.arrays import Flags, Floats

DAY = 86_400.0
GRACE = 1e-6  # seconds: a window that begins now has begun, however the sum of periods was rounded


@dataclass(frozen=True)
class OnlineWindows:
    """When a device is online: from `starts[i]` to `ends[i]` of every period, (windows,) ascending and disjoint.

    The last window may pass the end of the period and go on at the start of the next.
    """

    period: float
    starts: Floats
    ends: Floats

    def online_until(self, at: float) -> float:
        """The end of the window that contains a time since the run began; the time itself if the device is offline."""
        if self is ALWAYS:  # the usual case, and there may be 100,000 devices
            return inf
        lap, rest = divmod(at + GRACE, self.period)
        for shift in (0.0, self.period):  # a window of the period before may still go on
            place = int(np.searchsorted(self.starts, rest + shift, side="right")) - 1
            if place >= 0 and rest + shift < self.ends[place]:
                if len(self.starts) == 1 and self.ends[0] - self.starts[0] >= self.period:
                    return inf
                return lap * self.period - shift + float(self.ends[place])
        return at

    def next_online(self, at: float) -> float:
        """When the device is next online: now, or at the start of its next window; never if it has none."""
        if not len(self.starts):
            return inf
        if self.online_until(at) > at:
            return at
        lap, rest = divmod(at + GRACE, self.period)
        place = int(np.searchsorted(self.starts, rest, side="left"))
        if place == len(self.starts):
            return max(at, (lap + 1) * self.period + float(self.starts[0]))
        return max(at, lap * self.period + float(self.starts[place]))


ALWAYS = OnlineWindows(DAY, np.zeros(1), np.full(1, DAY))


def of_switches(period: float, online: Flags, seconds: Floats) -> OnlineWindows:
    """OnlineWindows from states that each last so long and together make up the period; equal neighbours are joined."""
    begins = np.concatenate([[0.0], np.cumsum(seconds)[:-1]])
    changes = np.diff(online.astype(np.int8), prepend=0)
    starts, ends = begins[changes > 0], begins[changes < 0]
    if online[-1]:
        ends = np.append(ends, period)
    if len(starts) > 1 and starts[0] == 0 and ends[-1] == period:  # a window over the end of the period
        starts, ends = starts[1:], np.append(ends[1:-1], period + ends[0])
    return OnlineWindows(period, starts, ends)

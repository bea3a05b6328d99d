"""Processor sharing of a radio channel: transfers under way at a time get equal parts of it."""

import heapq
from dataclasses import dataclass, field
from math import inf


@dataclass
class SharedChannel:
    """An access point's channel and the transfers on it, up or down.

    With n transfers under way each gets 1/n of the time, so a far device slows the others as much as a near one.
    `served` counts the seconds that every transfer has had since the start; a transfer that needs `airtime` alone ends
    when `served` has grown by `airtime`.
    """

    now: float = 0.0
    served: float = 0.0
    changes: int = 0
    ends: list[tuple[float, int]] = field(default_factory=list)  # heap of (served at the end, who)

    def begin(self, at: float, who: int, airtime: float) -> None:
        """Begin a transfer that would take `airtime` seconds alone; `at` never decreases."""
        self._advance(at)
        heapq.heappush(self.ends, (self.served + airtime, who))

    def next_end(self) -> float:
        """When the next transfer ends if no other begins; inf if the channel is free."""
        if not self.ends:
            return inf
        return self.now + max(self.ends[0][0] - self.served, 0.0) * len(self.ends)

    def end(self) -> int:
        """Remove the next transfer that ends; returns `who` began it."""
        self._advance(self.next_end())
        return heapq.heappop(self.ends)[1]

    def _advance(self, at: float) -> None:
        if self.ends:
            self.served += (at - self.now) / len(self.ends)
        self.now = at
        self.changes += 1

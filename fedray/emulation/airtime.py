"""Transfers that share a cell: whoever is in the air at a moment gets an equal part of its time."""

import heapq
from dataclasses import dataclass, field
from math import inf


@dataclass
class Cell:
    """An access point and what is in its air, up or down.

    With n transfers under way each has a 1/n of the time, so a far device slows the others as much as a near one. Time
    is kept in `served`, the seconds that every transfer has had since the start; one that needs `airtime` alone ends
    when so much more has been served.
    """

    now: float = 0.0
    served: float = 0.0
    changes: int = 0
    ends: list[tuple[float, int]] = field(default_factory=list)  # heap of (served at the end, who)

    def begin(self, at: float, who: int, airtime: float) -> None:
        """A transfer begins that would take `airtime` seconds alone; moments never go back."""
        self._advance(at)
        heapq.heappush(self.ends, (self.served + airtime, who))

    def next_end(self) -> float:
        """When the next transfer ends if nobody else begins; never if the air is free."""
        if not self.ends:
            return inf
        return self.now + max(self.ends[0][0] - self.served, 0.0) * len(self.ends)

    def end(self) -> int:
        """The next transfer that ends leaves the air: whose it was."""
        self._advance(self.next_end())
        return heapq.heappop(self.ends)[1]

    def _advance(self, at: float) -> None:
        if self.ends:
            self.served += (at - self.now) / len(self.ends)
        self.now = at
        self.changes += 1

"""How the coordinator spends its time on the wall."""

import time
from collections import defaultdict


class PhaseTimer:
    """Seconds by what they were spent on, since this process began; time between rounds belongs to nothing."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.begin()

    def begin(self) -> None:
        """From now on."""
        self._began = self._last = time.monotonic()

    def end(self, what: str) -> None:
        """All since the beginning or the last end was this."""
        now = time.monotonic()
        self.seconds[what] += now - self._last
        self._last = now

    @property
    def since_begin(self) -> float:
        return time.monotonic() - self._began

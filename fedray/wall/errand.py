"""What a device is held to in a round."""

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True)
class Errand:
    """A device's round as it was computed: emulated seconds of its parts, and the bytes of memory that it has.

    It is cut short at `stops`, counted from the start of the round; inf if it gets through. `machine_share` is what its
    computing needs of one of the machine's cores, or of its GPU, to end in time.
    """

    download_seconds: float
    compute_seconds: float
    upload_seconds: float
    stops: float
    memory_limit_bytes: float
    machine_share: float = 1.0

    @property
    def gets_through(self) -> bool:
        """Whether its update counts."""
        return self.stops == inf

"""The phase times and limits that a device process is held to in a round."""

from dataclasses import dataclass, replace
from math import inf


@dataclass(frozen=True)
class PhaseTargets:
    """A device's round as planned: emulated seconds of each phase, and its memory in bytes.

    It is cut short at `stops`, counted from the start of the round; inf if it gets through. `machine_share` is what its
    computing needs of one of the machine's cores, or of its GPU, to end in time.
    """

    download_seconds: float
    compute_seconds: float
    upload_seconds: float
    stops: float
    memory_limit_bytes: float
    machine_share: float = 1.0

    def part_of(self, inner_rounds: int) -> "PhaseTargets":
        """One of `parts` equal inner rounds; a device that is cut short takes part in the first only."""
        share = 1 / inner_rounds
        return replace(
            self,
            download_seconds=self.download_seconds * share,
            compute_seconds=self.compute_seconds * share,
            upload_seconds=self.upload_seconds * share,
        )

    @property
    def gets_through(self) -> bool:
        """Whether its update arrives."""
        return self.stops == inf

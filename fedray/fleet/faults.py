"""What goes wrong with devices in a round."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fedray.arrays import Flags, Floats
from fedray.scenario.schema import Corruption, Faults
from fedray.seeds import Purpose, generator


@dataclass(frozen=True)
class RoundFaults:
    """One round's faults, columns of shape (devices,); where and when they strike is a share of the device's work."""

    vanishes_at: Floats  # share of its time in the round; nan if it does not
    crashes_at: Floats  # share of its computing; nan if it does not
    reboot_seconds: Floats
    slowed_by: Floats  # factor of its computing
    upload_lost: Flags
    corruptions: tuple[Corruption | None, ...]

    @staticmethod
    def none(count: int) -> "RoundFaults":
        """Nothing goes wrong."""
        never = np.full(count, np.nan)
        return RoundFaults(never, never, np.zeros(count), np.ones(count), np.zeros(count, np.bool_), (None,) * count)

    @staticmethod
    def concatenate(parts: "Sequence[RoundFaults]") -> "RoundFaults":
        return RoundFaults(
            vanishes_at=np.concatenate([part.vanishes_at for part in parts]),
            crashes_at=np.concatenate([part.crashes_at for part in parts]),
            reboot_seconds=np.concatenate([part.reboot_seconds for part in parts]),
            slowed_by=np.concatenate([part.slowed_by for part in parts]),
            upload_lost=np.concatenate([part.upload_lost for part in parts]),
            corruptions=tuple(corruption for part in parts for corruption in part.corruptions),
        )


def round_faults(faults: Faults, seed: int, group: int, count: int, round_: int) -> RoundFaults:
    """The faults of the `count` devices of fleet group `group` in a round.

    Every kind has draws of its own, so that adding one leaves the others as they are.
    """
    if faults == Faults():
        return RoundFaults.none(count)
    draws = generator(seed, Purpose.FAULTS, round_, group).random((count, 7))
    slowdown, crash, corruption = faults.slowdown, faults.crash, faults.corruption
    slowed = draws[:, 2] < (slowdown.share if slowdown else 0)
    crashed = draws[:, 3] < (crash.share if crash else 0)
    return RoundFaults(
        vanishes_at=np.where(draws[:, 0] < faults.dropout, draws[:, 1], np.nan),
        crashes_at=np.where(crashed, draws[:, 4], np.nan),
        reboot_seconds=np.where(crashed, crash.reboot_seconds if crash else 0.0, 0.0),
        slowed_by=np.where(slowed, slowdown.factor if slowdown else 1.0, 1.0),
        upload_lost=draws[:, 5] < faults.upload_lost,
        corruptions=tuple(corruption if corruption and draw < corruption.share else None for draw in draws[:, 6]),
    )

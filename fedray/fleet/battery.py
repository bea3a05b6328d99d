"""Energy that devices carry with them, and the moment of the emulated world that it belongs to."""

from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from fedray.scenario.schema import Battery

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Moment:
    """The emulated world between two rounds: seconds since the run began, and each device's charge in joules.

    `charge` has shape (devices,); it is inf for devices on mains.
    """

    seconds: float
    charge: Floats


@dataclass(frozen=True)
class Batteries:
    """Columns of shape (devices,), joules and watts; a device on mains has infinite capacity."""

    capacity: Floats
    reserve: Floats
    charging_watts: Floats
    start: Floats

    @staticmethod
    def of(batteries: "list[tuple[Battery | None, int]]") -> "Batteries":
        """So many devices of each battery; None is mains."""
        rows = [
            (inf, 0.0, 0.0, inf)
            if battery is None
            else (
                3600 * battery.capacity_wh,
                3600 * battery.capacity_wh * battery.reserve_share,
                battery.charging_watts,
                3600 * battery.capacity_wh * battery.start_share,
            )
            for battery, count in batteries
            for _ in range(count)
        ]
        return Batteries(*np.array(rows).T)

    def charged(self, moment: Moment, until: float) -> Moment:
        """The world later, if no device took part in a round since: resting between rounds costs nothing."""
        gained = self.charging_watts * (until - moment.seconds)
        return Moment(until, np.minimum(self.capacity, moment.charge + gained))

    def after(self, moment: Moment, seconds: float, devices: Ints, joules: Floats) -> Moment:
        """The world after a round of `seconds` in which `devices` drew `joules`, waiting included.

        The other devices drew nothing. A device that ran empty is empty again.
        """
        spent = np.zeros(len(self.capacity))
        spent[devices] = joules
        left = moment.charge + self.charging_watts * seconds - spent
        return Moment(moment.seconds + seconds, np.clip(left, 0.0, self.capacity))

    def ready(self, moment: Moment, device: int) -> float:
        """When a device has its reserve again if it rests: now, later, or never."""
        lacking = float(self.reserve[device] - moment.charge[device])
        if lacking <= 0:
            return moment.seconds
        watts = float(self.charging_watts[device])
        return moment.seconds + lacking / watts if watts else inf

    def has_reserve(self, moment: Moment, devices: Ints) -> NDArray[np.bool_]:
        """Which of some devices can begin a round; a billionth less will do, for sums are rounded."""
        enough: NDArray[np.bool_] = moment.charge[devices] >= self.reserve[devices] * (1 - 1e-9)
        return enough

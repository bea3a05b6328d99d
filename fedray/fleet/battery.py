"""Energy that devices carry with them, and the state of the fleet between rounds."""

from dataclasses import dataclass
from math import inf

import numpy as np

from fedray.arrays import Flags, Floats, Ints
from fedray.scenario.schema import Battery


@dataclass(frozen=True)
class FleetState:
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
        """Batteries of `count` devices each; None is mains."""
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

    def charged(self, fleet_state: FleetState, until: float) -> FleetState:
        """The world later, if no device took part in a round since: resting between rounds costs nothing."""
        gained = self.charging_watts * (until - fleet_state.seconds)
        return FleetState(until, np.minimum(self.capacity, fleet_state.charge + gained))

    def after(self, fleet_state: FleetState, seconds: float, devices: Ints, joules: Floats) -> FleetState:
        """The world after a round of `seconds` in which `devices` drew `joules`, waiting included.

        The other devices drew nothing. A device that ran empty is empty again.
        """
        spent = np.zeros(len(self.capacity))
        spent[devices] = joules
        left = fleet_state.charge + self.charging_watts * seconds - spent
        return FleetState(fleet_state.seconds + seconds, np.clip(left, 0.0, self.capacity))

    def ready(self, fleet_state: FleetState, device: int) -> float:
        """When a device has its reserve again if it rests: now, later, or never."""
        lacking = float(self.reserve[device] - fleet_state.charge[device])
        if lacking <= 0:
            return fleet_state.seconds
        watts = float(self.charging_watts[device])
        return fleet_state.seconds + lacking / watts if watts else inf

    def has_reserve(self, fleet_state: FleetState, devices: Ints) -> Flags:
        """Which of some devices can begin a round; a billionth less will do, for sums are rounded."""
        enough: Flags = fleet_state.charge[devices] >= self.reserve[devices] * (1 - 1e-9)
        return enough

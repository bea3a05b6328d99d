"""`kind: diurnal`."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from fedray.environment.availability.base import DrawnAvailability
from fedray.environment.windows import DAY, OnlineWindows

HOUR = 3_600.0
Zone = Annotated[float, Field(ge=-12, le=14)]


class Diurnal(DrawnAvailability):
    """A device is online once a day, at its own local hours (phones that charge at night).

    The run starts at `start_hour` in zone 0; devices are dealt to the zones; each begins its hours a little earlier or
    later than the others.
    """

    kind: Literal["diurnal"] = Field(description="Online once a day, at local hours.")
    from_hour: float = Field(22.0, ge=0, lt=24, description="Local hour at which devices come online.")
    hours: float = Field(8.0, gt=0, le=24, description="Hours online a day.")
    spread_hours: float = Field(
        1.0, ge=0, le=24, description="Standard deviation over devices of the hour at which one comes online."
    )
    time_zones: Annotated[tuple[Zone, ...], Field(strict=False, min_length=1)] = Field(
        (0.0,), description="Hours ahead of zone 0; devices are dealt to the zones by turns."
    )
    start_hour: float = Field(22.0, ge=0, lt=24, description="Hour in zone 0 at which the run starts.")

    def draw(self, rng: np.random.Generator, place: int) -> OnlineWindows:
        zone = self.time_zones[place % len(self.time_zones)]
        local = self.from_hour + self.spread_hours * float(rng.standard_normal())
        start = HOUR * ((local - zone - self.start_hour) % 24)
        return OnlineWindows(DAY, np.array([start]), np.array([start + HOUR * self.hours]))

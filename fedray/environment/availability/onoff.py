"""`kind: onoff`."""

from typing import Literal

import numpy as np
from pydantic import Field

from fedray.environment.availability.base import DrawnAvailability
from fedray.environment.spells import alternating_spells
from fedray.environment.windows import DAY, OnlineWindows, of_switches
from fedray.sections import LARGEST


class OnOff(DrawnAvailability):
    """A device is online and offline by turns, each exponentially long (a Markov chain in continuous time)."""

    kind: Literal["onoff"] = Field(description="Online and offline by turns, each exponentially long.")
    mean_on_seconds: float = Field(gt=1, le=LARGEST, description="Mean emulated seconds online.")
    mean_off_seconds: float = Field(gt=1, le=LARGEST, description="Mean emulated seconds offline.")

    def draw(self, rng: np.random.Generator, place: int) -> OnlineWindows:
        lengths, first = alternating_spells(rng, self.mean_on_seconds, self.mean_off_seconds, DAY)
        return of_switches(float(lengths.sum()), np.arange(len(lengths)) % 2 != first, lengths)

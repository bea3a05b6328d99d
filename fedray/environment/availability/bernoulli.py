"""`kind: bernoulli`."""

from typing import Literal

import numpy as np
from pydantic import Field

from fedray.environment.availability.base import DrawnAvailability
from fedray.environment.windows import DAY, OnlineWindows, of_switches
from fedray.sections import LARGEST, Share


class Bernoulli(DrawnAvailability):
    """A device is online in a share of all spells of equal length, drawn one by one."""

    kind: Literal["bernoulli"] = Field(description="Online or offline in each spell, drawn independently.")
    share: Share = Field(description="Chance that a device is online in a spell.")
    spell_seconds: float = Field(600.0, ge=1, le=LARGEST, description="Emulated seconds of a spell.")

    def draw(self, rng: np.random.Generator, place: int) -> OnlineWindows:
        spells = max(1, round(DAY / self.spell_seconds))
        seconds = np.full(spells, self.spell_seconds)
        return of_switches(float(seconds.sum()), rng.random(spells) < self.share, seconds)

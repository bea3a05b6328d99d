"""`kind: lognormal`."""

from typing import Literal

import numpy as np
from pydantic import Field

from fedray.arrays import Floats
from fedray.environment.links.base import Mbps
from fedray.environment.links.steady import DrawnLink
from fedray.environment.members import Members


class LogNormalLink(DrawnLink):
    """Bandwidth drawn log-normally per device, round and direction: as often twice as half the median."""

    kind: Literal["lognormal"] = Field(description="Bandwidth drawn log-normally per device, round and direction.")
    median_mbps: Mbps = Field(description="Median bandwidth, 1e6 bits per second.")
    spread: float = Field(0.6, ge=0, le=5, description="Standard deviation of the log of the bandwidth.")

    @property
    def nominal_mbps(self) -> float:
        return self.median_mbps

    def draw(self, rng: np.random.Generator, members: Members) -> Floats:
        drawn: Floats = self.median_mbps * np.exp(self.spread * rng.standard_normal((members.count, 2)))
        return drawn

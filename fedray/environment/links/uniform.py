"""`kind: uniform`."""

from typing import Literal

import numpy as np
from pydantic import Field

from fedray.arrays import Floats
from fedray.environment.links.steady import VaryingLink
from fedray.environment.members import Members


class UniformLink(VaryingLink):
    """Bandwidth drawn uniformly per device, round and direction."""

    kind: Literal["uniform"] = Field(description="Bandwidth drawn uniformly per device, round and direction.")

    def draw(self, rng: np.random.Generator, members: Members) -> Floats:
        return rng.uniform(self.low_mbps, self.high_mbps, (members.count, 2))

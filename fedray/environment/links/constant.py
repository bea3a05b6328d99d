"""`kind: constant`."""

from typing import Literal

import numpy as np
from pydantic import Field

from fedray.arrays import Floats
from fedray.environment.links.base import Mbps
from fedray.environment.links.steady import SteadyLink
from fedray.environment.members import Members


class ConstantLink(SteadyLink):
    """The same bandwidth always."""

    kind: Literal["constant"] = Field(description="The same bandwidth always.")
    down_mbps: Mbps = Field(description="Download bandwidth, 1e6 bits per second.")
    up_mbps: Mbps = Field(description="Upload bandwidth, 1e6 bits per second.")

    @property
    def nominal_mbps(self) -> float:
        return min(self.down_mbps, self.up_mbps)

    def bandwidths(self, members: Members, round_: int) -> Floats:
        return np.tile([self.down_mbps, self.up_mbps], (members.count, 1))

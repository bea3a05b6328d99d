"""`kind: wifi`."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from fedray.arrays import Floats, Ints
from fedray.environment.links.base import Mbps
from fedray.environment.links.steady import VaryingLink
from fedray.environment.members import Members
from fedray.sections import LARGEST, Positive
from fedray.seeds import Purpose

Distances = Annotated[tuple[Annotated[float, Field(gt=0, le=LARGEST)], ...], Field(strict=False, min_length=1)]


class WifiLink(VaryingLink):
    """WiFi at several distances (LEGEND's testbed: 2, 8, 14, 20 m; 1-30 Mb/s); devices are dealt to the distances.

    The mean falls linearly from high_mbps at the nearest place to low_mbps at the farthest; each round and direction
    varies log-normally around it, clipped to [low_mbps, high_mbps]. Mean and spread per place are reconstructed.
    """

    kind: Literal["wifi"] = Field(description="WiFi at several distances from the access point.")
    low_mbps: Mbps = Field(
        1.0,
        description="Lowest bandwidth and the mean at the farthest distance, 1e6 bits per second; at most high_mbps.",
    )
    high_mbps: Mbps = Field(
        30.0, description="Highest bandwidth and the mean at the nearest distance, 1e6 bits per second."
    )
    distances_m: Distances = Field(
        (2.0, 8.0, 14.0, 20.0),
        description="Distances from the access point, metres; as many devices at each as at any other.",
    )
    spread: float = Field(0.35, ge=0, le=5, description="Standard deviation of the log of the bandwidth.")
    latency_ms: float = Field(5.0, ge=0, le=LARGEST, description="Milliseconds added once to every transfer.")
    devices_per_cell: Positive | None = Field(
        None,
        description="Number of devices, consecutive by id, that share one access point's channel; null: none share.",
    )

    def cells(self, members: Members) -> Ints:
        if self.devices_per_cell is None:
            return super().cells(members)
        return np.arange(members.count) // self.devices_per_cell

    def draw(self, rng: np.random.Generator, members: Members) -> Floats:
        varied = self._means(members)[:, None] * np.exp(self.spread * rng.standard_normal((members.count, 2)))
        return np.clip(varied, self.low_mbps, self.high_mbps)

    def _means(self, members: Members) -> Floats:
        """Mean Mb/s of every device, by its place, (devices,)."""
        distances = np.asarray(self.distances_m)
        # equal numbers at each distance, shuffled, so that no place is missed by chance
        dealt = np.arange(members.count) % len(distances)
        places = members.generator(Purpose.PLACE).permutation(dealt)
        reach = np.ptp(distances)
        nearness = 1 - (distances - distances.min()) / reach if reach else np.ones(len(distances))
        mean: Floats = (self.low_mbps + nearness * (self.high_mbps - self.low_mbps))[places]
        return mean

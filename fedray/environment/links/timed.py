"""Links that follow traces through the whole run, whether recorded or drawn."""

from dataclasses import dataclass

import numpy as np

from fedray.arrays import Floats, Ints
from fedray.environment.links.base import LinkSection
from fedray.environment.links.direction import LinkDirection, OffsetTrace
from fedray.environment.traces import TracePair


@dataclass(frozen=True)
class TimedLinks:
    """The links of a group of devices: device i follows `pairs[i]` from `offsets[i]` seconds on, (devices,) both.

    `mean_mbps` and the traces are those without losses; an upload has `up_share` of its trace's bandwidth.
    """

    link: LinkSection
    pairs: tuple[TracePair, ...]
    offsets: Floats
    mean_mbps: float
    up_share: float

    @property
    def declared_mbps(self) -> float:
        return self.mean_mbps * (1 - self.link.loss)

    @property
    def recorded(self) -> list[tuple[str, str]]:
        distinct = {pair.name: pair for pair in self.pairs}
        return sorted((name, pair.sha256) for name, pair in distinct.items())

    @property
    def cells(self) -> Ints:
        return np.full(len(self.pairs), -1)

    def directions(self, round_: int) -> tuple[LinkDirection, LinkDirection]:
        latency = np.full(len(self.pairs), self.link.latency_ms / 1000)
        arrives = 1 - self.link.loss
        shares = (arrives, arrives * self.up_share)
        timed = [
            (OffsetTrace(pair.down, offset, shares[0]), OffsetTrace(pair.up, offset, shares[1]))
            for pair, offset in zip(self.pairs, self.offsets.tolist(), strict=True)
        ]
        unknown = np.full(len(self.pairs), np.nan)
        down, up = zip(*timed, strict=True)
        return LinkDirection(unknown, latency, down), LinkDirection(unknown, latency, up)

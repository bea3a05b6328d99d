"""Links that are steady within a round: the bandwidths of a group's devices are known when it begins."""

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
from pydantic import Field, model_validator

from fedray.arrays import Floats, Ints
from fedray.environment.links.base import LinkSection, Mbps
from fedray.environment.links.direction import LinkDirection
from fedray.environment.members import Members
from fedray.seeds import Purpose


class SteadyLink(LinkSection):
    """A kind of link whose bandwidth holds for a whole round."""

    @property
    @abstractmethod
    def nominal_mbps(self) -> float:
        """Bandwidth without losses that a server would assume before it has measured anything."""

    @abstractmethod
    def bandwidths(self, members: Members, round_: int) -> Floats:
        """Mb/s without losses of every device in a round, down and up, (devices, 2)."""

    def cells(self, members: Members) -> Ints:
        """The cell of each device, as in `Links.cells`; by default every device has a link of its own."""
        return np.full(members.count, -1)

    def open(self, members: Members) -> "SteadyLinks":
        return SteadyLinks(self, members)


class DrawnLink(SteadyLink):
    """A bandwidth drawn per device, round and direction."""

    up_share: float = Field(1.0, ge=1e-6, le=1e6, description="Upload bandwidth as a share of what is drawn for it.")

    @abstractmethod
    def draw(self, rng: np.random.Generator, members: Members) -> Floats:
        """Mb/s of every device and direction before `up_share`, (devices, 2); device i takes the i-th draw."""

    def bandwidths(self, members: Members, round_: int) -> Floats:
        scaled: Floats = self.draw(members.generator(Purpose.LINK, round_), members) * [1.0, self.up_share]
        return scaled


class VaryingLink(DrawnLink):
    """Bandwidth that varies between two bounds."""

    low_mbps: Mbps = Field(description="Lowest bandwidth, 1e6 bits per second; at most high_mbps.")
    high_mbps: Mbps = Field(description="Highest bandwidth, 1e6 bits per second.")

    @model_validator(mode="after")
    def _ordered(self) -> "VaryingLink":
        if self.low_mbps > self.high_mbps:
            raise ValueError("low_mbps must not exceed high_mbps")
        return self

    @property
    def nominal_mbps(self) -> float:
        return (self.low_mbps + self.high_mbps) / 2


@dataclass(frozen=True)
class SteadyLinks:
    """The links of a group of devices, steady within a round."""

    link: SteadyLink
    members: Members

    @property
    def declared_mbps(self) -> float:
        return self.link.nominal_mbps * (1 - self.link.loss)

    @property
    def recorded(self) -> list[tuple[str, str]]:
        return []

    @property
    def cells(self) -> Ints:
        return self.link.cells(self.members)

    def directions(self, round_: int) -> tuple[LinkDirection, LinkDirection]:
        mbps = self.link.bandwidths(self.members, round_) * (1 - self.link.loss)
        latency = np.full(self.members.count, self.link.latency_ms / 1000)
        return LinkDirection.steady(mbps[:, 0], latency), LinkDirection.steady(mbps[:, 1], latency)

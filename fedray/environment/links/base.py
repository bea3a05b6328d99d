"""What a kind of link is: a section of the scenario that opens the links of a group of devices."""

from abc import ABC, abstractmethod
from typing import Annotated, Protocol

from pydantic import Field

from fedray.arrays import Ints
from fedray.environment.links.direction import LinkDirection
from fedray.environment.members import Members
from fedray.sections import LARGEST, KindSection

Mbps = Annotated[float, Field(ge=0.001, le=1e6)]


class Links(Protocol):
    """The links of a group of devices over a run."""

    @property
    def declared_mbps(self) -> float:
        """What a server would assume before it has measured anything."""
        ...

    @property
    def recorded(self) -> list[tuple[str, str]]:
        """Name and SHA-256 of every trace in use, with its directions."""
        ...

    @property
    def cells(self) -> Ints:
        """The cell that each device shares the air of, numbered from 0; -1 for a device with a link of its own."""
        ...

    def directions(self, round_: int) -> tuple[LinkDirection, LinkDirection]:
        """Down and up in a round."""
        ...


class LinkSection(KindSection, ABC):
    """What every link has; a kind adds its key `kind`, its parameters and `open`."""

    latency_ms: float = Field(10.0, ge=0, le=LARGEST, description="Milliseconds added once to every transfer.")
    loss: float = Field(0.0, ge=0, lt=1, description="Share of packets lost and sent again; goodput falls by it.")

    @abstractmethod
    def open(self, members: Members) -> Links:
        """The links of a group of devices; SectionError if a file of the section is unusable."""

"""`fleet`: the devices, their power modes, their links, when they are online, and their faults."""

from typing import Annotated, Literal

from pydantic import Field

from fedray.scenario.schema.availability import Always, Availability, Battery, Faults
from fedray.scenario.schema.base import Positive, Section
from fedray.scenario.schema.links import Link, WifiLink


class DefaultMode(Section):
    """Every device runs in its profile's default power mode."""

    kind: Literal["default"]


class FixedMode(Section):
    """Every device of the group runs in one named power mode."""

    kind: Literal["fixed"]
    mode: str


class RandomMode(Section):
    """A power mode is drawn per device, and redrawn every `redraw_every` rounds."""

    kind: Literal["random"]
    redraw_every: Positive = Field(20, description="Rounds between draws (LEGEND's testbed: 20).")


ModePolicy = Annotated[DefaultMode | FixedMode | RandomMode, Field(discriminator="kind")]


class DeviceGroup(Section):
    """`count` devices of one profile."""

    profile: str = Field(description="A device of the catalogue: `fedray catalog devices`.")
    count: Annotated[int, Field(ge=1, le=1_000_000)]
    modes: ModePolicy = RandomMode(kind="random")
    link: Link | None = Field(None, description="Overrides the fleet's link.")
    availability: Availability | None = Field(None, description="Overrides the fleet's availability.")
    battery: Battery | None = Field(None, description="Overrides the fleet's battery.")
    faults: Faults | None = Field(None, description="Overrides the fleet's faults.")


def _legend_testbed() -> tuple[DeviceGroup, ...]:
    return (
        DeviceGroup(profile="jetson-tx2", count=30),
        DeviceGroup(profile="jetson-xavier-nx", count=40),
        DeviceGroup(profile="jetson-agx-xavier", count=10),
    )


class Fleet(Section):
    """The devices. Without groups: the LEGEND testbed, 30 TX2 + 40 Xavier NX + 10 AGX Xavier."""

    catalogue: str | None = Field(None, description="Folder with further device YAMLs.")
    groups: Annotated[tuple[DeviceGroup, ...], Field(strict=False, min_length=1)] = Field(
        default_factory=_legend_testbed
    )
    link: Link = WifiLink(kind="wifi")
    availability: Availability = Always(kind="always")
    battery: Battery | None = Field(None, description="null: mains.")
    faults: Faults = Faults()

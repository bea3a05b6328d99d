"""`fleet`: the devices, their power modes, their links, when they are online, and their faults."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from fedray.environment.availability import Always, Availability
from fedray.environment.links import Link, WifiLink
from fedray.scenario.schema.base import Positive, Section
from fedray.scenario.schema.faults import Battery, Faults


class DefaultMode(Section):
    """Every device runs in its profile's default power mode."""

    kind: Literal["default"] = Field(description="The profile's default power mode.")


class FixedMode(Section):
    """Every device of the group runs in one named power mode."""

    kind: Literal["fixed"] = Field(description="One named power mode.")
    mode: str = Field(description="A power mode of the profile: `fedray catalog devices PROFILE`.")


class RandomMode(Section):
    """A power mode is drawn per device, and redrawn every `redraw_every` rounds."""

    kind: Literal["random"] = Field(description="A power mode drawn per device.")
    redraw_every: Positive = Field(20, description="Rounds between draws (LEGEND's testbed: 20).")


ModePolicy = Annotated[DefaultMode | FixedMode | RandomMode, Field(discriminator="kind")]


class DeviceGroup(Section):
    """`count` devices of one profile."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"profile": "jetson-tx2", "count": 4}]})

    profile: str = Field(description="A device of the catalogue: `fedray catalog devices`.")
    count: Annotated[int, Field(ge=1, le=1_000_000)] = Field(description="Number of devices.")
    modes: ModePolicy = Field(RandomMode(kind="random"), description="Which power mode each device runs in.")
    link: Link | None = Field(None, description="Overrides the fleet's link; null: as the fleet's.")
    availability: Availability | None = Field(
        None, description="Overrides the fleet's availability; null: as the fleet's."
    )
    battery: Battery | None = Field(None, description="Overrides the fleet's battery; null: as the fleet's.")
    faults: Faults | None = Field(None, description="Overrides the fleet's faults; null: as the fleet's.")


def _legend_testbed() -> tuple[DeviceGroup, ...]:
    return (
        DeviceGroup(profile="jetson-tx2", count=30),
        DeviceGroup(profile="jetson-xavier-nx", count=40),
        DeviceGroup(profile="jetson-agx-xavier", count=10),
    )


class Fleet(Section):
    """The devices. Without groups: the LEGEND testbed, 30 TX2 + 40 Xavier NX + 10 AGX Xavier."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"groups": [{"profile": "jetson-tx2", "count": 4}]}]})

    catalogue: str | None = Field(
        None, description="Folder with further device YAMLs; null: fedray's own devices only."
    )
    groups: Annotated[tuple[DeviceGroup, ...], Field(strict=False, min_length=1)] = Field(
        default_factory=_legend_testbed, description="The devices, by profile; ids count through the groups in order."
    )
    link: Link = Field(WifiLink(kind="wifi"), description="How bytes reach the devices.")
    availability: Availability = Field(Always(kind="always"), description="When the devices are online.")
    battery: Battery | None = Field(None, description="Energy each device carries; null: all are on mains.")
    faults: Faults = Field(Faults(), description="What goes wrong, drawn per device and round.")

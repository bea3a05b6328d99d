"""`fleet`: the devices, their power modes and their links."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from fedray.scenario.schema.base import Positive, Section

Distances = Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(strict=False, min_length=1)]


class DefaultMode(Section):
    """Every device runs in its profile's default power mode."""

    kind: Literal["default"]


class FixedMode(Section):
    """Every device of the group runs in one named power mode."""

    kind: Literal["fixed"]
    mode: str


class RandomMode(Section):
    """A power mode is drawn per device, and drawn again every so many rounds."""

    kind: Literal["random"]
    redraw_every: Positive = Field(20, description="Rounds between draws (LEGEND's testbed: 20).")


ModePolicy = Annotated[DefaultMode | FixedMode | RandomMode, Field(discriminator="kind")]


class ConstantLink(Section):
    """The same bandwidth always."""

    kind: Literal["constant"]
    down_mbps: float = Field(gt=0)
    up_mbps: float = Field(gt=0)
    latency_ms: float = Field(10.0, ge=0)


class VaryingLink(Section):
    """Bandwidth that varies between two bounds."""

    low_mbps: float = Field(gt=0)
    high_mbps: float = Field(gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> "VaryingLink":
        if self.low_mbps > self.high_mbps:
            raise ValueError("low_mbps must not exceed high_mbps")
        return self


class UniformLink(VaryingLink):
    """Bandwidth drawn uniformly per device, round and direction."""

    kind: Literal["uniform"]
    latency_ms: float = Field(10.0, ge=0)


class WifiLink(VaryingLink):
    """WiFi at several distances (LEGEND's testbed: 2, 8, 14, 20 m; 1-30 Mb/s); devices are dealt to the distances.

    The mean falls linearly from high_mbps at the nearest place to low_mbps at the farthest; each round and direction
    varies log-normally around it, clipped to [low_mbps, high_mbps]. Mean and spread per place are reconstructed.
    """

    kind: Literal["wifi"]
    low_mbps: float = Field(1.0, gt=0)
    high_mbps: float = Field(30.0, gt=0)
    distances_m: Distances = (2.0, 8.0, 14.0, 20.0)
    spread: float = Field(0.35, ge=0, description="Standard deviation of the log of the bandwidth.")
    latency_ms: float = Field(5.0, ge=0)


Link = Annotated[ConstantLink | UniformLink | WifiLink, Field(discriminator="kind")]


class DeviceGroup(Section):
    """So many devices of one profile."""

    profile: str = Field(description="A device of the catalogue: `fedray catalog devices`.")
    count: Positive
    modes: ModePolicy = RandomMode(kind="random")
    link: Link | None = Field(None, description="Overrides the fleet's link.")


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

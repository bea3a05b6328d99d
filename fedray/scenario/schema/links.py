"""`link`: how bytes reach a device."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from fedray.scenario.schema.base import LARGEST, Positive, Section

Mbps = Annotated[float, Field(ge=0.001, le=1e6)]
Distances = Annotated[tuple[Annotated[float, Field(gt=0, le=LARGEST)], ...], Field(strict=False, min_length=1)]


class AnyLink(Section):
    """What every link has."""

    latency_ms: float = Field(10.0, ge=0, le=LARGEST, description="Of every transfer, once.")
    loss: float = Field(0.0, ge=0, lt=1, description="Share of packets lost and sent again: goodput falls by it.")


class ConstantLink(AnyLink):
    """The same bandwidth always."""

    kind: Literal["constant"]
    down_mbps: Mbps
    up_mbps: Mbps


class DrawnLink(AnyLink):
    """A bandwidth drawn per device, round and direction."""

    up_share: float = Field(1.0, ge=1e-6, le=1e6, description="Upload bandwidth as a share of what is drawn for it.")


class VaryingLink(DrawnLink):
    """Bandwidth that varies between two bounds."""

    low_mbps: Mbps
    high_mbps: Mbps

    @model_validator(mode="after")
    def _ordered(self) -> "VaryingLink":
        if self.low_mbps > self.high_mbps:
            raise ValueError("low_mbps must not exceed high_mbps")
        return self


class UniformLink(VaryingLink):
    """Bandwidth drawn uniformly per device, round and direction."""

    kind: Literal["uniform"]


class LogNormalLink(DrawnLink):
    """Bandwidth drawn log-normally per device, round and direction: as often twice as half the median."""

    kind: Literal["lognormal"]
    median_mbps: Mbps
    spread: float = Field(0.6, ge=0, le=5, description="Standard deviation of the log of the bandwidth.")


class WifiLink(VaryingLink):
    """WiFi at several distances (LEGEND's testbed: 2, 8, 14, 20 m; 1-30 Mb/s); devices are dealt to the distances.

    The mean falls linearly from high_mbps at the nearest place to low_mbps at the farthest; each round and direction
    varies log-normally around it, clipped to [low_mbps, high_mbps]. Mean and spread per place are reconstructed.
    """

    kind: Literal["wifi"]
    low_mbps: Mbps = 1.0
    high_mbps: Mbps = 30.0
    distances_m: Distances = (2.0, 8.0, 14.0, 20.0)
    spread: float = Field(0.35, ge=0, le=5, description="Standard deviation of the log of the bandwidth.")
    latency_ms: float = Field(5.0, ge=0, le=LARGEST, description="Of every transfer, once.")
    devices_per_cell: Positive | None = Field(
        None,
        description="Number of devices, consecutive by id, that share one access point's channel; null: none share.",
    )


class MarkovLink(AnyLink):
    """A link that is good or bad by turns (Gilbert-Elliott), each state lasting exponentially long, also in a transfer.

    Both directions change together. Every device has an hour of its own, repeated.
    """

    kind: Literal["markov"]
    good_mbps: Mbps
    bad_mbps: Mbps
    mean_good_seconds: float = Field(60.0, ge=1, le=LARGEST)
    mean_bad_seconds: float = Field(10.0, ge=1, le=LARGEST)
    up_share: float = Field(1.0, ge=1e-6, le=1e6, description="Upload bandwidth as a share of the state's.")

    @model_validator(mode="after")
    def _ordered(self) -> "MarkovLink":
        if self.bad_mbps > self.good_mbps:
            raise ValueError("bad_mbps must not exceed good_mbps")
        return self


class TraceLink(AnyLink):
    """Recorded bandwidth over time: every device follows one trace from a place of its own, and again from its start.

    Read are mahimahi packet traces (NAME.down, NAME.up or NAME.pps; a line is the millisecond at which 1,500 bytes can
    pass), JSON objects of named series {"NAME": {"dt": seconds, "mbps": [...]}}, and folders of them, also gzipped.
    NAME.down and NAME.up are one link's two directions; any other trace serves both.
    """

    kind: Literal["trace"]
    path: str = Field(description="A file or a folder, relative to the scenario.")
    up_share: float = Field(1.0, ge=1e-6, le=1e6, description="Upload bandwidth as a share of the trace's.")


Link = Annotated[
    ConstantLink | UniformLink | LogNormalLink | WifiLink | MarkovLink | TraceLink, Field(discriminator="kind")
]

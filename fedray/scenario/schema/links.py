"""`link`: how bytes reach a device."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from fedray.scenario.schema.base import LARGEST, Positive, Section

Mbps = Annotated[float, Field(ge=0.001, le=1e6)]
Distances = Annotated[tuple[Annotated[float, Field(gt=0, le=LARGEST)], ...], Field(strict=False, min_length=1)]


class AnyLink(Section):
    """What every link has."""

    latency_ms: float = Field(10.0, ge=0, le=LARGEST, description="Milliseconds added once to every transfer.")
    loss: float = Field(0.0, ge=0, lt=1, description="Share of packets lost and sent again; goodput falls by it.")


class ConstantLink(AnyLink):
    """The same bandwidth always."""

    kind: Literal["constant"] = Field(description="The same bandwidth always.")
    down_mbps: Mbps = Field(description="Download bandwidth, 1e6 bits per second.")
    up_mbps: Mbps = Field(description="Upload bandwidth, 1e6 bits per second.")


class DrawnLink(AnyLink):
    """A bandwidth drawn per device, round and direction."""

    up_share: float = Field(1.0, ge=1e-6, le=1e6, description="Upload bandwidth as a share of what is drawn for it.")


class VaryingLink(DrawnLink):
    """Bandwidth that varies between two bounds."""

    low_mbps: Mbps = Field(description="Lowest bandwidth, 1e6 bits per second; at most high_mbps.")
    high_mbps: Mbps = Field(description="Highest bandwidth, 1e6 bits per second.")

    @model_validator(mode="after")
    def _ordered(self) -> "VaryingLink":
        if self.low_mbps > self.high_mbps:
            raise ValueError("low_mbps must not exceed high_mbps")
        return self


class UniformLink(VaryingLink):
    """Bandwidth drawn uniformly per device, round and direction."""

    kind: Literal["uniform"] = Field(description="Bandwidth drawn uniformly per device, round and direction.")


class LogNormalLink(DrawnLink):
    """Bandwidth drawn log-normally per device, round and direction: as often twice as half the median."""

    kind: Literal["lognormal"] = Field(description="Bandwidth drawn log-normally per device, round and direction.")
    median_mbps: Mbps = Field(description="Median bandwidth, 1e6 bits per second.")
    spread: float = Field(0.6, ge=0, le=5, description="Standard deviation of the log of the bandwidth.")


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


class MarkovLink(AnyLink):
    """A link that is good or bad by turns (Gilbert-Elliott), each state lasting exponentially long, also in a transfer.

    Both directions change together. Every device has an hour of its own, repeated.
    """

    kind: Literal["markov"] = Field(description="A link that is good or bad by turns.")
    good_mbps: Mbps = Field(description="Download bandwidth in the good state, 1e6 bits per second.")
    bad_mbps: Mbps = Field(description="Download bandwidth in the bad state, 1e6 bits per second; at most good_mbps.")
    mean_good_seconds: float = Field(60.0, ge=1, le=LARGEST, description="Mean emulated seconds of a good state.")
    mean_bad_seconds: float = Field(10.0, ge=1, le=LARGEST, description="Mean emulated seconds of a bad state.")
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

    kind: Literal["trace"] = Field(description="Recorded bandwidth over time.")
    path: str = Field(description="A file or a folder, relative to the scenario.")
    up_share: float = Field(1.0, ge=1e-6, le=1e6, description="Upload bandwidth as a share of the trace's.")


Link = Annotated[
    ConstantLink | UniformLink | LogNormalLink | WifiLink | MarkovLink | TraceLink, Field(discriminator="kind")
]

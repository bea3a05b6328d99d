"""One direction of links in a round: how long bytes take, steady or along a trace."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fedray.arrays import Floats, Ints
from fedray.environment.traces import Trace


@dataclass(frozen=True)
class OffsetTrace:
    """A trace as one device meets it: from a place of its own, at a share of the recorded bandwidth."""

    trace: Trace
    offset_seconds: float
    share: float

    def transfer_seconds(self, size_bytes: float, start: float) -> float:
        return self.trace.transfer_seconds(8 * size_bytes / self.share, start + self.offset_seconds)

    def transferred_bytes(self, start: float, seconds: float) -> float:
        return self.trace.transferred_bits(start + self.offset_seconds, seconds) * self.share / 8


@dataclass(frozen=True)
class LinkDirection:
    """One direction of many links in one round, columns of shape (devices,).

    `mbps` (1e6 bits per second) holds for the whole round, unless `timed` says what passes when.
    """

    mbps: Floats
    latency_seconds: Floats
    timed: tuple[OffsetTrace | None, ...]

    @staticmethod
    def steady(mbps: Floats, latency_seconds: Floats) -> "LinkDirection":
        """A direction without traces."""
        return LinkDirection(mbps, latency_seconds, (None,) * len(mbps))

    @staticmethod
    def concatenate(parts: "Sequence[LinkDirection]") -> "LinkDirection":
        return LinkDirection(
            mbps=np.concatenate([part.mbps for part in parts]),
            latency_seconds=np.concatenate([part.latency_seconds for part in parts]),
            timed=tuple(timed for part in parts for timed in part.timed),
        )

    def transfer_seconds(self, devices: Ints, size_bytes: Ints, start_seconds: Floats) -> Floats:
        """Seconds of one transfer to or from each of some devices: latency once, then its bytes.

        Columns of shape (transfers,); `start_seconds` count from the start of the run and matter for traces only.
        """
        seconds = 8e-6 * size_bytes / self.mbps[devices]
        for place, device in enumerate(devices):
            if timed := self.timed[device]:
                begins = float(start_seconds[place] + self.latency_seconds[device])
                seconds[place] = timed.transfer_seconds(float(size_bytes[place]), begins)
        latent: Floats = self.latency_seconds[devices] + seconds
        return latent

    def transferred_bytes(
        self, devices: Ints, size_bytes: Ints, start_seconds: Floats, whole_seconds: Floats, seconds: Floats
    ) -> Ints:
        """Bytes transferred after part of a transfer's seconds; columns of shape (transfers,).

        Nothing passes in the latency. Then the bytes of a trace are those recorded; others pass evenly, in a cell too.
        """
        after = np.maximum(seconds - self.latency_seconds[devices], 0.0)
        moving = np.maximum(whole_seconds - self.latency_seconds[devices], 0.0)
        share = np.divide(after, moving, out=np.zeros_like(after), where=moving > 0)
        through = np.where(seconds >= whole_seconds, 1.0, share) * size_bytes
        for place in np.flatnonzero((seconds > 0) & (seconds < whole_seconds)):
            if timed := self.timed[devices[place]]:
                begins = float(start_seconds[place] + self.latency_seconds[devices[place]])
                through[place] = min(timed.transferred_bytes(begins, float(after[place])), size_bytes[place])
        whole_bytes: Ints = np.floor(through + 1e-6).astype(np.int64)
        return whole_bytes

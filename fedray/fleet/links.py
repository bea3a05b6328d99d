"""How bytes reach a device: the links of a group of devices, steady within a round or changing over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from fedray.arrays import Floats, Ints
from fedray.fleet.availability import window_lengths
from fedray.fleet.traces import Trace, TraceError, TracePair, of_rates, read_traces
from fedray.scenario.schema import ConstantLink, Link, LogNormalLink, MarkovLink, TraceLink, UniformLink, WifiLink
from fedray.scenario.source import Key, Source
from fedray.seeds import Purpose, generator

MARKOV_PERIOD = 3600.0  # seconds of good and bad states that a device has of its own


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


def open_links(link: Link, seed: int, group: int, count: int, source: Source, key: Key) -> Links:
    """The links of the `count` devices of fleet group `group`; ScenarioError at `key` for an unusable trace file."""
    if isinstance(link, TraceLink):
        try:
            recorded = read_traces(Path(link.path))
        except TraceError as error:
            raise source.error((*key, "path"), link.path, f"a trace file or a folder of them: {error}") from None
        rng = generator(seed, Purpose.TRACE, 0, group)
        order = rng.permutation(np.arange(count) % len(recorded))  # every trace as often as any other
        chosen = [recorded[index] for index in order]
        offsets = rng.uniform(0.0, [pair.down.period for pair in chosen])
        mean = float(np.mean([pair.down.mean_mbps for pair in recorded]))
        return _RecordedLinks(link, tuple(chosen), offsets, mean * (1 - link.loss))
    if isinstance(link, MarkovLink):
        fading = [_fading(link, seed, group, place) for place in range(count)]
        good = link.mean_good_seconds / (link.mean_good_seconds + link.mean_bad_seconds)
        mean = good * link.good_mbps + (1 - good) * link.bad_mbps
        return _RecordedLinks(link, tuple(fading), np.zeros(count), mean * (1 - link.loss))
    return _DrawnLinks(link, seed, group, count)


@dataclass(frozen=True)
class _DrawnLinks:
    """Links that are steady within a round; device i takes the i-th draw."""

    link: ConstantLink | UniformLink | LogNormalLink | WifiLink
    seed: int
    group: int
    count: int

    @property
    def declared_mbps(self) -> float:
        link = self.link
        if isinstance(link, ConstantLink):
            nominal = min(link.down_mbps, link.up_mbps)
        elif isinstance(link, LogNormalLink):
            nominal = link.median_mbps
        else:
            nominal = (link.low_mbps + link.high_mbps) / 2
        return nominal * (1 - link.loss)

    @property
    def recorded(self) -> list[tuple[str, str]]:
        return []

    @property
    def cells(self) -> Ints:
        if isinstance(self.link, WifiLink) and self.link.devices_per_cell is not None:
            return np.arange(self.count) // self.link.devices_per_cell
        return np.full(self.count, -1)

    def directions(self, round_: int) -> tuple[LinkDirection, LinkDirection]:
        mbps = self._drawn(round_) * (1 - self.link.loss)  # (devices, 2)
        latency = np.full(self.count, self.link.latency_ms / 1000)
        return LinkDirection.steady(mbps[:, 0], latency), LinkDirection.steady(mbps[:, 1], latency)

    def _drawn(self, round_: int) -> Floats:
        link, shape = self.link, (self.count, 2)
        if isinstance(link, ConstantLink):
            return np.tile([link.down_mbps, link.up_mbps], (self.count, 1))
        rng = generator(self.seed, Purpose.LINK, round_, self.group)
        if isinstance(link, UniformLink):
            drawn = rng.uniform(link.low_mbps, link.high_mbps, shape)
        elif isinstance(link, LogNormalLink):
            drawn = link.median_mbps * np.exp(link.spread * rng.standard_normal(shape))
        else:
            varied = self._wifi_means(link)[:, None] * np.exp(link.spread * rng.standard_normal(shape))
            drawn = np.clip(varied, link.low_mbps, link.high_mbps)
        scaled: Floats = drawn * [1.0, link.up_share]
        return scaled

    def _wifi_means(self, link: WifiLink) -> Floats:
        distances = np.asarray(link.distances_m)
        # equal numbers at each distance, shuffled, so that no place is missed by chance
        dealt = np.arange(self.count) % len(distances)
        places = generator(self.seed, Purpose.PLACE, 0, self.group).permutation(dealt)
        reach = np.ptp(distances)
        nearness = 1 - (distances - distances.min()) / reach if reach else np.ones(len(distances))
        mean: Floats = (link.low_mbps + nearness * (link.high_mbps - link.low_mbps))[places]
        return mean


@dataclass(frozen=True)
class _RecordedLinks:
    """Links that follow traces through the whole run."""

    link: TraceLink | MarkovLink
    pairs: tuple[TracePair, ...]
    offsets: Floats
    declared_mbps: float

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
        shares = (arrives, arrives * self.link.up_share)
        timed = [
            (OffsetTrace(pair.down, offset, shares[0]), OffsetTrace(pair.up, offset, shares[1]))
            for pair, offset in zip(self.pairs, self.offsets.tolist(), strict=True)
        ]
        unknown = np.full(len(self.pairs), np.nan)
        down, up = zip(*timed, strict=True)
        return LinkDirection(unknown, latency, down), LinkDirection(unknown, latency, up)


def _fading(link: MarkovLink, seed: int, group: int, place: int) -> TracePair:
    """A device's hour of good and bad states, beginning in either with the share of time it takes."""
    rng = generator(seed, Purpose.FADES, 0, group, place)
    lengths, good = window_lengths(rng, link.mean_good_seconds, link.mean_bad_seconds, MARKOV_PERIOD)
    is_good = np.arange(len(lengths)) % 2 != good
    trace = of_rates(lengths, np.where(is_good, link.good_mbps, link.bad_mbps))
    return TracePair("markov", trace, trace)

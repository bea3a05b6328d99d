"""When devices are online: windows over a period that repeats."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from pathlib import Path

import numpy as np

from fedray.arrays import Flags, Floats
from fedray.fleet.traces import TraceError, read_text
from fedray.scenario.schema import Availability, Bernoulli, Diurnal, OnOff, RecordedPresence
from fedray.scenario.source import Key, Source
from fedray.seeds import Purpose, generator

DAY = 86_400.0
HOUR = 3_600.0
GRACE = 1e-6  # seconds: a window that begins now has begun, however the sum of periods was rounded


@dataclass(frozen=True)
class OnlineWindows:
    """When a device is online: from `starts[i]` to `ends[i]` of every period, (windows,) ascending and disjoint.

    The last window may pass the end of the period and go on at the start of the next.
    """

    period: float
    starts: Floats
    ends: Floats

    def online_until(self, at: float) -> float:
        """The end of the window that contains a time since the run began; the time itself if the device is offline."""
        if self is ALWAYS:  # the usual case, and there may be 100,000 devices
            return inf
        lap, rest = divmod(at + GRACE, self.period)
        for shift in (0.0, self.period):  # a window of the period before may still go on
            place = int(np.searchsorted(self.starts, rest + shift, side="right")) - 1
            if place >= 0 and rest + shift < self.ends[place]:
                if len(self.starts) == 1 and self.ends[0] - self.starts[0] >= self.period:
                    return inf
                return lap * self.period - shift + float(self.ends[place])
        return at

    def next_online(self, at: float) -> float:
        """When the device is next online: now, or at the start of its next window; never if it has none."""
        if not len(self.starts):
            return inf
        if self.online_until(at) > at:
            return at
        lap, rest = divmod(at + GRACE, self.period)
        place = int(np.searchsorted(self.starts, rest, side="left"))
        if place == len(self.starts):
            return max(at, (lap + 1) * self.period + float(self.starts[0]))
        return max(at, lap * self.period + float(self.starts[place]))


ALWAYS = OnlineWindows(DAY, np.zeros(1), np.full(1, DAY))


def window_lengths(rng: np.random.Generator, mean_on: float, mean_off: float, period: float) -> tuple[Floats, bool]:
    """Exponential lengths by turns until a period is full, and whether the first is on (as often as time is on)."""
    first = bool(rng.random() < mean_on / (mean_on + mean_off))
    means = np.array([mean_on, mean_off] if first else [mean_off, mean_on])
    lengths = np.zeros(0)
    while lengths.sum() < period:
        some = 1 + int(period / means.sum())
        lengths = np.concatenate([lengths, (rng.standard_exponential((some, 2)) * means).ravel()])
    return lengths[: 1 + int(np.searchsorted(np.cumsum(lengths), period))], first


def presence_of(
    availability: Availability, seed: int, group: int, count: int, source: Source, key: Key
) -> tuple[OnlineWindows, ...]:
    """The windows of the `count` devices of fleet group `group`; ScenarioError at `key` for an unusable recording."""
    if isinstance(availability, RecordedPresence):
        try:
            recorded = list(_recorded(Path(availability.path)))
        except TraceError as error:
            raise source.error((*key, "path"), availability.path, f"recorded presence: {error}") from None
        rng = generator(seed, Purpose.PRESENCE, 0, group)
        order = rng.permutation(np.arange(count) % len(recorded))
        return tuple(_shifted(recorded[index], float(rng.uniform(0, recorded[index].period))) for index in order)
    if isinstance(availability, Bernoulli | OnOff | Diurnal):
        return tuple(_drawn(availability, seed, group, place) for place in range(count))
    return (ALWAYS,) * count


def of_switches(period: float, online: Flags, seconds: Floats) -> OnlineWindows:
    """OnlineWindows from states that each last so long and together make up the period; equal neighbours are joined."""
    begins = np.concatenate([[0.0], np.cumsum(seconds)[:-1]])
    changes = np.diff(online.astype(np.int8), prepend=0)
    starts, ends = begins[changes > 0], begins[changes < 0]
    if online[-1]:
        ends = np.append(ends, period)
    if len(starts) > 1 and starts[0] == 0 and ends[-1] == period:  # a window over the end of the period
        starts, ends = starts[1:], np.append(ends[1:-1], period + ends[0])
    return OnlineWindows(period, starts, ends)


def _drawn(availability: Bernoulli | OnOff | Diurnal, seed: int, group: int, place: int) -> OnlineWindows:
    """A day of a device's own, repeated."""
    rng = generator(seed, Purpose.PRESENCE, 0, group, place)
    if isinstance(availability, Bernoulli):
        slots = max(1, round(DAY / availability.spell_seconds))
        online = rng.random(slots) < availability.share
        seconds = np.full(slots, availability.spell_seconds)
        return of_switches(float(seconds.sum()), online, seconds)
    if isinstance(availability, OnOff):
        lengths, first = window_lengths(rng, availability.mean_on_seconds, availability.mean_off_seconds, DAY)
        return of_switches(float(lengths.sum()), np.arange(len(lengths)) % 2 != first, lengths)
    zone = availability.time_zones[place % len(availability.time_zones)]
    local = availability.from_hour + availability.spread_hours * float(rng.standard_normal())
    start = HOUR * ((local - zone - availability.start_hour) % 24)
    return OnlineWindows(DAY, np.array([start]), np.array([start + HOUR * availability.hours]))


def _recorded(file: Path) -> Iterator[OnlineWindows]:
    try:
        named = json.loads(read_text(file))
        for name, series in named.items():
            period = float(series["duration"])
            came, went = np.array(series["active"], np.float64), np.array(series["inactive"], np.float64)
            switches = np.concatenate([came, went])
            if not 0 < period < inf or not ((switches >= 0) & (switches <= period)).all():
                raise TraceError(f"{file}: {name}: duration is above 0, and what happens lies within it")
            yield _between_switches(period, came, went)
        if not named:
            raise TraceError(f"{file} holds no device's presence")
    except TraceError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        expected = '{"name": {"duration": seconds, "active": [seconds], "inactive": [seconds]}}'
        raise TraceError(f"{file}: expected is {expected}") from None


def _between_switches(period: float, came: Floats, went: Floats) -> OnlineWindows:
    """Windows from recorded switches; a device whose first switch is to offline was online from the start."""
    times = np.concatenate([came, went])
    states = np.concatenate([np.ones(len(came), np.bool_), np.zeros(len(went), np.bool_)])
    order = np.lexsort((states, times))
    times, states = times[order], states[order]
    first = bool(len(states)) and not states[0]
    knots = np.concatenate([[0.0], times, [period]])
    return of_switches(period, np.concatenate([[first], states]), np.diff(knots))


def _shifted(windows: OnlineWindows, offset: float) -> OnlineWindows:
    """The same windows, met from a later place of the period."""
    moved = windows.starts - offset
    cycles = np.floor(moved / windows.period) * windows.period
    order = np.argsort(moved - cycles)
    return OnlineWindows(windows.period, (moved - cycles)[order], (windows.ends - offset - cycles)[order])

"""`kind: trace`."""

import json
from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from fedray.arrays import Floats
from fedray.environment.availability.base import AvailabilitySection
from fedray.environment.members import Members
from fedray.environment.recordings import RecordingError, read_text
from fedray.environment.windows import OnlineWindows, of_switches
from fedray.sections import FilePath, SectionError
from fedray.seeds import Purpose


class RecordedPresence(AvailabilitySection):
    """Recorded times at which devices came and went, each dealt to a device, from a place of its own, repeated.

    A JSON object of named series in FedScale's words: {"NAME": {"duration": seconds, "active": [seconds at which it
    came], "inactive": [seconds at which it went]}}; may be gzipped.
    """

    kind: Literal["trace"] = Field(description="Recorded times at which devices came online and went offline.")
    path: FilePath = Field(description="A file, relative to the scenario.")

    def windows(self, members: Members) -> tuple[OnlineWindows, ...]:
        try:
            recorded = list(_recorded(Path(self.path)))
        except RecordingError as error:
            raise SectionError("path", f"recorded presence: {error}") from None
        rng = members.generator(Purpose.PRESENCE)
        order = rng.permutation(np.arange(members.count) % len(recorded))
        return tuple(_shifted(recorded[index], float(rng.uniform(0, recorded[index].period))) for index in order)


def _recorded(file: Path) -> Iterator[OnlineWindows]:
    try:
        named = json.loads(read_text(file))
        for name, series in named.items():
            period = float(series["duration"])
            came, went = np.array(series["active"], np.float64), np.array(series["inactive"], np.float64)
            switches = np.concatenate([came, went])
            if not 0 < period < inf or not ((switches >= 0) & (switches <= period)).all():
                raise RecordingError(f"{file}: {name}: duration is above 0, and what happens lies within it")
            yield _between_switches(period, came, went)
        if not named:
            raise RecordingError(f"{file} holds no device's presence")
    except RecordingError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        expected = '{"name": {"duration": seconds, "active": [seconds], "inactive": [seconds]}}'
        raise RecordingError(f"{file}: expected is {expected}") from None


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

"""What every device does when, in the course of a round."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from fedray.arrays import Floats, Ints
from fedray.protocol import Outcome
from fedray.results.round_devices import RoundDevices

PARTS = ("download", "compute", "upload")


class Activity(StrEnum):
    """What a device does at a time of a round."""

    DOWNLOAD = "download"
    TRAIN = "train"
    QUANTISED = "train quantised"
    UPLOAD = "upload"
    WAIT = "wait"
    OFF = "off"
    OUT_OF_MEMORY = "out of memory"


ROUNDING = 1e-9  # relative tolerance between two sums of the same seconds
AFTER = {
    Outcome.OUT_OF_MEMORY.value: Activity.OUT_OF_MEMORY,
    Outcome.VANISHED.value: Activity.OFF,
    Outcome.BATTERY_EMPTY.value: Activity.OFF,
}


@dataclass(frozen=True)
class Segments:
    """When devices do one thing: `rows[i]` does it for `seconds[i]` from `starts[i]` on; all of shape (segments,)."""

    rows: Ints
    starts: Floats
    seconds: Floats


def segments(devices: RoundDevices) -> dict[str, Segments]:
    """Downloads, computing and uploads in seconds from the start of the round; rows are positions in `devices`.

    A group's inner rounds are taken as equally long, each as long as its slowest device takes in the mean; what a
    device that did not finish has done is taken as one.
    """
    _, group = np.unique(devices.group, return_inverse=True)
    slowest = np.zeros(group.max() + 1)
    np.maximum.at(slowest, group, np.where(devices.finished, devices.busy_seconds, 0.0))
    repeats = np.where(devices.finished, devices.inner_rounds, 1)
    rows = np.repeat(np.arange(len(repeats)), repeats)
    inner_round = np.arange(len(rows)) - (np.cumsum(repeats) - repeats)[rows]
    begins = inner_round * (slowest[group] / devices.inner_rounds)[rows]
    spent = (devices.download_seconds, devices.compute_seconds, devices.upload_seconds)
    found = {}
    for name, column in zip(PARTS, spent, strict=True):
        seconds = (column / repeats)[rows]
        found[name] = Segments(rows, begins, seconds)
        begins = begins + seconds
    return found


@dataclass(frozen=True)
class Change:
    """From `seconds` into the round on, the device does `activity`."""

    seconds: float
    activity: Activity


def timelines(devices: RoundDevices) -> list[tuple[Change, ...]]:
    """For each device its changes, ascending; what lasts no time is left out, the last lasts until the round ends."""
    found: list[list[Change]] = [[] for _ in devices.id]
    download, compute, upload = segments(devices).values()
    ends = upload.starts + upload.seconds
    for i, row in enumerate(download.rows.tolist()):
        train = Activity.QUANTISED if devices.quantised_layers[row] else Activity.TRAIN
        for part, activity in ((download, Activity.DOWNLOAD), (compute, train), (upload, Activity.UPLOAD)):
            if part.seconds[i] > 0:
                found[row].append(Change(float(part.starts[i]), activity))
        goes_on = i + 1 < len(ends) and download.rows[i + 1] == row
        if not (goes_on and download.starts[i + 1] <= ends[i] * (1 + ROUNDING)):  # the slowest goes on at once
            found[row].append(Change(float(ends[i]), AFTER.get(devices.outcome[row], Activity.WAIT)))
    return [tuple(changes) for changes in found]

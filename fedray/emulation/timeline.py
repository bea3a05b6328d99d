"""When every device of a round downloads, computes and uploads, before anything cuts it short."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedray.costs import Work
from fedray.fleet import Conditions
from fedray.protocol import Floats, Ints, Plan


@dataclass(frozen=True)
class Leg:
    """One inner round: seconds of its parts, one after the other from `begins` on; columns of shape (assignments,).

    `taking` says who takes part; the others' seconds are 0.
    """

    taking: NDArray[np.bool_]
    begins: Floats
    download: Floats
    compute: Floats
    upload: Floats

    @property
    def ends(self) -> Floats:
        return self.begins + self.download + self.compute + self.upload

    def spent(self, until: Floats) -> tuple[Floats, Floats, Floats]:
        """Seconds of download, computing and upload until each device's moment."""
        left = until - self.begins
        download = np.clip(left, 0.0, self.download)
        compute = np.clip(left - self.download, 0.0, self.compute)
        upload = np.clip(left - self.download - self.compute, 0.0, self.upload)
        return download, compute, upload


@dataclass(frozen=True)
class Timeline:
    """A round's legs in order; `ends`, (assignments,), is when each device has sent its last update, or has failed."""

    legs: tuple[Leg, ...]
    ends: Floats


def walk(
    plan: Plan,
    works: Sequence[Work],
    computing: Floats,
    conditions: Conditions,
    started: float,
    *,
    fits: NDArray[np.bool_],
    stays: NDArray[np.bool_],
) -> Timeline:
    """The timeline of a plan's works that take so many seconds of computing; columns of shape (assignments,).

    An inner round begins when the slowest member of the group has ended the one before; nobody waits for members that
    do not stay. Who does not fit only downloads, once. Links are those at `started` and later, in emulated seconds
    since the run began; everything else counts from there.
    """
    devices = np.array([assignment.device for assignment in plan.assignments], np.int64)
    places = {group.id: place for place, group in enumerate(plan.groups)}
    group = np.array([places[assignment.group] for assignment in plan.assignments], np.int64)
    inner_rounds = np.array([group.inner_rounds for group in plan.groups], np.int64)[group]
    down_bytes = np.array([work.download_bytes for work in works], np.int64)
    up_bytes = np.array([work.upload_bytes for work in works], np.int64)

    legs: list[Leg] = []
    begins = ends = np.zeros(len(devices))
    for inner in range(int(inner_rounds.max(initial=0))):
        taking = (inner_rounds > inner) & (fits | (inner == 0))
        download = _transfers(conditions.down.transfer_seconds, taking, devices, down_bytes, started + begins)
        compute = np.where(taking & fits, computing / inner_rounds, 0.0)
        ready = started + begins + download + compute
        upload = _transfers(conditions.up.transfer_seconds, taking & fits, devices, up_bytes, ready)
        leg = Leg(taking, begins, download, compute, upload)
        legs.append(leg)
        ends = np.where(taking, leg.ends, ends)
        slowest = np.zeros(len(plan.groups))
        waited_for = taking & fits & stays
        np.maximum.at(slowest, group[waited_for], leg.ends[waited_for])
        begins = np.maximum(slowest[group], ends)
    return Timeline(tuple(legs), ends)


def _transfers(
    transfer_seconds: Callable[[Ints, Ints, Floats], Floats],
    taking: NDArray[np.bool_],
    devices: Ints,
    size_bytes: Ints,
    start: Floats,
) -> Floats:
    """Seconds of the transfers of those that take part."""
    seconds = np.zeros(len(devices))
    seconds[taking] = transfer_seconds(devices[taking], size_bytes[taking], start[taking])
    return seconds

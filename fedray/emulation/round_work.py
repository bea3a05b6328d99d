"""The work of a round on its devices, and when its phases happen: downloads, computing, uploads by inner round."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fedray.arrays import Flags, Floats, Ints
from fedray.costs import Pricing, Work
from fedray.fleet import Conditions
from fedray.protocol import Plan


@dataclass(frozen=True)
class InnerRoundTimes:
    """One inner round: seconds of its parts, one after the other from `begins` on; columns of shape (assignments,).

    `taking` says who takes part; the others' seconds are 0.
    """

    taking: Flags
    begins: Floats
    download: Floats
    compute: Floats
    upload: Floats

    @property
    def ends(self) -> Floats:
        return self.begins + self.download + self.compute + self.upload

    def spent(self, until: Floats) -> tuple[Floats, Floats, Floats]:
        """Seconds of download, computing and upload until each device's time."""
        left = until - self.begins
        download = np.clip(left, 0.0, self.download)
        compute = np.clip(left - self.download, 0.0, self.compute)
        upload = np.clip(left - self.download - self.compute, 0.0, self.upload)
        return download, compute, upload


@dataclass(frozen=True)
class Timeline:
    """The inner rounds of a round; `ends`, (assignments,), is when each device sent its last update or failed."""

    inner_rounds: tuple[InnerRoundTimes, ...]
    ends: Floats


@dataclass(frozen=True)
class PlannedWork:
    """The works of a plan: few are distinct, many devices do the same; `kind`, (assignments,), says which."""

    works: tuple[Work, ...]
    kind: Ints

    @staticmethod
    def of(plan: Plan, pricing: Pricing) -> "PlannedWork":
        """Priced once for all assignments that share their adapter, steps, quantisation and hook."""
        priced: dict[tuple[int, int, int, int], Work] = {}
        kinds: dict[int, int] = {}
        kind = np.empty(len(plan.assignments), np.int64)
        for place, one in enumerate(plan.assignments):
            key = (id(one.spec), one.local_steps, id(one.quantisation), id(one.hook))
            if key not in priced:
                priced[key] = pricing.work_of(one)
            kind[place] = kinds.setdefault(id(priced[key]), len(kinds))
        works = {id(work): work for work in priced.values()}
        return PlannedWork(tuple(works[identity] for identity in kinds), kind)

    def column(self, value: Callable[[Work], float]) -> Floats:
        """A value of every assignment's work, (assignments,)."""
        return np.array([value(work) for work in self.works], np.float64)[self.kind]

    def compute_seconds(self, devices: Ints, conditions: Conditions) -> Floats:
        """Seconds of every work on its device, (assignments,)."""
        seconds = np.empty(len(self.kind))
        order = np.argsort(self.kind, kind="stable")
        bounds = np.searchsorted(self.kind[order], np.arange(1, len(self.works)))
        for work, alike in zip(self.works, np.split(order, bounds), strict=True):
            mine = devices[alike]
            seconds[alike] = work.compute_seconds(
                conditions.flops_per_second[mine], conditions.bytes_per_second[mine], conditions.launch_seconds[mine]
            )
        return seconds


@dataclass(frozen=True)
class RoundWork:
    """What a timeline is built from: a plan's works on their devices, columns of shape (assignments,).

    An inner round begins when the slowest member of the group has ended the one before; the group does not wait for
    members that do not stay. A device whose memory is too small only downloads, once. Links are those from `started`
    on, in emulated seconds since the run began; all other times count from `started`.
    """

    devices: Ints
    group: Ints  # place in the plan's groups
    groups: int
    inner_rounds: Ints
    down_bytes: Ints
    up_bytes: Ints
    computing: Floats
    conditions: Conditions
    started: float
    fits: Flags
    stays: Flags

    @staticmethod
    def of(
        plan: Plan,
        works: PlannedWork,
        computing: Floats,
        conditions: Conditions,
        started: float,
        fits: Flags,
        stays: Flags,
    ) -> "RoundWork":
        """The work of a plan whose assignments compute for `computing` seconds, (assignments,)."""
        places = {group.id: place for place, group in enumerate(plan.groups)}
        group = np.array([places[assignment.group] for assignment in plan.assignments], np.int64)
        return RoundWork(
            devices=np.array([assignment.device for assignment in plan.assignments], np.int64),
            group=group,
            groups=len(plan.groups),
            inner_rounds=np.array([group.inner_rounds for group in plan.groups], np.int64)[group],
            down_bytes=works.column(lambda work: work.download_bytes).astype(np.int64),
            up_bytes=works.column(lambda work: work.upload_bytes).astype(np.int64),
            computing=computing,
            conditions=conditions,
            started=started,
            fits=fits,
            stays=stays,
        )

    @property
    def most_inner_rounds(self) -> int:
        return int(self.inner_rounds.max(initial=0))

    def takes(self, inner: int) -> Flags:
        """Who takes part in an inner round, counted from 0."""
        return (self.inner_rounds > inner) & (self.fits | (inner == 0))

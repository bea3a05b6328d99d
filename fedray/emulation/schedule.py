"""One synchronous round: download, compute, upload, wait, for every device; and who does not get through."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf, nan
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from fedray.arrays import Flags, Floats, Ints
from fedray.costs import Pricing
from fedray.emulation.energy import DeviceLimits, Power, battery_empty, rest_lasts
from fedray.emulation.event_simulator import build_timeline
from fedray.emulation.round_work import PlannedWork, RoundWork, Timeline
from fedray.fleet import Conditions
from fedray.protocol import Assignment, DeviceReport, Outcome, Plan
from fedray.scenario.schema import Corruption


@dataclass(frozen=True)
class RoundTermination:
    """When the server ends a round early: after a deadline, or once `wanted` updates have arrived."""

    deadline_seconds: float = inf
    wanted: int | None = None


@dataclass(frozen=True)
class Schedule:
    """What everything takes, in emulated seconds from the start of the round; every column is (assignments,).

    Groups run independently of each other and meet at the end of the round. Inside a group, every one of its inner
    rounds is a download, a share of the local steps, an upload, and waiting for the slowest member. Seconds and bytes
    are sums over inner rounds, until a device stops; so are working joules, which contain the idle draw of
    waiting until then. A device that finished rests until the round is over; one that failed is in no account after.

    The round lasts until the server knows the outcome of every device, or until a `RoundTermination` ends it. The
    server learns at once that a device runs out of memory (when it would start computing) or vanishes, and that an
    upload is lost when it would have ended. Devices still at work when the round ends stop then; their work is wasted.
    """

    devices: Ints
    download_seconds: Floats
    compute_seconds: Floats
    upload_seconds: Floats
    end_seconds: Floats
    waiting_seconds: Floats  # for the group's slowest member, for other groups or for the server; 0 for who failed
    round_seconds: float
    outcomes: tuple[Outcome, ...]
    layer_seconds: Floats  # true seconds of one layer's forward pass, as the device would measure them
    down_mbps: Floats  # goodput as the server measures it: latency counts
    up_mbps: Floats
    bytes_down: Ints
    bytes_up: Ints
    memory_bytes: Floats
    memory_limit_bytes: Floats
    working_joules: Floats  # until the device stops
    idle_watts: Floats
    resting_seconds: Floats  # powered and done, until the round is over or the battery empty
    rest_lasts: Floats  # seconds that the battery allows of it; inf on mains, 0 if the device failed
    wasted_seconds: Floats  # of computing and transfers
    wasted_joules: Floats  # of work only, not of rest
    wasted_bytes: Ints
    corruptions: Mapping[int, Corruption]  # by device, of those that finish

    @property
    def finished(self) -> Flags:
        """Whose updates the server has."""
        return np.array([outcome is Outcome.FINISHED for outcome in self.outcomes], np.bool_)

    @property
    def joules(self) -> Floats:
        """What the round drew from each device: what a battery pays for it."""
        return self.working_joules + self.idle_watts * self.resting_seconds

    @property
    def fits(self) -> Flags:
        """Who has the memory for its part."""
        return self.memory_bytes <= self.memory_limit_bytes

    @property
    def busy_seconds(self) -> Floats:
        """What each device does itself."""
        return self.download_seconds + self.compute_seconds + self.upload_seconds

    @property
    def mean_waiting_seconds(self) -> float:
        """Over the devices that finished."""
        return float(self.waiting_seconds[self.finished].mean()) if self.finished.any() else 0.0

    @property
    def peak_memory_bytes(self) -> int:
        """The most any device needs, whether it has it or not."""
        return int(self.memory_bytes.max())

    def finishing(self, plan: Plan) -> list[Assignment]:
        """The assignments that come to an end."""
        return [assignment for assignment, done in zip(plan.assignments, self.finished, strict=True) if done]

    def reports(
        self, losses: Mapping[int, float], measured: Mapping[int, tuple[float, ...]] = MappingProxyType({})
    ) -> list[DeviceReport]:
        """What the server learns of every device that finished; `losses` and what hooks measured, by device."""
        columns = (self.devices, self.layer_seconds, self.down_mbps, self.up_mbps)
        rows = zip(*(column[self.finished].tolist() for column in columns), strict=True)
        return [
            DeviceReport(device, layer, down, up, losses.get(device, nan), measured.get(device, ()))
            for device, layer, down, up in rows
        ]


def simulate(
    plan: Plan,
    conditions: Conditions,
    pricing: Pricing,
    started: float,
    limits: DeviceLimits,
    termination: RoundTermination,
) -> Schedule:
    """The schedule of a plan under the truth of a round that starts at `started` emulated seconds."""
    devices = np.array([assignment.device for assignment in plan.assignments], np.int64)
    works = PlannedWork.of(plan, pricing)
    memory, limit = works.column(lambda work: work.memory_bytes), conditions.memory_bytes[devices]
    round_faults = conditions.round_faults
    slowed = works.compute_seconds(devices, conditions) * round_faults.slowed_by[devices]
    lost = np.nan_to_num(round_faults.crashes_at[devices] * slowed + round_faults.reboot_seconds[devices])

    fits, vanishes = memory <= limit, ~np.isnan(round_faults.vanishes_at[devices])
    round_work = RoundWork.of(plan, works, slowed + lost, conditions, started, fits, ~vanishes)
    power = Power.of(conditions, devices)
    timeline = build_timeline(round_work)
    empty = battery_empty(timeline, power, limits)
    cut_short = np.minimum(limits.leaves - started, empty) < timeline.ends
    if (cut_short & ~vanishes).any() and len(timeline.inner_rounds) > 1:  # groups do not wait for them either
        timeline = build_timeline(replace(round_work, stays=~(vanishes | cut_short)))
        empty = battery_empty(timeline, power, limits)
    vanishing = np.where(vanishes, np.nan_to_num(round_faults.vanishes_at[devices]) * timeline.ends, inf)
    vanishing = np.where(cut_short, np.minimum(vanishing, limits.leaves - started), vanishing)
    ends = np.minimum(timeline.ends, np.minimum(vanishing, empty))

    outcomes = np.full(len(devices), Outcome.FINISHED, object)
    outcomes[round_faults.upload_lost[devices]] = Outcome.UPLOAD_LOST
    outcomes[vanishes | cut_short] = Outcome.VANISHED
    outcomes[(empty < timeline.ends) & (empty <= vanishing)] = Outcome.BATTERY_EMPTY
    outcomes[~fits] = Outcome.OUT_OF_MEMORY
    ends = np.where(fits, ends, timeline.ends)
    round_seconds, outcomes = _ended_by(termination, devices, ends, outcomes)

    stops = np.minimum(ends, round_seconds)
    finished = outcomes == Outcome.FINISHED
    spent = [times.spent(stops) for times in timeline.inner_rounds]
    download, compute, upload = (np.sum([times[part] for times in spent], axis=0) for part in range(3))
    bytes_down, bytes_up = _bytes_through(round_work, timeline, stops)
    working = power.joules(stops, compute, download + upload)
    lasts = rest_lasts(limits.charge + limits.charging_watts * stops - working, power, limits, finished)
    return Schedule(
        devices=devices,
        download_seconds=download,
        compute_seconds=compute,
        upload_seconds=upload,
        end_seconds=stops,
        waiting_seconds=np.where(finished, np.maximum(round_seconds - (download + compute + upload), 0.0), 0.0),
        round_seconds=round_seconds,
        outcomes=tuple(outcomes),
        layer_seconds=(slowed + lost) / works.column(lambda work: work.layer_passes),
        down_mbps=_goodput(bytes_down, download),
        up_mbps=_goodput(bytes_up, upload),
        bytes_down=bytes_down,
        bytes_up=bytes_up,
        memory_bytes=memory,
        memory_limit_bytes=limit,
        working_joules=working,
        idle_watts=power.idle,
        resting_seconds=np.minimum(round_seconds - stops, lasts),
        rest_lasts=lasts,
        wasted_seconds=np.where(finished, lost, download + compute + upload),
        wasted_joules=np.where(finished, lost * power.compute, working),
        wasted_bytes=np.where(finished, 0, bytes_down + bytes_up),
        corruptions={
            int(device): corruption
            for device, done in zip(devices, finished, strict=True)
            if done and (corruption := round_faults.corruptions[device])
        },
    )


def _ended_by(
    termination: RoundTermination, devices: Ints, ends: Floats, outcomes: NDArray[np.object_]
) -> tuple[float, NDArray[np.object_]]:
    """When the round ends, and the outcomes then; of updates that are in at the same time the lower id is first."""
    known = min(float(ends.max(initial=0.0)), termination.deadline_seconds)
    finishing = np.flatnonzero((outcomes == Outcome.FINISHED) & (ends <= known))
    first = finishing[np.lexsort((devices[finishing], ends[finishing]))]
    if termination.wanted is not None and len(first) >= termination.wanted:
        first = first[: termination.wanted]
        known = float(ends[first[-1]])
        missed = Outcome.SURPLUS
    else:
        missed = Outcome.LATE
    after = outcomes.copy()
    after[(outcomes == Outcome.FINISHED) | (ends > known)] = missed
    after[first] = Outcome.FINISHED
    return known, after


def _bytes_through(round_work: RoundWork, timeline: Timeline, stops: Floats) -> tuple[Ints, Ints]:
    """Bytes of all inner rounds, down and up, that were through when each device stopped."""
    down, up = np.zeros(len(stops), np.int64), np.zeros(len(stops), np.int64)
    devices, directions = round_work.devices, round_work.conditions
    for times in timeline.inner_rounds:
        downloaded, _, uploaded = times.spent(stops)
        begun = times.taking & (times.begins <= stops)
        start = round_work.started + times.begins
        through = directions.down.transferred_bytes(devices, round_work.down_bytes, start, times.download, downloaded)
        down += np.where(begun, through, 0)
        ready = times.begins + times.download + times.compute
        start = round_work.started + ready
        through = directions.up.transferred_bytes(devices, round_work.up_bytes, start, times.upload, uploaded)
        up += np.where(begun & round_work.fits & (ready <= stops), through, 0)
    return down, up


def _goodput(size_bytes: Ints, seconds: Floats) -> Floats:
    """Mb/s reached; 0 where nothing was sent."""
    mbps: Floats = np.divide(8e-6 * size_bytes, seconds, out=np.zeros_like(seconds), where=size_bytes > 0)
    return mbps

"""What is told of a run while it goes on, summed up round by round."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from fedray.arrays import Ints
from fedray.errors import UserError
from fedray.results import DeviceRecord, RoundRecord, TrainedDeviceRecord
from fedray.results.divergence import LabelMixes
from fedray.scenario.schema import Scenario, Synchronous
from fedray.telemetry import Snapshot
from fedray.telemetry.snapshot import (
    BOUNDS,
    OUTCOMES,
    PHASES,
    DeviceSeries,
    GroupSeries,
    Histogram,
    ProfileSeries,
)


@dataclass
class _ProfileTotals:
    """Sums of a profile since the run began; `counts` are (phases, buckets)."""

    counts: Ints = field(default_factory=lambda: np.zeros((len(PHASES), len(BOUNDS) + 1), np.int64))
    seconds: list[float] = field(default_factory=lambda: [0.0] * len(PHASES))
    bytes_up: int = 0
    bytes_down: int = 0
    joules: float = 0.0

    def add(self, device: DeviceRecord) -> None:
        self.bytes_up += device.bytes_up
        self.bytes_down += device.bytes_down
        self.joules += device.joules
        if device.finished:
            spent = (device.download_seconds, device.compute_seconds, device.upload_seconds, device.waiting_seconds)
            self.counts[range(len(PHASES)), np.searchsorted(BOUNDS, spent)] += 1
            self.seconds = [total + mine for total, mine in zip(self.seconds, spent, strict=True)]

    @property
    def phases(self) -> Mapping[str, Histogram]:
        rows = zip(PHASES, self.counts.tolist(), self.seconds, strict=True)
        return {phase: Histogram(tuple(counts), total) for phase, counts, total in rows}


class RunMetrics:
    """Responsibilities: add up completed rounds, and say where the run stands."""

    def __init__(self, run: str, scenario: Scenario, shards: Mapping[int, Sequence[int]] | None) -> None:
        """`shards`: examples per label by device, or None where there are no labels."""
        most = scenario.telemetry.device_series
        self.run = run
        self.method: str = scenario.method["name"]
        self.rounds = scenario.training.rounds
        self.with_devices = scenario.device_count <= most
        # devices on their own time are grouped by the version they started from, and there is no end of versions
        self.most_groups = most if isinstance(scenario.training.schedule, Synchronous) else 0
        self.mixes = LabelMixes(shards or {})
        self.profiles: defaultdict[str, _ProfileTotals] = defaultdict(_ProfileTotals)
        self.dropped: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()
        self.wasted_seconds, self.wasted_joules, self.wasted_bytes = 0.0, 0.0, 0
        self.overloads: int | None = None
        self.accuracy: float | None = None
        self.loss: float | None = None
        self.last: RoundRecord | None = None
        self.lines: Sequence[TrainedDeviceRecord] = ()
        self.known: dict[int, DeviceSeries] = {}

    def add(self, record: RoundRecord, lines: Sequence[TrainedDeviceRecord]) -> None:
        """Count a completed round and its devices; UserError for an outcome that no device can have."""
        self.last, self.lines = record, lines
        for line in lines:
            if line.device.outcome not in OUTCOMES:
                raise UserError(f"round {record.round}, device {line.device.id}: no outcome {line.device.outcome!r}")
            self.profiles[line.device.profile].add(line.device)
            if line.rejected:
                self.rejected[line.rejected] += 1
        self.dropped.update(record.dropped_by)
        self.wasted_seconds += record.wasted_seconds
        self.wasted_joules += record.wasted_joules
        self.wasted_bytes += record.wasted_bytes
        if record.enforcement:
            self.overloads = (self.overloads or 0) + record.enforcement.overloads
        if record.accuracy is not None:
            self.accuracy, self.loss = record.accuracy, record.loss
        if self.with_devices:
            self.known |= {line.device.id: _device_series(line) for line in lines}

    def snapshot(self, coordinator_seconds: Mapping[str, float]) -> Snapshot:
        """Where the run stands; before the first round, too."""
        last = self.last
        return Snapshot(
            run=self.run,
            method=self.method,
            round=last.round if last else 0,
            rounds=self.rounds,
            accuracy=self.accuracy,
            loss=self.loss,
            emulated_seconds=last.emulated_seconds if last else 0.0,
            round_seconds=last.round_seconds if last else 0.0,
            mean_waiting_seconds=last.mean_waiting_seconds if last else 0.0,
            participants=last.participants if last else 0,
            dropped_by=dict(self.dropped),
            rejected_by=dict(self.rejected),
            wasted_seconds=self.wasted_seconds,
            wasted_joules=self.wasted_joules,
            wasted_bytes=self.wasted_bytes,
            mean_depth=last.mean_depth if last else 0.0,
            mean_rank=last.mean_rank if last else 0.0,
            profiles=self._profile_series(),
            groups=last.groups if last else 0,
            group_series=self._group_series(),
            devices=tuple(self.known.values()),
            coordinator_seconds=dict(coordinator_seconds),
            dilation=last.enforcement.dilation if last and last.enforcement else None,
            overloads=self.overloads,
        )

    def _profile_series(self) -> tuple[ProfileSeries, ...]:
        mine: defaultdict[str, list[DeviceRecord]] = defaultdict(list)
        for line in self.lines:
            mine[line.device.profile].append(line.device)
        return tuple(
            ProfileSeries(
                profile=profile,
                phases=totals.phases,
                bytes_up=totals.bytes_up,
                bytes_down=totals.bytes_down,
                joules=totals.joules,
                devices=len(mine[profile]),
                mean_depth=sum(one.depth for one in mine[profile]) / max(len(mine[profile]), 1),
                mean_rank=sum(_mean_rank(one) for one in mine[profile]) / max(len(mine[profile]), 1),
            )
            for profile, totals in sorted(self.profiles.items())
        )

    def _group_series(self) -> tuple[GroupSeries, ...]:
        members: defaultdict[int, list[DeviceRecord]] = defaultdict(list)
        for line in self.lines:
            members[line.device.group].append(line.device)
        if len(members) > self.most_groups:
            return ()
        return tuple(
            GroupSeries(
                group, len(devices), devices[0].inner_rounds, self.mixes.divergence([device.id for device in devices])
            )
            for group, devices in sorted(members.items())
        )


def _device_series(line: TrainedDeviceRecord) -> DeviceSeries:
    device = line.device
    return DeviceSeries(
        id=device.id,
        profile=device.profile,
        outcome=device.outcome,
        depth=device.depth,
        mean_rank=_mean_rank(device),
        busy_seconds=device.download_seconds + device.compute_seconds + device.upload_seconds,
        waiting_seconds=device.waiting_seconds,
        memory_ratio=device.memory_bytes / device.memory_limit_bytes if device.memory_limit_bytes else 0.0,
        joules=device.joules,
        loss=line.loss,
    )


def _mean_rank(device: DeviceRecord) -> float:
    return sum(device.ranks) / max(len(device.ranks), 1)

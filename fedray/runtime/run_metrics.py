"""What is told of a run while it goes on, summed up round by round."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from fedray.arrays import Flags, Ints
from fedray.errors import UserError
from fedray.results import DeviceRecord, RoundRecord
from fedray.results.label_mixes import LabelMixes
from fedray.results.round_devices import RoundDevices, TrainedDevices
from fedray.scenario.schema import Scenario
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

    def add(self, devices: RoundDevices, mine: Flags) -> None:
        """Some devices of a round."""
        self.bytes_up += int(devices.bytes_up[mine].sum())
        self.bytes_down += int(devices.bytes_down[mine].sum())
        self.joules += float(devices.joules[mine].sum())
        done = mine & devices.finished
        spent = (devices.download_seconds, devices.compute_seconds, devices.upload_seconds, devices.waiting_seconds)
        for phase, seconds in enumerate(spent):
            self.counts[phase] += np.bincount(np.searchsorted(BOUNDS, seconds[done]), minlength=len(BOUNDS) + 1)
            self.seconds[phase] += float(seconds[done].sum())

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
        self.most_groups = most
        self.mixes = LabelMixes(shards or {})
        self.profiles: defaultdict[str, _ProfileTotals] = defaultdict(_ProfileTotals)
        self.dropped: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()
        self.wasted_seconds, self.wasted_joules, self.wasted_bytes = 0.0, 0.0, 0
        self.overloads: int | None = None
        self.accuracy: float | None = None
        self.loss: float | None = None
        self.last: RoundRecord | None = None
        self.devices: RoundDevices | None = None
        self.known: dict[int, DeviceSeries] = {}

    def add(self, record: RoundRecord, trained: TrainedDevices | None) -> None:
        """Count a completed round and its devices; UserError for an outcome that no device can have."""
        self.last, self.devices = record, trained.devices if trained else None
        if trained is not None:
            devices = trained.devices
            if strange := sorted(set(devices.outcome) - set(OUTCOMES)):
                device = int(devices.id[devices.outcome.index(strange[0])])
                raise UserError(f"round {record.round}, device {device}: no outcome {strange[0]!r}")
            for profile, mine in _by_profile(devices).items():
                self.profiles[profile].add(devices, mine)
            self.rejected.update(reason for reason in trained.rejected if reason)
            if self.with_devices:
                rows = zip(devices.rows(), devices.mean_ranks.tolist(), trained.loss, strict=True)
                self.known |= {device.id: _device_series(device, rank, loss) for device, rank, loss in rows}
        self.dropped.update(record.dropped_by)
        self.wasted_seconds += record.wasted_seconds
        self.wasted_joules += record.wasted_joules
        self.wasted_bytes += record.wasted_bytes
        if record.enforcement:
            self.overloads = (self.overloads or 0) + record.enforcement.overloads
        if record.loss is not None:
            self.accuracy, self.loss = record.accuracy, record.loss

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
        devices = self.devices
        mine = _by_profile(devices) if devices else {}
        ranks = devices.mean_ranks if devices else np.zeros(0)
        return tuple(
            ProfileSeries(
                profile=profile,
                phases=totals.phases,
                bytes_up=totals.bytes_up,
                bytes_down=totals.bytes_down,
                joules=totals.joules,
                devices=int(mine[profile].sum()) if profile in mine else 0,
                mean_depth=float(devices.depth[mine[profile]].mean()) if devices and profile in mine else 0.0,
                mean_rank=float(ranks[mine[profile]].mean()) if profile in mine else 0.0,
            )
            for profile, totals in sorted(self.profiles.items())
        )

    def _group_series(self) -> tuple[GroupSeries, ...]:
        devices = self.devices
        if devices is None:
            return ()
        groups = np.unique(devices.group).tolist()
        if len(groups) > self.most_groups:
            return ()
        series = []
        for group in groups:
            mine = devices.group == group
            divergence = self.mixes.divergence(devices.id[mine].tolist())
            series.append(GroupSeries(group, int(mine.sum()), int(devices.inner_rounds[mine][0]), divergence))
        return tuple(series)


def _by_profile(devices: RoundDevices) -> dict[str, Flags]:
    """Which devices are of each profile, (devices,)."""
    names = np.array(devices.profile)
    return {str(name): names == name for name in np.unique(names)}


def _device_series(device: DeviceRecord, mean_rank: float, loss: float | None) -> DeviceSeries:
    return DeviceSeries(
        id=device.id,
        profile=device.profile,
        outcome=device.outcome,
        depth=device.depth,
        mean_rank=mean_rank,
        busy_seconds=device.download_seconds + device.compute_seconds + device.upload_seconds,
        waiting_seconds=device.waiting_seconds,
        memory_ratio=device.memory_bytes / device.memory_limit_bytes if device.memory_limit_bytes else 0.0,
        joules=device.joules,
        loss=loss,
    )

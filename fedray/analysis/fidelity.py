"""How well a run under the wall clock kept to what the virtual clock computed for it."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fedray.errors import UserError
from fedray.protocol import Phase
from fedray.results.records import DeviceRecord, MeasuredPhases, TrainedDeviceRecord
from fedray.results.run_directory import RunDirectory

PHASES = tuple(phase.value for phase in Phase)


@dataclass(frozen=True)
class ErrorStats:
    """Planned against enforced seconds of one kind, over `count` of them: |enforced / planned - 1|."""

    mean_error: float
    p95_error: float
    count: int


@dataclass(frozen=True)
class DeviceAccord:
    """One device, in means over its rounds: emulated seconds of each phase, planned and enforced, and the error."""

    device: int
    profile: str
    planned_seconds: dict[str, float]
    enforced_seconds: dict[str, float]
    mean_error: float


@dataclass(frozen=True)
class Fidelity:
    """Two runs of one scenario, one under each clock. `bound` is what no mean error may exceed."""

    phases: dict[str, ErrorStats]  # download, compute, upload, round
    devices: tuple[DeviceAccord, ...]
    least_dilation: float
    most_dilation: float
    overloads: int
    same_digest: bool
    bound: float

    @property
    def holds(self) -> bool:
        """Whether both clocks agree: every mean error within the bound, and the same bits learned."""
        return self.same_digest and all(accord.mean_error <= self.bound for accord in self.phases.values())

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "holds": self.holds}


def fidelity(virtual: RunDirectory, wall: RunDirectory, bound: float) -> Fidelity:
    """Compare what was computed under one clock with what was enforced under the other.

    Devices that did not finish a round are left out, and so are phases that take no time.

    Raises
    ------
    UserError
        if the second is not a run under the wall clock, or has other rounds than the first.
    """
    computed, enforced = virtual.rounds(), wall.rounds()
    if not enforced or len(computed) != len(enforced) or any(record.enforcement is None for record in enforced):
        raise UserError(f"{wall.path}: not the rounds of {virtual.path} under the wall clock")
    forced = [record.enforcement for record in enforced if record.enforcement is not None]
    taken = {(record.round, record.device.id): record.enforced for record in _rows(wall) if not record.rejected}
    parts = [
        part
        for record in _rows(virtual)
        if record.device.finished and (mine := taken.get((record.round, record.device.id)))
        for part in _parts(record.device, mine)
    ]
    rounds = [(one.round_seconds, other.round_seconds) for one, other in zip(computed, forced, strict=True)]
    phases = {phase: _accord([part.seconds for part in parts if part.phase == phase]) for phase in PHASES}
    return Fidelity(
        phases={**phases, "round": _accord(rounds)},
        devices=_devices(parts),
        least_dilation=min(one.dilation for one in forced),
        most_dilation=max(one.dilation for one in forced),
        overloads=sum(one.overloads for one in forced),
        same_digest=virtual.summary().result_digest == wall.summary().result_digest,
        bound=bound,
    )


@dataclass(frozen=True)
class _Part:
    """One phase of a device in a round; (planned, enforced) seconds."""

    device: int
    profile: str
    phase: str
    seconds: tuple[float, float]


def _rows(run: RunDirectory) -> Iterator[TrainedDeviceRecord]:
    return (record for trained in run.devices() for record in trained.rows())


def _parts(device: DeviceRecord, enforced: MeasuredPhases) -> Iterator[_Part]:
    for phase in PHASES:
        key = f"{phase}_seconds"
        if getattr(device, key) > 0:
            yield _Part(device.id, device.profile, phase, (getattr(device, key), getattr(enforced, key)))


def _accord(pairs: Sequence[tuple[float, float]]) -> ErrorStats:
    if not pairs:
        return ErrorStats(0.0, 0.0, 0)
    planned, enforced = np.array(pairs).T
    errors = np.abs(enforced / planned - 1)
    return ErrorStats(float(errors.mean()), float(np.percentile(errors, 95)), len(pairs))


def _devices(parts: Sequence[_Part]) -> tuple[DeviceAccord, ...]:
    """One line per device, ascending."""
    mine: dict[int, list[_Part]] = {}
    for part in parts:
        mine.setdefault(part.device, []).append(part)
    return tuple(
        DeviceAccord(
            device=device,
            profile=found[0].profile,
            planned_seconds=_means(found, 0),
            enforced_seconds=_means(found, 1),
            mean_error=_accord([part.seconds for part in found]).mean_error,
        )
        for device, found in sorted(mine.items())
    )


def _means(parts: Sequence[_Part], place: int) -> dict[str, float]:
    """Mean seconds of each phase; 0 of one that never took any."""
    return {
        phase: float(np.mean([part.seconds[place] for part in parts if part.phase == phase] or [0.0]))
        for phase in PHASES
    }

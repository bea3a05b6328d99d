"""What passes between coordinator and hosts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

from fedray.adapters import AdapterSpec, BackboneShape
from fedray.aggregation import Fold
from fedray.arrays import Values
from fedray.protocol import Assignment, Cohort
from fedray.results import MeasuredPhases
from fedray.results.round_devices import RoundDevices, TrainedDevices
from fedray.scenario.schema import Corruption
from fedray.wall.phase_targets import PhaseTargets

NOTHING_TAKEN = MeasuredPhases(0.0, 0.0, 0.0, 0.0, 0, 0)


@dataclass(frozen=True)
class HostConfig:
    """What every host gets once: the architecture and, if anything is trained, the training assets.

    `assets` is a `learning.local_trainer.TrainingAssets`, left untyped so that hosts that train nothing never import
    torch.
    """

    shape: BackboneShape
    head: Literal["shared", "local", "frozen"]
    assets: Any
    clock: Literal["virtual", "wall"] = "virtual"


@dataclass(frozen=True)
class Chunk:
    """Some devices' assignments, `parts[i] = (inner_round, inner_rounds)`, and what each
    sends in place of what it trained, if anything.

    `fold` is an object reference to an empty fold, `adapters` to the flat values of each (cohort, spec); `heads` are
    the devices' own heads, (assignments, head floats), when heads are local. Under the wall clock the devices of a
    chunk begin together, each on its targets, and an emulated second takes `dilation` on the wall.
    """

    round: int
    assignments: tuple[Assignment, ...]
    parts: tuple[tuple[int, int], ...]  # (part, of how many) of each assignment
    corruptions: tuple[Corruption | None, ...]
    fold: Any
    adapters: Mapping[tuple[Cohort, AdapterSpec], Any]
    heads: Values | None
    targets: tuple[PhaseTargets, ...] | None = None
    dilation: float = 1.0


@dataclass(frozen=True)
class DeviceResult:
    """What became of one device's assignment: `rejected` is why its update was refused, if it was.

    `loss` is the mean training loss, None if nothing was trained; `measured` is what the assignment's hook asked for;
    `head` is the device's own, when heads are local; `enforced` is what its phases took under the wall clock.
    """

    device: int
    loss: float | None = None
    measured: tuple[float, ...] = ()
    rejected: str | None = None
    head: Values | None = None
    enforced: MeasuredPhases | None = None

    @property
    def finite_loss(self) -> float | None:
        """The loss as it is recorded: None if it is not finite."""
        return self.loss if self.loss is not None and isfinite(self.loss) else None


@dataclass(frozen=True)
class RoundResult:
    """What came of some assignments: a fold per cohort, a result per device."""

    folds: Mapping[Cohort, Fold]
    devices: Mapping[int, DeviceResult]

    @property
    def rejected(self) -> list[int]:
        """Devices whose updates were refused, ascending."""
        return sorted(device for device, mine in self.devices.items() if mine.rejected)

    @property
    def losses(self) -> dict[int, float]:
        return {device: mine.loss for device, mine in self.devices.items() if mine.loss is not None}

    @property
    def measured(self) -> dict[int, tuple[float, ...]]:
        return {device: mine.measured for device, mine in self.devices.items() if mine.measured}

    @property
    def heads(self) -> dict[int, Values]:
        return {device: mine.head for device, mine in self.devices.items() if mine.head is not None}

    def trained(self, devices: RoundDevices) -> TrainedDevices:
        """The planned devices of the round, with what became of each."""
        nothing = DeviceResult(-1)
        found = [self.devices.get(device, nothing) for device in devices.id.tolist()]
        return TrainedDevices(
            devices,
            loss=tuple(mine.finite_loss for mine in found),
            rejected=tuple(mine.rejected for mine in found),
            enforced=tuple(mine.enforced for mine in found),
        )


def merge_results(results: Sequence[RoundResult]) -> RoundResult:
    """The results of different devices as one; folds merge to the same bits in any order."""
    folds: dict[Cohort, Fold] = {}
    devices: dict[int, DeviceResult] = {}
    for result in results:
        devices |= result.devices
        for cohort, fold in result.folds.items():
            if cohort in folds:
                folds[cohort].merge(fold)
            else:
                folds[cohort] = fold
    return RoundResult(folds, devices)


def combine_inner_rounds(results: Sequence[RoundResult]) -> RoundResult:
    """The results of a round's inner rounds as one: a cohort's last fold, and one result per device.

    A device has its mean loss, its last measurement and head, and counts as refused if it was refused once.
    """
    if len(results) == 1:
        return results[0]
    parts: dict[int, list[DeviceResult]] = {}
    for result in results:
        for device, mine in result.devices.items():
            parts.setdefault(device, []).append(mine)
    enforced = _one_after_the_other([result.devices for result in results])
    return RoundResult(
        folds={cohort: fold for result in results for cohort, fold in result.folds.items()},
        devices={device: _combined(mine, enforced.get(device)) for device, mine in parts.items()},
    )


def _combined(parts: Sequence[DeviceResult], enforced: MeasuredPhases | None) -> DeviceResult:
    losses = [part.loss for part in parts if part.loss is not None]
    heads = [part.head for part in parts if part.head is not None]
    return DeviceResult(
        device=parts[0].device,
        loss=sum(losses) / len(losses) if losses else None,
        measured=next((part.measured for part in reversed(parts) if part.measured), ()),
        rejected=next((part.rejected for part in parts if part.rejected), None),
        head=heads[-1] if heads else None,
        enforced=enforced,
    )


def _one_after_the_other(parts: Sequence[Mapping[int, DeviceResult]]) -> dict[int, MeasuredPhases]:
    """What devices took in one group's inner rounds, each of which begins when all have ended the one before."""
    whole: dict[int, MeasuredPhases] = {}
    begins = 0.0
    for part in parts:
        taken = {device: mine.enforced for device, mine in part.items() if mine.enforced is not None}
        for device, mine in taken.items():
            before = whole.get(device, NOTHING_TAKEN)
            whole[device] = MeasuredPhases(
                download_seconds=before.download_seconds + mine.download_seconds,
                compute_seconds=before.compute_seconds + mine.compute_seconds,
                upload_seconds=before.upload_seconds + mine.upload_seconds,
                end_seconds=begins + mine.end_seconds,
                overloads=before.overloads + mine.overloads,
                memory_bytes=max(before.memory_bytes, mine.memory_bytes),
            )
        begins += max((mine.end_seconds for mine in taken.values()), default=0.0)
    return whole

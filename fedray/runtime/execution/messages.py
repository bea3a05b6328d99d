"""What passes between coordinator and hosts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Literal

from fedray.adapters import AdapterSpec, BackboneShape
from fedray.aggregation import Fold
from fedray.arrays import Values
from fedray.protocol import Assignment
from fedray.results import DeviceRecord, MeasuredPhases, TrainedDeviceRecord
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

    `fold` is an object reference to an empty fold, `adapters` to the flat values of each (group, spec); `heads` are
    the devices' own heads, (assignments, head floats), when heads are local. Under the wall clock the devices of a
    chunk begin together, each on its targets, and an emulated second takes `dilation` on the wall.
    """

    round: int
    assignments: tuple[Assignment, ...]
    parts: tuple[tuple[int, int], ...]  # (part, of how many) of each assignment
    corruptions: tuple[Corruption | None, ...]
    fold: Any
    adapters: Mapping[tuple[int, AdapterSpec], Any]
    heads: Values | None
    targets: tuple[PhaseTargets, ...] | None = None
    dilation: float = 1.0


@dataclass(frozen=True)
class Rejected:
    """An update that was refused, and why."""

    device: int
    reason: str


@dataclass(frozen=True)
class RoundResult:
    """What came of some assignments: a fold per group, refused updates, and by device losses, measurements, heads, and
    under the wall clock what was enforced.
    """

    folds: Mapping[int, Fold]
    losses: Mapping[int, float]
    measured: Mapping[int, tuple[float, ...]]
    rejected: tuple[Rejected, ...]
    heads: Mapping[int, Values]
    enforced: Mapping[int, MeasuredPhases] = field(default_factory=dict)

    def loss(self, device: int) -> float | None:
        """The device's mean training loss; None if it trained nothing, or nothing finite."""
        loss = self.losses.get(device)
        return loss if loss is not None and isfinite(loss) else None


def merge_results(results: Sequence[RoundResult]) -> RoundResult:
    """The results of different devices as one; folds merge to the same bits in any order."""
    folds: dict[int, Fold] = {}
    losses: dict[int, float] = {}
    measured: dict[int, tuple[float, ...]] = {}
    heads: dict[int, Values] = {}
    enforced: dict[int, MeasuredPhases] = {}
    for result in results:
        enforced |= result.enforced
        losses |= result.losses
        measured |= result.measured
        heads |= result.heads
        for group, fold in result.folds.items():
            if group in folds:
                folds[group].merge(fold)
            else:
                folds[group] = fold
    rejected = sorted((item for result in results for item in result.rejected), key=lambda item: item.device)
    return RoundResult(folds, losses, measured, tuple(rejected), heads, enforced)


def combine_inner_rounds(results: Sequence[RoundResult]) -> RoundResult:
    """The results of a round's inner rounds as one: a group's last fold, a device's mean loss and last measurement.

    A device whose update was refused once counts as refused.
    """
    losses: dict[int, list[float]] = {}
    refused: dict[int, Rejected] = {}
    for result in results:
        for device, loss in result.losses.items():
            losses.setdefault(device, []).append(loss)
        for rejected in result.rejected:
            refused.setdefault(rejected.device, rejected)
    return RoundResult(
        folds={group: fold for result in results for group, fold in result.folds.items()},
        losses={device: sum(mine) / len(mine) for device, mine in losses.items()},
        measured={device: measured for result in results for device, measured in result.measured.items()},
        rejected=tuple(refused[device] for device in sorted(refused)),
        heads={device: head for result in results for device, head in result.heads.items()},
        enforced=_one_after_the_other([result.enforced for result in results]),
    )


def _one_after_the_other(parts: Sequence[Mapping[int, MeasuredPhases]]) -> dict[int, MeasuredPhases]:
    """What devices took in one group's inner rounds, each of which begins when all have ended the one before."""
    whole: dict[int, MeasuredPhases] = {}
    begins = 0.0
    for part in parts:
        for device, mine in part.items():
            before = whole.get(device, NOTHING_TAKEN)
            whole[device] = MeasuredPhases(
                download_seconds=before.download_seconds + mine.download_seconds,
                compute_seconds=before.compute_seconds + mine.compute_seconds,
                upload_seconds=before.upload_seconds + mine.upload_seconds,
                end_seconds=begins + mine.end_seconds,
                overloads=before.overloads + mine.overloads,
                memory_bytes=max(before.memory_bytes, mine.memory_bytes),
            )
        begins += max((mine.end_seconds for mine in part.values()), default=0.0)
    return whole


def trained_records(devices: Sequence[DeviceRecord], result: RoundResult, round_: int) -> list[TrainedDeviceRecord]:
    """What became of each device's part."""
    reasons = {rejected.device: rejected.reason for rejected in result.rejected}
    return [
        TrainedDeviceRecord(
            round_, device, result.loss(device.id), reasons.get(device.id), result.enforced.get(device.id)
        )
        for device in devices
    ]

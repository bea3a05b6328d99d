"""What passes between coordinator and hosts."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

from fedray.adapters import AdapterSpec, BackboneShape
from fedray.aggregation import Aggregate, Fold
from fedray.protocol import Assignment, Values


@dataclass(frozen=True)
class Equipment:
    """What every host gets once: the architecture, an empty fold, and, if anything is to be trained, the kit.

    `kit` is a learning.workbench.Kit; it is left untyped so that hosts which train nothing never import torch.
    """

    shape: BackboneShape
    head: Literal["shared", "local", "frozen"]
    fold: Fold
    kit: Any


@dataclass(frozen=True)
class Chunk:
    """Some devices' assignments; `adapters` holds an object reference to the flat values of each (group, spec).

    `heads` are the devices' own heads, (assignments, head floats), when heads are local.
    """

    round: int
    assignments: tuple[Assignment, ...]
    adapters: Mapping[tuple[int, AdapterSpec], Any]
    heads: Values | None


@dataclass(frozen=True)
class Rejected:
    """An update that was refused, and why."""

    device: int
    reason: str


@dataclass(frozen=True)
class Harvest:
    """What came of a chunk, or of all: a fold per group, losses by device, refused updates, local heads."""

    folds: Mapping[int, Fold]
    losses: Mapping[int, float]
    rejected: tuple[Rejected, ...]
    heads: Mapping[int, Values]

    def aggregate(self, fold: Fold) -> Aggregate:
        """The groups' folds merged into an empty one, and its result."""
        for mine in self.folds.values():
            fold.merge(mine)
        return fold.result()

    def loss(self, device: int) -> float | None:
        """The device's mean training loss; None if it trained nothing, or nothing finite."""
        loss = self.losses.get(device)
        return loss if loss is not None and isfinite(loss) else None


def gather(harvests: list[Harvest]) -> Harvest:
    """All harvests as one; folds merge to the same bits in any order."""
    folds: dict[int, Fold] = {}
    losses: dict[int, float] = {}
    heads: dict[int, Values] = {}
    for harvest in harvests:
        losses |= harvest.losses
        heads |= harvest.heads
        for group, fold in harvest.folds.items():
            if group in folds:
                folds[group].merge(fold)
            else:
                folds[group] = fold
    rejected = sorted((item for harvest in harvests for item in harvest.rejected), key=lambda item: item.device)
    return Harvest(folds, losses, tuple(rejected), heads)

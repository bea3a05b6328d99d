"""The actor that carries devices: it trains their assignments one by one and folds their updates where they arise."""

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import ray

from fedray.adapters import AdapterSpec, layout_of, upload_layout
from fedray.aggregation import Fold, rejection
from fedray.emulation import corrupted
from fedray.protocol import Assignment, Selection, Update, Values
from fedray.runtime.messages import Chunk, Equipment, Harvest, Rejected

if TYPE_CHECKING:
    from fedray.learning.evaluation import BlockScore


class Host:
    """Responsibilities: train, check, fold. Holds no state of a run, so its work can be redone anywhere."""

    def __init__(self, equipment: Equipment) -> None:
        self.equipment = equipment
        self.workbench = None
        if equipment.kit is not None:
            from fedray.learning.workbench import Workbench  # torch only where something is trained

            self.workbench = Workbench(equipment.kit, "cuda" if ray.get_gpu_ids() else "cpu")

    def train(self, chunk: Chunk) -> Harvest:
        """Carry out a chunk; without a workbench devices send back what they received."""
        empty: Fold = ray.get(chunk.fold)
        received = {key: ray.get(reference) for key, reference in chunk.adapters.items()}
        folds: dict[int, Fold] = {}
        losses: dict[int, float] = {}
        measured: dict[int, tuple[float, ...]] = {}
        heads: dict[int, Values] = {}
        rejected: list[Rejected] = []
        for row, assignment in enumerate(chunk.assignments):
            values, selection = received[assignment.group, assignment.spec], None
            if chunk.heads is not None:
                values = self._with_head(assignment.spec, values, chunk.heads[row])
            held = values
            if self.workbench is not None:
                trained = self.workbench.train(assignment, chunk.round, values, *chunk.parts[row])
                values, selection = trained.values, trained.selection
                losses[assignment.device], measured[assignment.device] = trained.loss, trained.measured
            if corruption := chunk.corruptions[row]:
                values = corrupted(corruption, held, values)
            update = self._update(assignment, values, selection)
            reason = rejection(update)
            if reason:
                rejected.append(Rejected(assignment.device, reason))
                continue
            if chunk.heads is not None:
                heads[assignment.device] = values[-chunk.heads.shape[1] :]
            if assignment.group not in folds:
                folds[assignment.group] = copy.deepcopy(empty)
            folds[assignment.group].add(update, assignment.weight)
        return Harvest(folds, losses, measured, tuple(rejected), heads)

    def evaluate(self, spec: AdapterSpec, values: Values, blocks: Sequence[int]) -> "list[BlockScore]":
        """Score blocks of test examples with an adapter."""
        if self.workbench is None:
            raise RuntimeError("a host without data cannot evaluate")
        return self.workbench.evaluate(spec, values, blocks)

    def _with_head(self, spec: AdapterSpec, values: Values, head: Values) -> Values:
        lora = values[: layout_of(self.equipment.shape, spec).lora_size]
        return np.concatenate([lora, head])

    def _update(self, assignment: Assignment, values: Values, selection: Selection | None) -> Update:
        whole = layout_of(self.equipment.shape, assignment.spec)
        sent = upload_layout(self.equipment.shape, assignment.spec, self.equipment.head == "shared")
        return Update(assignment.device, sent, values[whole.positions_of(sent)], selection)

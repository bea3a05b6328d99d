"""The actor that carries devices: it trains their assignments one by one and folds their updates where they arise."""

import copy
from collections.abc import Sequence
from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np
import ray

from fedray.adapters import AdapterSpec, layout_of, upload_layout
from fedray.aggregation import Fold, rejection
from fedray.emulation import corrupted
from fedray.protocol import Assignment, Selection, Update, Values
from fedray.results import Enforced
from fedray.runtime.messages import Chunk, Equipment, Harvest, Rejected

if TYPE_CHECKING:
    from fedray.learning.calibration import Calibration
    from fedray.learning.evaluation import BlockScore
    from fedray.runtime.bench import Bench


class Host:
    """Responsibilities: have devices train, check, fold. Holds no state of a run: its work can be redone anywhere."""

    def __init__(self, equipment: Equipment) -> None:
        self.equipment = equipment
        self._bench: Bench | None = None
        if equipment.kit is not None:
            from fedray.runtime.bench import bench_of  # torch only where something is trained

            self._bench = bench_of(equipment, "cuda" if ray.get_gpu_ids() else "cpu")

    def train(self, chunk: Chunk) -> Harvest:
        """Carry out a chunk; without a bench devices send back what they received."""
        empty: Fold = ray.get(chunk.fold)
        received = {key: ray.get(reference) for key, reference in chunk.adapters.items()}
        downloads = [received[assignment.group, assignment.spec] for assignment in chunk.assignments]
        if chunk.heads is not None:
            rows = zip(chunk.assignments, downloads, chunk.heads, strict=True)
            downloads = [self._with_head(assignment.spec, values, head) for assignment, values, head in rows]
        performances = self._bench.perform(chunk, downloads) if self._bench else repeat(None)
        folds: dict[int, Fold] = {}
        losses: dict[int, float] = {}
        measured: dict[int, tuple[float, ...]] = {}
        heads: dict[int, Values] = {}
        enforced: dict[int, Enforced] = {}
        rejected: list[Rejected] = []
        for assignment, held, corruption, performance in zip(
            chunk.assignments, downloads, chunk.corruptions, performances, strict=False
        ):
            device, values, selection = assignment.device, held, None
            if performance is not None:
                if performance.enforced is not None:
                    enforced[device] = performance.enforced
                if performance.failure is not None:
                    rejected.append(Rejected(device, performance.failure))
                if performance.trained is None:
                    continue
                values, selection = performance.trained.values, performance.trained.selection
                losses[device], measured[device] = performance.trained.loss, performance.trained.measured
            if corruption:
                values = corrupted(corruption, held, values)
            update = self._update(assignment, values, selection)
            if reason := rejection(update):
                rejected.append(Rejected(device, reason))
                continue
            if chunk.heads is not None:
                heads[device] = values[-chunk.heads.shape[1] :]
            if assignment.group not in folds:
                folds[assignment.group] = copy.deepcopy(empty)
            folds[assignment.group].add(update, assignment.weight)
        return Harvest(folds, losses, measured, tuple(rejected), heads, enforced)

    def evaluate(self, spec: AdapterSpec, values: Values, blocks: Sequence[tuple[str, int]]) -> "list[BlockScore]":
        """Score blocks of held-out examples, each given as (split, number), with an adapter."""
        return self.bench.evaluate(spec, values, blocks)

    def calibrate(self, processes: int) -> "list[Calibration]":
        """How fast each of so many processes is while the others measure, too."""
        return self.bench.calibrate(processes)

    @property
    def bench(self) -> "Bench":
        """Where devices train; there is none for a task without data."""
        if self._bench is None:
            raise RuntimeError("a host without data has no bench")
        return self._bench

    def _with_head(self, spec: AdapterSpec, values: Values, head: Values) -> Values:
        lora = values[: layout_of(self.equipment.shape, spec).lora_size]
        return np.concatenate([lora, head])

    def _update(self, assignment: Assignment, values: Values, selection: Selection | None) -> Update:
        whole = layout_of(self.equipment.shape, assignment.spec)
        sent = upload_layout(self.equipment.shape, assignment.spec, self.equipment.head == "shared")
        return Update(assignment.device, sent, values[whole.positions_of(sent)], selection)

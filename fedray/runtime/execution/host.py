"""The actor that carries devices: it trains their assignments one by one and folds their updates where they arise."""

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import ray

from fedray.adapters import AdapterSpec, layout_of, upload_layout
from fedray.aggregation import Fold, rejection
from fedray.arrays import Values
from fedray.emulation import corrupted
from fedray.protocol import Assignment, Selection, Update
from fedray.results import MeasuredPhases
from fedray.runtime.execution.messages import Chunk, HostConfig, Rejected, RoundResult

if TYPE_CHECKING:
    from fedray.learning.calibration import Calibration
    from fedray.learning.evaluation import BlockScore
    from fedray.runtime.execution.device_executor import DeviceExecutor


class Host:
    """Responsibilities: have devices train, check, fold. Holds no state of a run: its work can be redone anywhere."""

    def __init__(self, host_config: HostConfig) -> None:
        self.host_config = host_config
        self._executor: DeviceExecutor | None = None
        if host_config.assets is not None:
            from fedray.runtime.execution.device_executor import (
                device_executor,  # torch only where something is trained
            )

            self._executor = device_executor(host_config, "cuda" if ray.get_gpu_ids() else "cpu")

    def train(self, chunk: Chunk) -> RoundResult:
        """Carry out a chunk; without an executor devices send back what they received."""
        empty: Fold = ray.get(chunk.fold)
        received = {key: ray.get(reference) for key, reference in chunk.adapters.items()}
        downloads = [received[assignment.group, assignment.spec] for assignment in chunk.assignments]
        if chunk.heads is not None:
            rows = zip(chunk.assignments, downloads, chunk.heads, strict=True)
            downloads = [self._with_head(assignment.spec, values, head) for assignment, values, head in rows]
        device_results = self._executor.perform(chunk, downloads) if self._executor else [None] * len(downloads)
        folds: dict[int, Fold] = {}
        losses: dict[int, float] = {}
        measured: dict[int, tuple[float, ...]] = {}
        heads: dict[int, Values] = {}
        enforced: dict[int, MeasuredPhases] = {}
        rejected: list[Rejected] = []
        for assignment, held, corruption, device_result in zip(
            chunk.assignments, downloads, chunk.corruptions, device_results, strict=True
        ):
            device, values, selection = assignment.device, held, None
            if device_result is not None:
                if device_result.enforced is not None:
                    enforced[device] = device_result.enforced
                if device_result.failure is not None:
                    rejected.append(Rejected(device, device_result.failure))
                if device_result.trained is None:
                    continue
                values, selection = device_result.trained.values, device_result.trained.selection
                losses[device], measured[device] = device_result.trained.loss, device_result.trained.measured
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
        return RoundResult(folds, losses, measured, tuple(rejected), heads, enforced)

    def evaluate(self, spec: AdapterSpec, values: Values, blocks: Sequence[tuple[str, int]]) -> "list[BlockScore]":
        """Score blocks of held-out examples, each given as (split, number), with an adapter."""
        return self.executor.evaluate(spec, values, blocks)

    def calibrate(self, processes: int) -> "list[Calibration]":
        """The speed of each of `processes` processes that measure at the same time."""
        return self.executor.calibrate(processes)

    @property
    def executor(self) -> "DeviceExecutor":
        """Where devices train; there is none for a task without data."""
        if self._executor is None:
            raise RuntimeError("a host without data has no executor")
        return self._executor

    def _with_head(self, spec: AdapterSpec, values: Values, head: Values) -> Values:
        lora = values[: layout_of(self.host_config.shape, spec).lora_size]
        return np.concatenate([lora, head])

    def _update(self, assignment: Assignment, values: Values, selection: Selection | None) -> Update:
        whole = layout_of(self.host_config.shape, assignment.spec)
        sent = upload_layout(self.host_config.shape, assignment.spec, self.host_config.head == "shared")
        return Update(assignment.device, sent, values[whole.positions_of(sent)], selection)

"""The actor that carries devices: it trains their assignments one by one and folds their updates where they arise."""

import copy
import gc
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import ray

from fedray.adapters import AdapterSpec, Layout, layout_of, upload_layout
from fedray.aggregation import Fold, rejection
from fedray.arrays import Ints, Values
from fedray.emulation import corrupted
from fedray.protocol import Cohort, Update
from fedray.runtime.execution.messages import Chunk, DeviceResult, HostConfig, RoundResult

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
        gc.freeze()  # modules and models are not garbage: collecting would visit them for every few thousand devices

    def train(self, chunk: Chunk) -> RoundResult:
        """Carry out a chunk; without an executor devices send back what they received."""
        empty: Fold = ray.get(chunk.fold)
        received = {key: ray.get(reference) for key, reference in chunk.adapters.items()}
        downloads = [received[assignment.cohort, assignment.spec] for assignment in chunk.assignments]
        if chunk.heads is not None:
            rows = zip(chunk.assignments, downloads, chunk.heads, strict=True)
            downloads = [self._with_head(assignment.spec, values, head) for assignment, values, head in rows]
        task_results = self._executor.perform(chunk, downloads) if self._executor else [None] * len(downloads)
        specs = {id(assignment.spec): assignment.spec for assignment in chunk.assignments}
        sent = {identity: self._sent(spec) for identity, spec in specs.items()}
        folds: defaultdict[Cohort, Fold] = defaultdict(lambda: copy.deepcopy(empty))
        devices: dict[int, DeviceResult] = {}
        for assignment, held, corruption, result in zip(
            chunk.assignments, downloads, chunk.corruptions, task_results, strict=True
        ):
            device, trained = assignment.device, result.trained if result else None
            enforced = result.enforced if result else None
            if result and not trained:  # it was cut short, or failed
                devices[device] = DeviceResult(device, rejected=result.failure, enforced=enforced)
                continue
            values = trained.values if trained else held
            if corruption:
                values = corrupted(corruption, held, values)
            layout, places = sent[id(assignment.spec)]
            update = Update(device, layout, values[places], trained.selection if trained else None)
            refused = rejection(update)
            if not refused:
                folds[assignment.cohort].add(update, assignment.weight)
            devices[device] = DeviceResult(
                device,
                loss=trained.loss if trained else None,
                measured=trained.measured if trained else (),
                rejected=refused,
                head=values[-chunk.heads.shape[1] :] if chunk.heads is not None and not refused else None,
                enforced=enforced,
            )
        return RoundResult(dict(folds), devices)

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

    def _sent(self, spec: AdapterSpec) -> tuple[Layout, Ints | slice]:
        """The layout of what a device of this adapter sends, and the places of those floats among all it holds."""
        held = layout_of(self.host_config.shape, spec)
        sent = upload_layout(self.host_config.shape, spec, self.host_config.head == "shared")
        return sent, slice(None) if sent == held else held.positions_of(sent)

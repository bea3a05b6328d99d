"""How a host's devices train: in turn, as fast as they can, or all at once, each held to its time."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from fedray.adapters import AdapterSpec
from fedray.arrays import Values
from fedray.learning.calibration import Calibration, calibrate
from fedray.learning.evaluation import BlockScore
from fedray.learning.local_trainer import LocalTrainer
from fedray.runtime.execution.messages import Chunk, HostConfig
from fedray.wall.messages import Task, TaskResult
from fedray.wall.process_pool import DeviceProcessPool, WorkerDiedError


class DeviceExecutor(Protocol):
    """Where a host's devices work."""

    def perform(self, chunk: Chunk, downloads: Sequence[Values]) -> Iterable[TaskResult]:
        """What every device of a chunk did with what it downloaded, in order."""
        ...

    def evaluate(self, spec: AdapterSpec, values: Values, blocks: Sequence[tuple[str, int]]) -> list[BlockScore]:
        """Score blocks of held-out examples, each given as (split, number), with an adapter."""
        ...

    def calibrate(self, processes: int) -> list[Calibration]:
        """The speed of each of `processes` processes that measure at the same time."""
        ...


def device_executor(host_config: HostConfig, torch_device: str) -> DeviceExecutor:
    """The executor for a run's clock."""
    if host_config.clock == "wall":
        return ProcessExecutor(DeviceProcessPool(host_config.assets, torch_device))
    return SequentialExecutor(LocalTrainer(host_config.assets, torch_device))


class SequentialExecutor:
    """Devices one after the other on one model, in this process."""

    def __init__(self, trainer: LocalTrainer) -> None:
        self.trainer = trainer
        self.evaluate = trainer.evaluate

    def perform(self, chunk: Chunk, downloads: Sequence[Values]) -> Iterable[TaskResult]:
        for assignment, values, part in zip(chunk.assignments, downloads, chunk.parts, strict=True):
            yield TaskResult(self.trainer.train(assignment, chunk.round, values, *part))

    def calibrate(self, processes: int) -> list[Calibration]:
        return [calibrate(self.trainer)]


class ProcessExecutor:
    """Every device a process of its own; those of a chunk begin together. A host whose pool is lost is lost with it."""

    def __init__(self, pool: DeviceProcessPool) -> None:
        self.pool = pool

    def perform(self, chunk: Chunk, downloads: Sequence[Values]) -> Iterable[TaskResult]:
        rows = zip(chunk.assignments, chunk.parts, downloads, chunk.targets or (), strict=True)
        tasks = [Task(assignment, chunk.round, part, values, targets) for assignment, part, values, targets in rows]
        with _lost_together():
            return self.pool.train(tasks, chunk.dilation)

    def evaluate(self, spec: AdapterSpec, values: Values, blocks: Sequence[tuple[str, int]]) -> list[BlockScore]:
        with _lost_together():
            return self.pool.evaluate(spec, values, blocks)

    def calibrate(self, processes: int) -> list[Calibration]:
        with _lost_together():
            return self.pool.calibrate(processes)


@contextmanager
def _lost_together() -> Iterator[None]:
    try:
        yield
    except WorkerDiedError:
        os._exit(1)  # all other work of this host was its pool's, too

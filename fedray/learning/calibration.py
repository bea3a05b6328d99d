"""How fast this machine trains: a matrix product, a copy, a launch, and whole steps of a run's own."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import torch

from fedray.adapters import initial_values, layout_of
from fedray.costs.kernels import step_kernels
from fedray.costs.machine import MachineSpeed
from fedray.learning.batches import draw_batches
from fedray.learning.local_trainer import LocalTrainer
from fedray.learning.trainer import train
from fedray.protocol import Assignment
from fedray.roofline import FLOAT
from fedray.seeds import Purpose, generator

REPEATS = 9
PRODUCT = (512, 384, 1536)  # rows, inside, out: of the size that a layer of a small transformer has
COPIED_FLOATS = 16_000_000  # more than caches hold
LAUNCHES = 200
STEPS = 6  # that are measured; the first is not counted
DRAWS = 50  # batches drawn to measure their mean length


@dataclass(frozen=True)
class Calibration:
    """A machine's speed; the step it was compared by, measured; and the length its texts were padded to, on average."""

    speed: MachineSpeed
    step_seconds: float
    sequence_length: int


@dataclass
class _Stopwatch:
    """Notes when steps end."""

    ends: list[float] = field(default_factory=list)

    def holds(self, memory_bytes: int) -> None:
        pass

    def stepped(self) -> None:
        self.ends.append(time.perf_counter())


def calibrate(trainer: LocalTrainer) -> Calibration:
    """Measure with the run's own model, batches and largest adapter."""
    assets, model = trainer.assets, trainer.model
    speed = measured_speed(model.device)
    randomness = generator(assets.seed, Purpose.CALIBRATION)
    everything = np.arange(len(assets.train))
    drawn = [draw_batches(everything, assets.train.lengths, STEPS, assets.batch_size, randomness) for _ in range(DRAWS)]
    lengths = [[assets.train.padded_length(batch) for batch in batches] for batches in drawn]
    batches = drawn[0]
    assignment = Assignment(device=0, group=0, spec=assets.spec, local_steps=STEPS, weight=1)
    values = initial_values(layout_of(assets.shape, assets.spec), assets.seed)
    watch = _Stopwatch()
    with model.with_dropout(randomness):
        train(
            model,
            assets.task,
            assignment,
            values,
            assets.train,
            batches,
            assets.optimiser,
            assets.train_head,
            randomness,
            watch,
        )
    step = statistics.mean(after - before for before, after in pairwise(watch.ends))
    computed = sum(
        speed.seconds(step_kernels(assets.shape, assets.spec, assets.batch_size, length)) for length in lengths[0][1:]
    )
    factor = step * (STEPS - 1) / computed
    length = statistics.mean(one for some in lengths for one in some)
    return Calibration(replace(speed, step_factor=factor), step, round(length))


def fastest_device() -> str:
    """What torch would best compute on here."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def measured_speed(device: torch.device, clock: Callable[[], float] = time.perf_counter) -> MachineSpeed:
    """A matrix product, a copy, and the smallest operation there is: medians, in seconds of a clock."""
    rows, inside, out = PRODUCT
    left, right = torch.randn(rows, inside, device=device), torch.randn(inside, out, device=device)
    source, target = torch.zeros(COPIED_FLOATS, device=device), torch.zeros(COPIED_FLOATS, device=device)
    tiny = torch.zeros(1, device=device)

    def launch() -> None:
        for _ in range(LAUNCHES):
            tiny.add_(1.0)

    return MachineSpeed(
        flops_per_second=2.0 * rows * inside * out / _seconds(lambda: left @ right, device, clock),
        bytes_per_second=2.0 * FLOAT * COPIED_FLOATS / _seconds(lambda: target.copy_(source), device, clock),
        launch_seconds=_seconds(launch, device, clock) / LAUNCHES,
    )


def _seconds(operation: Callable[[], object], device: torch.device, clock: Callable[[], float]) -> float:
    """The median of several, after one to warm up."""
    taken = []
    for _ in range(REPEATS + 1):
        started = clock()
        operation()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        taken.append(clock() - started)
    return statistics.median(taken[1:])

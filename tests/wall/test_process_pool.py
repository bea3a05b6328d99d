"""A real pool: a process that forks devices, two real layers, real texts."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np
import pytest

from fedray.adapters import AdapterSpec, initial_values, layout_of
from fedray.experiment.experiment import prepare
from fedray.learning.local_trainer import LocalTrainer, TrainingAssets
from fedray.protocol import Assignment, Quantisation
from fedray.scenario import load_scenario
from fedray.wall.device import interrupted_at
from fedray.wall.messages import Task
from fedray.wall.phase_targets import PhaseTargets
from fedray.wall.process_pool import DeviceProcessPool, WorkerDiedError
from fedray.wall.throttle import CutShortError

pytestmark = pytest.mark.model

IN_NO_TIME = PhaseTargets(0.05, 0.1, 0.05, inf, 1e12)


@pytest.fixture(scope="module")
def assets(two_layers: Path) -> TrainingAssets:
    settings = [f"model.backbone={two_layers}", "task.max_length=32", "fleet.groups=[{profile: jetson-tx2, count: 3}]"]
    experiment = prepare(load_scenario(None, [*settings, "training.batch_size=4", "method={name: legend, rank: 4}"]))
    assets = experiment.assets(experiment.build_method().adapter())
    assert assets is not None
    return assets


@pytest.fixture(scope="module")
def pool(assets: TrainingAssets) -> Iterator[DeviceProcessPool]:
    pool = DeviceProcessPool(assets)
    yield pool
    pool.close()


def task_of(
    assets: TrainingAssets, device: int, targets: PhaseTargets = IN_NO_TIME, spec: AdapterSpec | None = None, **words
) -> Task:
    spec = spec or assets.spec
    assignment = Assignment(device, 0, spec, 2, 1, **words)
    return Task(assignment, 3, (0, 1), initial_values(layout_of(assets.shape, spec), 7), targets)


def test_a_device_in_a_process_of_its_own_trains_to_the_same_bits(
    assets: TrainingAssets, pool: DeviceProcessPool
) -> None:
    """Plain, shallower and quantised, all at once, as one after the other in this process; batches are drawn alike."""
    packed = Quantisation((0, 1), 4, 64)
    tasks = [
        task_of(assets, 0),
        task_of(assets, 1, spec=assets.spec.deepest(1)),
        task_of(assets, 2, quantisation=packed),
    ]
    trainer = LocalTrainer(assets)
    for task, device_result in zip(tasks, pool.train(tasks, 1.0), strict=True):
        alone = trainer.train(task.assignment, task.round, task.values)
        assert device_result.trained is not None
        assert device_result.failure is None
        assert device_result.trained.values.tobytes() == alone.values.tobytes()
        assert device_result.trained.loss == alone.loss
        assert not np.array_equal(alone.values, task.values)


def test_packed_activations_are_measured_as_less(assets: TrainingAssets, pool: DeviceProcessPool) -> None:
    packed = Quantisation((0, 1), 4, 64)
    whole, less = pool.train([task_of(assets, 0), task_of(assets, 0, quantisation=packed)], 1.0)
    trainer = LocalTrainer(assets)
    frozen = trainer.model.frozen_bytes
    assert whole.enforced.memory_bytes - frozen > 2 * (less.enforced.memory_bytes - frozen) > 0


def test_scores_are_those_of_this_process(assets: TrainingAssets, pool: DeviceProcessPool) -> None:
    values = initial_values(layout_of(assets.shape, assets.spec), 7)
    (theirs,), (ours,) = (one.evaluate(assets.spec, values, [("test", 0)]) for one in (pool, LocalTrainer(assets)))
    assert (theirs.predictions.tolist(), theirs.loss_sum) == (ours.predictions.tolist(), ours.loss_sum)


def test_every_part_takes_at_least_its_time(assets: TrainingAssets, pool: DeviceProcessPool) -> None:
    """Lower bounds only: how late a loaded machine is says nothing about the code."""
    targets = PhaseTargets(0.3, 0.8, 0.4, inf, 1e12)
    before = time.monotonic()
    device_results = pool.train([task_of(assets, device, targets) for device in range(3)], 2.0)
    assert time.monotonic() - before >= 2.0 * 1.5
    for device_result in device_results:
        assert device_result.enforced.download_seconds >= 0.3
        assert device_result.enforced.end_seconds >= 1.5


def test_who_is_cut_short_or_out_of_memory_sends_nothing_and_the_others_go_on(
    assets: TrainingAssets, pool: DeviceProcessPool
) -> None:
    needed = pool.train([task_of(assets, 0)], 1.0)[0].enforced.memory_bytes
    tasks = [
        task_of(assets, 0, replace(IN_NO_TIME, stops=0.02)),
        task_of(assets, 1, replace(IN_NO_TIME, memory_limit_bytes=needed * 0.9)),
        task_of(assets, 2),
    ]
    short, full, through = pool.train(tasks, 1.0)
    assert short.trained is None
    assert short.failure is None
    assert short.enforced.compute_seconds == 0.0
    assert full.trained is None
    assert full.failure is not None
    assert full.failure.startswith("out of memory: training took ")
    assert through.trained is not None
    assert pool.train([task_of(assets, 0)], 1.0)[0].trained is not None


def test_whoever_is_cut_short_is_interrupted_in_the_middle_of_a_step(
    assets: TrainingAssets, pool: DeviceProcessPool
) -> None:
    """A device that has 500 steps to do and stops at the first moments: without that, it would do one of them whole."""
    many = task_of(assets, 0, PhaseTargets(0.0, 1000.0, 1.0, 1e-4, 1e12))
    many = replace(many, assignment=replace(many.assignment, local_steps=500))
    (short,) = pool.train([many], 1.0)
    assert short.trained is None
    assert short.enforced.memory_bytes == 0  # not even the first forward pass came to its end


@pytest.mark.parametrize("error", [CutShortError, MemoryError])
def test_nobody_is_interrupted_after_it_has_ended_anyway(error: type[Exception]) -> None:
    """Out of memory, or asleep until the same time: what is still to be sent is sent undisturbed."""

    def end() -> None:
        with interrupted_at(time.monotonic() + 60):
            assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
            raise error

    with pytest.raises(error):
        end()
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_what_does_not_count_in_the_end_is_not_sent(assets: TrainingAssets, pool: DeviceProcessPool) -> None:
    """An upload that will be lost: the device works to its end."""
    lost = pool.train([task_of(assets, 0, replace(IN_NO_TIME, stops=0.2))], 1.0)[0]
    assert lost.trained is None
    assert lost.enforced.end_seconds >= 0.2


def test_measuring_says_how_fast_each_process_is(pool: DeviceProcessPool) -> None:
    found = pool.calibrate(2)
    assert len(found) == 2
    for one in found:
        assert one.speed.flops_per_second > 1e8
        assert 0 < one.speed.launch_seconds < one.step_seconds
        assert 0.05 < one.speed.step_factor < 20


def test_a_part_of_the_steps_is_that_part(assets: TrainingAssets, pool: DeviceProcessPool) -> None:
    """Inner rounds: the second of two steps, as this process does it."""
    task = replace(task_of(assets, 0), part=(1, 2))
    (done,) = pool.train([task], 1.0)
    alone = LocalTrainer(assets).train(task.assignment, task.round, task.values, 1, 2)
    assert done.trained.values.tobytes() == alone.values.tobytes()


def test_several_orders_are_under_way_at_once(assets: TrainingAssets, pool: DeviceProcessPool) -> None:
    """The second is given and answered while the first one's device sleeps."""
    slow = replace(IN_NO_TIME, compute_seconds=6.0)
    with ThreadPoolExecutor(1) as another:
        first = another.submit(pool.train, [task_of(assets, 0, slow)], 1.0)
        pool.train([task_of(assets, 1)], 1.0)
        assert not first.done()
        assert first.result()[0].trained is not None


def test_a_dead_device_is_noticed_and_nobody_is_left_behind(assets: TrainingAssets) -> None:
    pool = DeviceProcessPool(assets)
    fork_server = pool.process.pid
    slow = replace(IN_NO_TIME, compute_seconds=600.0)
    watcher = subprocess.Popen([sys.executable, "-c", KILL_A_CHILD, str(fork_server), "2"])
    with pytest.raises(WorkerDiedError):
        pool.train([task_of(assets, 0, slow), task_of(assets, 1, slow)], 1.0)
    watcher.wait()
    pool.close()
    assert not members(fork_server)


def test_nobody_outlives_the_process_that_forks_them(assets: TrainingAssets) -> None:
    pool = DeviceProcessPool(assets)
    fork_server = pool.process.pid
    slow = replace(IN_NO_TIME, compute_seconds=600.0)
    killer = subprocess.Popen([sys.executable, "-c", KILL_ITSELF_ONCE_THERE, str(fork_server), "2"])
    with pytest.raises(WorkerDiedError):
        pool.train([task_of(assets, 0, slow), task_of(assets, 1, slow)], 1.0)
    killer.wait()
    pool.close()
    deadline = time.monotonic() + 20
    while members(fork_server) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not members(fork_server)


AWAIT_CHILDREN = """
import os, signal, subprocess, sys, time
parent, count = int(sys.argv[1]), int(sys.argv[2])
children_of = lambda pid: [int(word) for word in open(f"/proc/{pid}/task/{pid}/children").read().split()]
children = []
while len(children) < count:
    time.sleep(0.1)
    children = [device for runner in children_of(parent) for device in children_of(runner)]
time.sleep(0.5)
"""
KILL_A_CHILD = AWAIT_CHILDREN + "os.kill(children[0], signal.SIGKILL)"
KILL_ITSELF_ONCE_THERE = AWAIT_CHILDREN + "os.kill(parent, signal.SIGKILL)"


def members(fork_server: int) -> list[int]:
    """Living processes of the group that a pool's first process has founded."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, _, group = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
            except OSError:
                continue
            if int(group) == fork_server and state != "Z":
                found.append(int(entry.name))
    return found

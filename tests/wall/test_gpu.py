"""What a device's process may use of a GPU. Nothing here touches one: torch's own code runs down to its driver calls,
which are recorded instead.
"""

import multiprocessing
import os
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fedray.adapters import AdapterSpec
from fedray.learning.local_trainer import LocalTrainer
from fedray.protocol import Assignment
from fedray.wall import device
from fedray.wall.gpu import confine
from fedray.wall.messages import Task
from fedray.wall.phase_targets import PhaseTargets

pytestmark = pytest.mark.model

ASSIGNMENT = Assignment(0, 0, AdapterSpec((4, 4), (0, 1), 1.0), 2, 1)


@pytest.mark.parametrize(("share", "percentage"), [(0.0001, "1"), (0.2, "20"), (0.201, "21"), (3.0, "100")])
def test_a_share_of_the_threads_is_a_whole_percentage(
    share: float, percentage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE", "7")
    confine(share)
    assert os.environ["CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"] == percentage


class SmallTrainer(LocalTrainer):
    """A trainer whose model only says where it is moved to."""

    def __init__(self, weights_bytes: float, room: float) -> None:
        self.moved: list[torch.device] = []
        self.model = SimpleNamespace(move_to=self._move)
        self.fits = weights_bytes <= room

    def _move(self, to: torch.device) -> None:
        if not self.fits:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 MiB.\nGPU 0 has ...")
        self.moved.append(to)


@pytest.fixture
def fractions(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, int]]:
    """What the driver is asked for, on a GPU of 16 GB."""
    asked: list[tuple[float, int]] = []
    for module in (torch.cuda, torch.cuda.memory):
        monkeypatch.setattr(module, "_lazy_init", lambda: None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    gpu = SimpleNamespace(total_memory=16_000_000_000)
    monkeypatch.setattr(torch.cuda, "_get_device_properties", lambda index: gpu, raising=False)
    ask = lambda fraction, index: asked.append((fraction, index))  # noqa: E731
    monkeypatch.setattr(torch._C, "_cuda_setMemoryFraction", ask, raising=False)
    return asked


@pytest.mark.parametrize(("memory", "fraction"), [(4e9, 0.25), (64e9, 1.0)])
def test_a_gpu_gives_a_process_as_much_memory_as_its_board_has(memory, fraction, fractions) -> None:
    bench = SmallTrainer(1e9, memory)
    bench.move_to("cuda", memory)
    assert (fractions, bench.moved) == ([(fraction, 0)], [torch.device("cuda")])


def test_without_a_limit_nothing_is_capped(fractions) -> None:
    SmallTrainer(1e9, 2e9).move_to("cuda")
    assert fractions == []


def test_a_model_that_a_gpus_part_cannot_hold_is_out_of_memory_on_that_device(fractions, monkeypatch) -> None:
    """It takes part in the round up to the time at which it would compute, then reports."""
    monkeypatch.setattr(device, "die_with_parent", lambda: None)
    monkeypatch.delenv("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE", raising=False)
    task = Task(ASSIGNMENT, 1, (0, 1), np.zeros(0, np.float32), PhaseTargets(0.01, 60.0, 60.0, float("inf"), 1e9))
    ours, theirs = multiprocessing.Pipe()
    process = threading.Thread(
        target=device.perform, args=(theirs, SmallTrainer(2e9, 1e9), "cuda", task, 1.0), daemon=True
    )
    process.start()
    assert ours.poll(60)
    assert ours.recv() is None  # ready
    ours.send(0.0)
    ours.send_bytes(np.zeros(4, np.float32).tobytes())
    assert ours.poll(60)
    assert ours.recv_bytes() == b""
    device_result = ours.recv()
    process.join()
    assert device_result.trained is None
    assert device_result.failure == "out of memory: CUDA out of memory. Tried to allocate 2.00 MiB."
    assert device_result.enforced.upload_seconds == 0.0

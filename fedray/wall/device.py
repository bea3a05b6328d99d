"""What a forked process does: train as a device for a round, evaluate, or calibrate."""

import ctypes
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import inf
from multiprocessing.connection import Connection

import numpy as np

from fedray.learning.calibration import calibrate
from fedray.learning.local_trainer import LocalTrainer
from fedray.wall.dilation import SLOT
from fedray.wall.gpu import confine
from fedray.wall.messages import EvalRequest, Task, TaskResult
from fedray.wall.throttle import CutShortError, Throttle

DIE_WITH_PARENT = 1  # prctl's PR_SET_PDEATHSIG
NOTHING = np.zeros(0, np.float32)


def perform(pipe: Connection, trainer: LocalTrainer, torch_device: str, task: Task, dilation: float) -> None:
    """Run one round: download the adapter, train, upload; each phase takes its planned time.

    Messages: in, when to begin; in, bytes; out, bytes (none if there is no update); out, the `TaskResult`.
    """
    die_with_parent()
    if torch_device != "cpu":
        confine(task.targets.machine_share / SLOT)
    too_small = None
    try:
        trainer.move_to(torch_device, task.targets.memory_limit_bytes)
    except MemoryError as error:
        too_small = error  # reported when it would train
    pipe.send(None)  # ready
    throttle = Throttle(task.targets, task.assignment.local_steps // task.part[1], pipe.recv(), dilation)
    trained, failure, sent = None, None, False
    try:
        values = np.frombuffer(pipe.recv_bytes(), np.float32)
        throttle.downloaded()
        if too_small:
            raise too_small
        with interrupted_at(throttle.stops):
            trained = trainer.train(task.assignment, task.round, values, *task.part, observer=throttle)
        sent = True
        pipe.send_bytes(trained.values.tobytes())
        throttle.uploaded()
    except CutShortError:
        pass
    except MemoryError as error:
        failure = f"out of memory: {error}"
    if not sent:
        pipe.send_bytes(b"")
    if trained is not None:
        trained = replace(trained, values=NOTHING) if sent and task.targets.gets_through else None
    pipe.send(TaskResult(trained, failure, throttle.enforced()))


def examine(pipe: Connection, trainer: LocalTrainer, torch_device: str, request: EvalRequest) -> None:
    """Score blocks of held-out examples."""
    die_with_parent()
    trainer.move_to(torch_device)
    pipe.send(trainer.evaluate(request.spec, request.values, request.blocks))


def measure(pipe: Connection, trainer: LocalTrainer, torch_device: str) -> None:
    """The speed of one process."""
    die_with_parent()
    trainer.move_to(torch_device)
    pipe.send(calibrate(trainer))


@contextmanager
def interrupted_at(moment: float) -> Iterator[None]:
    """Raise CutShortError at a time of the monotonic clock, interrupting any computation; never, if inf."""

    def interrupt(number: int, frame: object) -> None:
        raise CutShortError

    if moment == inf:
        yield
        return
    signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, max(moment - time.monotonic(), 1e-6))
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def die_with_parent() -> None:
    """End with the process that forked this one, however that ends."""
    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)

"""What a forked process does with its life: be a device for a round, score, or measure."""

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
from fedray.wall.messages import Examination, Performance, Task
from fedray.wall.timekeeper import CutShortError, Timekeeper

DIE_WITH_PARENT = 1  # prctl's PR_SET_PDEATHSIG
NOTHING = np.zeros(0, np.float32)


def perform(link: Connection, trainer: LocalTrainer, torch_device: str, task: Task, dilation: float) -> None:
    """One round: the adapter's bytes come in, steps are taken, bytes go out, each in the time it was planned to take.

    Messages: in, when to begin; in, bytes; out, bytes (none if there is no update); out, the performance.
    """
    die_with_parent()
    if torch_device != "cpu":
        confine(task.errand.machine_share / SLOT)
    too_small = None
    try:
        trainer.move_to(torch_device, task.errand.memory_limit_bytes)
    except MemoryError as error:
        too_small = error  # which shows when it would train
    link.send(None)  # ready
    keeper = Timekeeper(task.errand, task.assignment.local_steps // task.part[1], link.recv(), dilation)
    trained, failure, sent = None, None, False
    try:
        values = np.frombuffer(link.recv_bytes(), np.float32)
        keeper.downloaded()
        if too_small:
            raise too_small
        with interrupted_at(keeper.stops):
            trained = trainer.train(task.assignment, task.round, values, *task.part, foreman=keeper)
        sent = True
        link.send_bytes(trained.values.tobytes())
        keeper.uploaded()
    except CutShortError:
        pass
    except MemoryError as error:
        failure = f"out of memory: {error}"
    if not sent:
        link.send_bytes(b"")
    if trained is not None:
        trained = replace(trained, values=NOTHING) if sent and task.errand.gets_through else None
    link.send(Performance(trained, failure, keeper.enforced()))


def examine(link: Connection, trainer: LocalTrainer, torch_device: str, examination: Examination) -> None:
    """Score blocks of held-out examples."""
    die_with_parent()
    trainer.move_to(torch_device)
    link.send(trainer.evaluate(examination.spec, examination.values, examination.blocks))


def measure(link: Connection, trainer: LocalTrainer, torch_device: str) -> None:
    """How fast one process is."""
    die_with_parent()
    trainer.move_to(torch_device)
    link.send(calibrate(trainer))


@contextmanager
def interrupted_at(moment: float) -> Iterator[None]:
    """CutShortError at a time of the monotonic clock, in the middle of whatever is computed then; never, if inf."""

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

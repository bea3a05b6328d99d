"""A host's devices under the wall clock, as the host sees them."""

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

from fedray.adapters import AdapterSpec
from fedray.learning.calibration import Calibration
from fedray.learning.evaluation import BlockScore
from fedray.learning.local_trainer import TrainingAssets
from fedray.protocol import Values
from fedray.wall.messages import Examination, Order, Performance, SpeedTest, Task, Wave, WorkerInit


class CrewLostError(Exception):
    """A device's process or the one that forks them has died, and what it was doing is lost."""


class Crew:
    """Responsibilities: start the process that forks devices, give orders, several at once, notice who is gone."""

    def __init__(self, assets: TrainingAssets, torch_device: str = "cpu") -> None:
        ours, theirs = socket.socketpair()
        descriptor = theirs.fileno()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fedray.wall.zygote", str(descriptor)],
            pass_fds=[descriptor],
            start_new_session=True,  # a Ctrl-C is for whoever started us
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        theirs.close()
        self.control = ours
        greeting = Connection(os.dup(ours.fileno()))
        try:
            greeting.send(WorkerInit(assets, torch_device))
            greeting.recv()  # ready
        except (EOFError, OSError) as error:
            raise CrewLostError("the process that forks devices has died") from error
        finally:
            greeting.close()

    def train(self, tasks: Sequence[Task], dilation: float) -> list[Performance]:
        """All tasks at once, each on a device of its own, that begin together."""
        performances: list[Performance] = self._answer(Wave(tasks, dilation))
        return performances

    def evaluate(self, spec: AdapterSpec, values: Values, blocks: Sequence[tuple[str, int]]) -> list[BlockScore]:
        """Score blocks of held-out examples, each given as (split, number), with an adapter."""
        scores: list[BlockScore] = self._answer(Examination(spec, values, blocks))
        return scores

    def calibrate(self, processes: int) -> list[Calibration]:
        """How fast each of so many processes is while the others measure, too."""
        calibrations: list[Calibration] = self._answer(SpeedTest(processes))
        return calibrations

    def close(self) -> None:
        """End all."""
        self.control.close()
        self.process.wait()

    def _answer(self, order: Order) -> Any:  # noqa: ANN401  (as many types as orders)
        ours, theirs = socket.socketpair()
        link = Connection(ours.detach())
        try:
            socket.send_fds(self.control, [b"!"], [theirs.fileno()])
            theirs.close()
            link.send(order)
            return link.recv()
        except (EOFError, OSError) as error:
            raise CrewLostError("a device's process, or the one that forks them, has died") from error
        finally:
            theirs.close()
            link.close()

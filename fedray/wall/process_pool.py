"""The pool of device processes of a host under the wall clock."""

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

from fedray.adapters import AdapterSpec
from fedray.arrays import Values
from fedray.learning.calibration import Calibration
from fedray.learning.evaluation import BlockScore
from fedray.learning.local_trainer import TrainingAssets
from fedray.wall.messages import CalibrateRequest, EvalRequest, Request, Task, TaskResult, TrainRequest, WorkerInit


class WorkerDiedError(Exception):
    """A device process or the fork server died; the work of this host is lost and will be redone."""


class DeviceProcessPool:
    """Responsibilities: start the fork server, send requests (several at once), detect processes that died."""

    def __init__(self, assets: TrainingAssets, torch_device: str = "cpu") -> None:
        ours, theirs = socket.socketpair()
        descriptor = theirs.fileno()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fedray.wall.fork_server", str(descriptor)],
            pass_fds=[descriptor],
            start_new_session=True,  # Ctrl-C reaches the parent only
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        theirs.close()
        self.control = ours
        greeting = Connection(os.dup(ours.fileno()))
        try:
            greeting.send(WorkerInit(assets, torch_device))
            greeting.recv()  # ready
        except (EOFError, OSError) as error:
            raise WorkerDiedError("the process that forks devices has died") from error
        finally:
            greeting.close()

    def train(self, tasks: Sequence[Task], dilation: float) -> list[TaskResult]:
        """Train all tasks at once, one device process each; they begin together."""
        task_results: list[TaskResult] = self._answer(TrainRequest(tasks, dilation))
        return task_results

    def evaluate(self, spec: AdapterSpec, values: Values, blocks: Sequence[tuple[str, int]]) -> list[BlockScore]:
        """Score blocks of held-out examples, each given as (split, number), with an adapter."""
        scores: list[BlockScore] = self._answer(EvalRequest(spec, values, blocks))
        return scores

    def calibrate(self, processes: int) -> list[Calibration]:
        """The speed of each of `processes` processes that measure at the same time."""
        calibrations: list[Calibration] = self._answer(CalibrateRequest(processes))
        return calibrations

    def close(self) -> None:
        """End the fork server and every device process."""
        self.control.close()
        self.process.wait()

    def _answer(self, request: Request) -> Any:  # noqa: ANN401  (one type per request)
        ours, theirs = socket.socketpair()
        pipe = Connection(ours.detach())
        try:
            socket.send_fds(self.control, [b"!"], [theirs.fileno()])
            theirs.close()
            pipe.send(request)
            return pipe.recv()
        except (EOFError, OSError) as error:
            raise WorkerDiedError("a device's process, or the one that forks them, has died") from error
        finally:
            theirs.close()
            pipe.close()

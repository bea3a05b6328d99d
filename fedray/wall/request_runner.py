"""Run one request: fork device processes, start them together, pass bytes both ways, collect their results."""

import multiprocessing
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from typing import Any

import numpy as np

from fedray.learning.local_trainer import LocalTrainer
from fedray.wall.device import die_with_parent, examine, measure, perform
from fedray.wall.messages import CalibrateRequest, EvalRequest, Request, TaskResult, TrainRequest

BRIEFING = 0.05  # wall seconds between announcing the start and the start, so that every device process has received it
FORK = multiprocessing.get_context("fork")

Life = tuple[Any, ...]  # the function a forked process calls, and its arguments after pipe, trainer and torch device


def conduct(host: Connection, trainer: LocalTrainer, torch_device: str) -> None:
    """Receive one request and send its answer; send nothing if a device process dies or the host is gone."""
    die_with_parent()
    runner = RequestRunner(host, trainer, torch_device)
    try:
        host.send(runner.carry_out(host.recv()))
    except (EOFError, OSError):
        host.close()  # the host sees the closed pipe


class RequestRunner:
    """Responsibilities: fork device processes, start them together, end them with the request."""

    def __init__(self, host: Connection, trainer: LocalTrainer, torch_device: str) -> None:
        self.host = host
        self.trainer = trainer
        self.torch_device = torch_device

    def carry_out(self, request: Request) -> object:
        """The answer to a request; EOFError if a forked process dies, or the host does."""
        match request:
            case TrainRequest():
                return self._train(request)
            case EvalRequest():
                return self._answers([(examine, request)])[0]
            case CalibrateRequest(processes):
                return self._answers([(measure,)] * processes)

    def _train(self, request: TrainRequest) -> list[TaskResult]:
        with self._forked([(perform, task, request.dilation) for task in request.tasks]) as pipes:
            for pipe in pipes:
                pipe.recv()  # ready
            begins = time.monotonic() + BRIEFING
            for pipe in pipes:
                pipe.send(begins)
            for pipe, task in zip(pipes, request.tasks, strict=True):
                pipe.send_bytes(task.values.tobytes())
            updates: dict[Connection, bytes] = {}
            done: dict[Connection, TaskResult] = {}
            while len(done) < len(pipes):
                for pipe in self._speaking(pipes, done):
                    if pipe in updates:
                        done[pipe] = pipe.recv()
                    else:
                        updates[pipe] = pipe.recv_bytes()
        return [_with_values(done[pipe], updates[pipe]) for pipe in pipes]

    def _answers(self, lives: Sequence[Life]) -> list[Any]:
        """One answer from each."""
        answers: dict[Connection, Any] = {}
        with self._forked(lives) as pipes:
            while len(answers) < len(pipes):
                for pipe in self._speaking(pipes, answers):
                    answers[pipe] = pipe.recv()
        return [answers[pipe] for pipe in pipes]

    @contextmanager
    def _forked(self, lives: Sequence[Life]) -> Iterator[list[Connection]]:
        """Fork one process for each, with a pipe to it; end all of them afterwards."""
        pipes, processes = [], []
        try:
            for act, *arguments in lives:
                ours, theirs = FORK.Pipe()
                process = FORK.Process(
                    target=act, args=(theirs, self.trainer, self.torch_device, *arguments), daemon=True
                )
                process.start()
                theirs.close()
                pipes.append(ours)
                processes.append(process)
            yield pipes
        finally:
            for pipe, process in zip(pipes, processes, strict=True):
                process.kill()
                process.join()
                pipe.close()

    def _speaking(self, pipes: Sequence[Connection], done: Collection[Connection]) -> list[Connection]:
        """The pipes, of those not done, that are ready to read; blocks until one is."""
        ready = wait([self.host, *(pipe for pipe in pipes if pipe not in done)])
        if self.host in ready:
            raise EOFError("the host is gone")
        return [pipe for pipe in pipes if pipe in ready]


def _with_values(task_result: TaskResult, sent: bytes) -> TaskResult:
    if task_result.trained is None:
        return task_result
    return replace(task_result, trained=replace(task_result.trained, values=np.frombuffer(sent, np.float32)))

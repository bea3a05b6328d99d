"""Carrying out one order: fork devices, let them begin together, carry bytes both ways, bring back what they did."""

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
from fedray.wall.messages import Examination, Order, Performance, SpeedTest, Wave

BRIEFING = 0.05  # wall seconds from the word when to begin until then: everybody has heard it
FORK = multiprocessing.get_context("fork")

Life = tuple[Any, ...]  # what a forked process calls, and with what after its link, the trainer and where to compute


def conduct(host: Connection, trainer: LocalTrainer, torch_device: str) -> None:
    """Receive one order and send its answer; nothing is sent if a device dies or nobody waits any more."""
    die_with_parent()
    conductor = Conductor(host, trainer, torch_device)
    try:
        host.send(conductor.carry_out(host.recv()))
    except (EOFError, OSError):
        host.close()  # which is how the host learns of it


class Conductor:
    """Responsibilities: fork, let devices begin together, end them with the order."""

    def __init__(self, host: Connection, trainer: LocalTrainer, torch_device: str) -> None:
        self.host = host
        self.trainer = trainer
        self.torch_device = torch_device

    def carry_out(self, order: Order) -> object:
        """The answer to an order; EOFError if a forked process dies, or the host does."""
        match order:
            case Wave():
                return self._wave(order)
            case Examination():
                return self._answers([(examine, order)])[0]
            case SpeedTest(processes):
                return self._answers([(measure,)] * processes)

    def _wave(self, wave: Wave) -> list[Performance]:
        with self._forked([(perform, task, wave.dilation) for task in wave.tasks]) as links:
            for link in links:
                link.recv()  # ready
            begins = time.monotonic() + BRIEFING
            for link in links:
                link.send(begins)
            for link, task in zip(links, wave.tasks, strict=True):
                link.send_bytes(task.values.tobytes())
            updates: dict[Connection, bytes] = {}
            done: dict[Connection, Performance] = {}
            while len(done) < len(links):
                for link in self._speaking(links, done):
                    if link in updates:
                        done[link] = link.recv()
                    else:
                        updates[link] = link.recv_bytes()
        return [_with_values(done[link], updates[link]) for link in links]

    def _answers(self, lives: Sequence[Life]) -> list[Any]:
        """What each sends, once."""
        answers: dict[Connection, Any] = {}
        with self._forked(lives) as links:
            while len(answers) < len(links):
                for link in self._speaking(links, answers):
                    answers[link] = link.recv()
        return [answers[link] for link in links]

    @contextmanager
    def _forked(self, lives: Sequence[Life]) -> Iterator[list[Connection]]:
        """A process for each, with a link to it; all are gone afterwards."""
        links, processes = [], []
        try:
            for act, *arguments in lives:
                ours, theirs = FORK.Pipe()
                process = FORK.Process(
                    target=act, args=(theirs, self.trainer, self.torch_device, *arguments), daemon=True
                )
                process.start()
                theirs.close()
                links.append(ours)
                processes.append(process)
            yield links
        finally:
            for link, process in zip(links, processes, strict=True):
                process.kill()
                process.join()
                link.close()

    def _speaking(self, links: Sequence[Connection], done: Collection[Connection]) -> list[Connection]:
        """Those that have something to say, of those that are not done; waits until somebody has."""
        ready = wait([self.host, *(link for link in links if link not in done)])
        if self.host in ready:
            raise EOFError("nobody waits for the answer any more")
        return [link for link in links if link in ready]


def _with_values(performance: Performance, sent: bytes) -> Performance:
    if performance.trained is None:
        return performance
    return replace(performance, trained=replace(performance.trained, values=np.frombuffer(sent, np.float32)))

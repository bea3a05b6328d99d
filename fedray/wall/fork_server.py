"""The fork server: a process that holds the model once and forks the processes that work with it.

    python -m fedray.wall.fork_server FILE_DESCRIPTOR

For every request it forks a runner, so that several can run at once, and that forks the devices. Each is
there in milliseconds and shares the memory of the frozen weights. This process itself never computes and never touches
CUDA, so that what it forks may do both.
"""

import gc
import multiprocessing
import os
import socket
import sys
from multiprocessing.connection import Connection

from fedray.learning.local_trainer import LocalTrainer
from fedray.wall.device import die_with_parent
from fedray.wall.messages import WorkerInit
from fedray.wall.request_runner import conduct

FORK = multiprocessing.get_context("fork")


def main() -> None:
    """Serve one host until it ends: every descriptor that it sends is a pipe to a request runner."""
    die_with_parent()
    control = socket.socket(fileno=int(sys.argv[1]))
    greeting = Connection(os.dup(control.fileno()))
    worker_init: WorkerInit = greeting.recv()
    trainer = LocalTrainer(worker_init.assets)
    gc.collect()
    gc.freeze()  # the collector skips what exists now, so that its pages stay shared
    greeting.send(None)  # ready
    greeting.close()
    while True:
        word, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not word:
            return
        request = Connection(descriptors[0])
        FORK.Process(target=conduct, args=(request, trainer, worker_init.torch_device)).start()
        request.close()
        multiprocessing.active_children()  # reaps processes that have ended


if __name__ == "__main__":
    main()

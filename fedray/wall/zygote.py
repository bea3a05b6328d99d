"""A process that holds the model once, and forks whoever is to work with it.

    python -m fedray.wall.zygote FILE_DESCRIPTOR

For every order it forks a conductor, so that several can be under way at once, and that forks the devices. Each is
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
from fedray.wall.conductor import conduct
from fedray.wall.device import die_with_parent
from fedray.wall.messages import WorkerInit

FORK = multiprocessing.get_context("fork")


def main() -> None:
    """Serve one host until it is gone: every descriptor that it sends is a link to a conductor."""
    die_with_parent()
    control = socket.socket(fileno=int(sys.argv[1]))
    greeting = Connection(os.dup(control.fileno()))
    worker_init: WorkerInit = greeting.recv()
    trainer = LocalTrainer(worker_init.assets)
    gc.collect()
    gc.freeze()  # what is there now is not looked at again, so that its pages stay shared
    greeting.send(None)  # ready
    greeting.close()
    while True:
        word, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not word:
            return
        order = Connection(descriptors[0])
        FORK.Process(target=conduct, args=(order, trainer, worker_init.torch_device)).start()
        order.close()
        multiprocessing.active_children()  # buries those that have ended


if __name__ == "__main__":
    main()

"""A Ray to run on: an embedded one that lives as long as the run, or a cluster that is already there."""

import logging
import os
import secrets
import socket
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import ray

from fedray.errors import UserError
from fedray.runtime.shipping import local_packages

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0  # for a first answer of a head


@dataclass(frozen=True)
class Cluster:
    """What the run may use."""

    cpus: float
    gpus: float
    memory_bytes: float


@contextmanager
def session(address: str | None, methods: Iterable[str] = ()) -> Iterator[Cluster]:
    """Connect to `address` (`auto`, or host:port of a head), or start a Ray of our own; leave it at the end.

    The packages of `methods` that only this machine has are shipped to the nodes. A Ray of our own has Python's path.
    Without an address, a Ray that this process is already connected to is used, and stays; nothing is shipped to it.

    Raises
    ------
    UserError
        if no cluster answers there, or the address is a Ray Client one: the coordinator has to live where the run
        directory is; also for an address where this process is already connected to a Ray.
    """
    if ray.is_initialized():
        if address is not None:
            raise UserError(
                f"--address: given {address!r}, but this process is connected to a Ray; allowed: none, to use that one"
            )
        logger.info("using the Ray that this process is connected to")
        yield _resources()
        return
    if address is None:
        _start_embedded()
    else:
        _connect(address, methods)
    try:
        yield _resources()
    finally:
        ray.shutdown()


def _resources() -> Cluster:
    resources = ray.cluster_resources()
    return Cluster(resources.get("CPU", 0.0), resources.get("GPU", 0.0), resources.get("memory", 0.0))


def _start_embedded() -> None:
    logger.info("starting a Ray of our own")
    # Ray asks for a token by default and would leave one, readable by all, in the home directory; ours stays in memory
    if not any(name in os.environ for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")):
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    ray.init(
        address="local",  # without it Ray would join a cluster that happens to run on this machine
        include_dashboard=False,
        log_to_driver=False,
        logging_level="error",
        _system_config={"enable_metrics_collection": False},
    )


def _connect(address: str, methods: Iterable[str]) -> None:
    logger.info("joining the Ray cluster at %s", address)
    if address != "auto":
        _require_listener(address)
    try:
        with tempfile.TemporaryDirectory() as folder:
            packages = local_packages(methods, Path(folder))
            environment = {"py_modules": packages} if packages else None
            ray.init(
                address=address,
                log_to_driver=False,
                logging_level="error",
                namespace="fedray",
                runtime_env=environment,
            )
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"--address: cannot join the Ray cluster at {address}: {reason}") from None


def _require_listener(address: str) -> None:
    """Ray itself would try for minutes before it reports that no cluster answers."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or "://" in address:
        raise UserError(f"--address: given {address!r}; allowed: auto, or host:port of a head, e.g. 10.0.0.1:6379")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise UserError(f"--address: no Ray head answers at {address}: {error}") from None

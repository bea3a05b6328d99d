"""A Ray to run on: an embedded one that lives as long as the run, or a cluster that is already there."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import ray

from fedray.errors import UserError


@dataclass(frozen=True)
class Cluster:
    """What the run may use."""

    cpus: float
    gpus: float


@contextmanager
def session(address: str | None) -> Iterator[Cluster]:
    """Connect to `address` (`auto`, or host:port of a head), or start a Ray of our own; leave it at the end.

    Raises
    ------
    UserError
        if no cluster answers there, or the address is a Ray Client one: the coordinator has to live where the run
        directory is.
    """
    if address is None:
        _start_embedded()
    else:
        _connect(address)
    try:
        resources = ray.cluster_resources()
        yield Cluster(resources.get("CPU", 0.0), resources.get("GPU", 0.0))
    finally:
        ray.shutdown()


def use_token_if_there_is_one() -> None:
    """Ray ignores a token unless told to use it; one that the user has set up is meant to be used."""
    named = any(os.environ.get(name) for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    if named or (Path.home() / ".ray" / "auth_token").is_file():
        os.environ.setdefault("RAY_AUTH_MODE", "token")


def _start_embedded() -> None:
    # a token of its own, in memory only: Ray would leave one readable by all in the home directory
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    if os.environ["RAY_AUTH_MODE"] == "token":
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    ray.init(
        include_dashboard=False,
        log_to_driver=False,
        logging_level="error",
        _node_ip_address="127.0.0.1",
        _system_config={"enable_metrics_collection": False},
    )


def _connect(address: str) -> None:
    if address.startswith("ray://"):
        raise UserError(f"--address: given {address}; allowed: auto, or host:port of a head of the same network")
    use_token_if_there_is_one()
    try:
        ray.init(address=address, log_to_driver=False, logging_level="error", namespace="fedray")
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"--address: cannot join the Ray cluster at {address}: {reason}") from None

"""All hosts of a run as one: work spread over them, redone elsewhere when one dies."""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from threading import Lock
from typing import Any, TypeVar

import ray
from ray.actor import ActorHandle
from ray.exceptions import ObjectLostError, RayActorError

from fedray.errors import RunFailedError, UserError
from fedray.learning.calibration import Calibration
from fedray.runtime.execution.host import Host
from fedray.runtime.execution.messages import HostConfig
from fedray.scenario.schema import Runtime

MOST_WAVES = 64  # groups whose devices a host carries at the same time under the wall clock
MAX_DEATHS = 3  # hosts that one piece of work may take with it before the run fails

Piece = TypeVar("Piece")


@dataclass(frozen=True)
class HostResources:
    """How many hosts, and what Ray reserves for each."""

    hosts: int
    cpus: float
    gpus: float

    @property
    def processors(self) -> float:
        """GPUs of all hosts if devices train on those, else their CPUs; one, if none are reserved."""
        return self.hosts * (self.gpus or self.cpus) or 1.0


def host_resources(runtime: Runtime, participants: int, cpus: float, gpus: float) -> HostResources:
    """The hosts of a run on a cluster that offers `cpus` and `gpus`.

    Without a number of hosts there is one per reserved CPU, at most one per participant. `cpus_per_host: auto`
    reserves one CPU, or an equal share when there are more hosts than CPUs; `gpus_per_host: auto` an equal share of all
    GPUs, a whole number of them if there are more than hosts, as Ray wants it. What of its host's GPU a device may use
    under the wall clock follows from its profile.

    Raises
    ------
    UserError
        if the reservation exceeds the cluster: Ray would wait for ever.
    """
    wanted = runtime.cpus_per_host
    if runtime.devices_per_host != "auto":
        hosts = math.ceil(participants / runtime.devices_per_host)
    elif runtime.hosts != "auto":
        hosts = runtime.hosts
    else:
        limits = [participants, cpus if wanted == "auto" else cpus / wanted if wanted else math.inf]
        if runtime.gpus_per_host != "auto" and runtime.gpus_per_host:
            limits.append(gpus / runtime.gpus_per_host)
        hosts = max(1, int(min(limits)))
    share = min(1.0, _equal_share(cpus, hosts)) if wanted == "auto" else wanted
    gpu_share = _equal_share(gpus, hosts) if runtime.gpus_per_host == "auto" else runtime.gpus_per_host
    for kind, each, there in (("CPU", share, cpus), ("GPU", gpu_share, gpus)):
        if hosts * each > there + 1e-9:
            raise UserError(
                f"runtime.{kind.lower()}s_per_host: {hosts} hosts × {each:g} exceed the cluster's {there:g} {kind}s; "
                f"allowed: at most {there / hosts:g} per host, or fewer hosts"
            )
    return HostResources(hosts, share, gpu_share)


def _equal_share(there: float, hosts: int) -> float:
    """What Ray can reserve: ten-thousandths below one, whole numbers above."""
    return math.floor(there / hosts) if there >= hosts else math.floor(10_000 * there / hosts) / 10_000


class HostPool:
    """Responsibilities: start hosts, hand pieces of work to idle hosts, replace dead ones.

    What a dead host had not finished is done again by another; hosts keep no state, so the result is the same.
    """

    def __init__(self, host_config: HostConfig, resources: HostResources) -> None:
        self._reference = ray.put(host_config)
        self.host_config: HostConfig = ray.get(self._reference)  # shares memory with the hosts of this node
        self.resources = resources
        self.deaths = 0
        self._replacing = Lock()
        self._calls = count()
        self.actors: list[ActorHandle] = [self._start() for _ in range(resources.hosts)]

    def map(
        self, method: str, pieces: Sequence[tuple[Any, ...]], done: Callable[[int], None] = lambda index: None
    ) -> list[Any]:
        """`method(*piece)` of every piece on some host, in the order of the pieces; `done` hears of each.

        Under the wall clock several threads may do this at once.

        Raises
        ------
        RunFailedError
            when one piece has taken three hosts with it.
        """
        results: list[Any] = [None] * len(pieces)
        deaths = [0] * len(pieces)
        waiting = deque(range(len(pieces)))
        idle = deque(range(len(self.actors)))
        idle.rotate(-next(self._calls))  # small groups that go on at once do not all meet on the first host
        running: dict[Any, tuple[int, int, ActorHandle]] = {}
        while waiting or running:
            while waiting and idle:
                piece, host = waiting.popleft(), idle.popleft()
                actor = self.actors[host]
                running[getattr(actor, method).remote(*pieces[piece])] = piece, host, actor
            ready, _ = ray.wait(list(running), num_returns=1)
            piece, host, actor = running.pop(ready[0])
            try:
                results[piece] = ray.get(ready[0])
                done(piece)
            except (RayActorError, ObjectLostError) as error:
                deaths[piece] += 1
                if deaths[piece] == MAX_DEATHS:
                    reason = str(error).strip().splitlines()[-1].strip()
                    raise RunFailedError(f"{MAX_DEATHS} hosts died over the same work; the last: {reason}") from None
                self._replace(host, actor)
                waiting.appendleft(piece)
            idle.append(host)
        return results

    def calibrate(self) -> list[Calibration]:
        """How fast the machine is when all its reserved CPUs, or GPUs, train at once; for the wall clock."""
        asked = min(len(self.actors), max(1, int(self.resources.processors)))
        processes = 1 if self.resources.gpus else max(1, int(self.resources.cpus))
        return [calibration for answer in self.map("calibrate", [(processes,)] * asked) for calibration in answer]

    def close(self) -> None:
        """End all hosts."""
        for actor in self.actors:
            ray.kill(actor)

    def _start(self) -> ActorHandle:
        at_once = MOST_WAVES if self.host_config.clock == "wall" else 1
        options = {"num_cpus": self.resources.cpus, "num_gpus": self.resources.gpus, "max_concurrency": at_once}
        return ray.remote(Host).options(**options).remote(self._reference)

    def _replace(self, host: int, dead: ActorHandle) -> None:
        with self._replacing:
            if self.actors[host] is not dead:
                return  # replaced already
            self.deaths += 1
            ray.kill(dead)
            self.actors[host] = self._start()


def cut(pieces: Sequence[Piece], hosts: int, per_host: int) -> list[Sequence[Piece]]:
    """Consecutive chunks, about `per_host` for each host, so that the last to finish is not far behind."""
    size = max(1, math.ceil(len(pieces) / (hosts * per_host)))
    return [pieces[start : start + size] for start in range(0, len(pieces), size)]

"""One run from beginning to end, as the process that asked for it sees it."""

import logging
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

import ray
from ray.actor import ActorHandle
from ray.exceptions import RayActorError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from fedray.errors import RunFailedError, RunInterruptedError, UserError
from fedray.experiment.experiment import Experiment
from fedray.results import Progress, RoundRecord, RunDirectory, Status, Summary
from fedray.runtime.coordinator_actor import CoordinatorActor, RunStart
from fedray.runtime.execution.host_pool import HostResources, host_resources
from fedray.runtime.session import Cluster, session
from fedray.runtime.stopping import is_finished
from fedray.runtime.wallclock import require_room
from fedray.scenario import Scenario

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5  # between two polls of the current round's progress


class RunCallback(Protocol):
    """Callback for the progress of a run."""

    def started(self, experiment: Experiment, directory: RunDirectory, start: RunStart) -> None:
        """The coordinator is up."""

    def progressed(self, progress: Progress) -> None:
        """The current round has progressed."""

    def completed(self, record: RoundRecord) -> None:
        """A round is complete."""


def execute(
    experiment: Experiment, directory: RunDirectory, address: str | None, callback: RunCallback, resume: bool = False
) -> Summary:
    """Run an experiment in a new run directory, or resume an existing one.

    Raises
    ------
    UserError
        if there is no such cluster, it is too small, or the directory or the port cannot be used.
    RunFailedError
        if the run could not go on; completed rounds are kept.
    RunInterruptedError
        on Ctrl-C; completed rounds are kept.
    """
    with shared_session(address, [experiment.scenario]) as cluster:
        return execute_on(cluster, experiment, directory, callback, resume)


@contextmanager
def shared_session(address: str | None, scenarios: Iterable[Scenario] = ()) -> Iterator[Cluster]:
    """A Ray for runs of these scenarios, one after another; SIGTERM means Ctrl-C: that is how jobs are stopped.

    Signals stay as they are where they cannot be set: in threads beside the main one.
    """
    with session(address, [scenario.method["name"] for scenario in scenarios]) as cluster:
        if threading.current_thread() is not threading.main_thread():
            yield cluster
            return
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # after Ray, which sets one of its own
        try:
            yield cluster
        finally:
            signal.signal(signal.SIGTERM, before)


def share_of(experiment: Experiment, cluster: Cluster) -> HostResources:
    """The hosts of an experiment on a cluster; UserError if it is too small."""
    participants = experiment.scenario.participant_count
    resources = host_resources(experiment.scenario.runtime, participants, cluster.cpus, cluster.gpus)
    if experiment.scenario.runtime.clock == "wall":
        require_room(experiment, resources, cluster.memory_bytes)
    return resources


def execute_on(
    cluster: Cluster,
    experiment: Experiment,
    directory: RunDirectory,
    callback: RunCallback,
    resume: bool = False,
    until: int | None = None,
) -> Summary:
    """`execute`, in a session that is already there and stays; no further than round `until`, if given."""
    resources, coordinator = share_of(experiment, cluster), _start()
    records: list[RoundRecord] | None = None
    try:
        start = _ask(coordinator.open.remote(experiment, directory, resources, resume), directory)
        records = list(start.records)
        logger.info("%s begins after round %d", directory.path, len(records))
        callback.started(experiment, directory, start)
        training = experiment.scenario.training
        while not is_finished(training, records) and (until is None or len(records) < until):
            records.append(_await_round(coordinator, directory, callback))
            logger.info("%s has completed round %d", directory.path, len(records))
            callback.completed(records[-1])
        return _conclude(coordinator, directory, "completed" if is_finished(training, records) else "stopped")
    except KeyboardInterrupt:
        if records is None:
            raise RunInterruptedError("stopped before the first round") from None
        rounds = _conclude(coordinator, directory, "stopped").rounds_completed
        raise RunInterruptedError(f"stopped after round {rounds}; {_what_is_kept(directory)}") from None
    except RunFailedError:
        if records is not None:
            _conclude_if_possible(coordinator, directory)
        raise
    finally:
        ray.kill(coordinator)


def _start() -> ActorHandle:
    """The coordinator, on the node of this process: that is where the run directory is."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor = ray.remote(num_cpus=0, concurrency_groups={"watch": 2})(CoordinatorActor)
    return actor.options(scheduling_strategy=here).remote()


def _await_round(coordinator: ActorHandle, directory: RunDirectory, callback: RunCallback) -> RoundRecord:
    running = coordinator.run_round.remote()
    while not ray.wait([running], timeout=POLL_SECONDS)[0]:
        callback.progressed(_ask(coordinator.progress.remote(), directory))
    record: RoundRecord = _ask(running, directory)
    return record


def _ask(reference: ray.ObjectRef, directory: RunDirectory) -> Any:  # noqa: ANN401  (as many types as questions)
    """What the coordinator answers; its own failures in plain words."""
    try:
        return ray.get(reference)
    except RayTaskError as error:
        if isinstance(error.cause, UserError):
            raise UserError(str(error.cause)) from None
        if isinstance(error.cause, RunFailedError | OSError | MemoryError):  # hosts lost, disk full, memory full
            raise RunFailedError(f"{error.cause}\n{_what_is_kept(directory)}") from None
        raise
    except RayActorError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise RunFailedError(f"the coordinator died: {reason}\n{_what_is_kept(directory)}") from None


def _what_is_kept(directory: RunDirectory) -> str:
    return f"completed rounds are kept; go on with: fedray run --resume {directory.path}"


def _conclude(coordinator: ActorHandle, directory: RunDirectory, status: Status) -> Summary:
    summary: Summary = _ask(coordinator.conclude.remote(status), directory)
    logger.info("%s is %s after round %d", directory.path, status, summary.rounds_completed)
    return summary


def _conclude_if_possible(coordinator: ActorHandle, directory: RunDirectory) -> None:
    """A run that failed may be unable to write its summary, for the same reason."""
    with suppress(RunFailedError):
        _conclude(coordinator, directory, "failed")

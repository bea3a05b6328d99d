"""Runs made ready in one folder and done on one Ray, one after the other; what is complete is not done again."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from fedray.analysis.settings import flattened
from fedray.errors import RunFailedError, RunInterruptedError, UserError
from fedray.experiment.experiment import Experiment, prepare
from fedray.experiment.matrix import Cell, as_written
from fedray.experiment.resume import changed_key
from fedray.experiment.sections import load_resolved
from fedray.experiment.task_data import TaskData
from fedray.results import RunDirectory, Summary
from fedray.runtime.checkpoint import load_checkpoint
from fedray.runtime.driver import RunCallback, execute_on
from fedray.runtime.session import Cluster
from fedray.scenario.source import show

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SweptRun:
    """A cell made ready: `begun` if its folder holds a part of it, `complete` if it has nothing left to do.

    `rounds` are those completed before; `summary` is that of what was done before, if it was concluded.
    """

    name: str
    experiment: Experiment
    directory: RunDirectory
    begun: bool
    complete: bool
    summary: Summary | None
    rounds: int = 0


@dataclass(frozen=True)
class BatchProgress:
    """How many of all runs are complete, for who interrupts them, and the folder of all."""

    complete: int
    runs: int
    folder: Path


class BatchCallback(RunCallback, Protocol):
    """Callback for several runs, and for each of them."""

    def began(self, run: SweptRun) -> None:
        """The turn of a run that is not complete."""

    def ended(self, run: SweptRun, summary: Summary) -> None:
        """A run is complete."""

    def failed(self, run: SweptRun, reason: str) -> None:
        """A run could not go on; the next one is tried."""


def prepare_runs(cells: Sequence[Cell], folder: Path) -> tuple[SweptRun, ...]:
    """Read what every cell names and how far it is; runs of one seed share what it deals out. Nothing is written.

    Raises
    ------
    UserError
        for a cell that does not fit together, and a cell's folder that holds another experiment.
    """
    known: dict[tuple[str, str], TaskData | None] = {}
    runs = []
    for cell in cells:
        with as_written(cell.options):
            experiment = prepare(cell.loaded)
        task = cell.loaded.scenario.model_dump_json(include={"task", "model"})
        data = known.setdefault((task, experiment.fingerprint), experiment.data)
        runs.append(_swept_run(cell.name, replace(experiment, data=data), RunDirectory(folder / cell.name)))
    return tuple(runs)


def require_the_same_base(runs: Sequence[SweptRun], held: Sequence[RunDirectory], free: Sequence[str]) -> None:
    """UserError if runs differ from those that their folder holds in other keys than those that are `free` to."""
    begun = [run for run in held if run.scenario.is_file()]
    if not begun:
        return
    before = flattened(load_resolved(begun[0].scenario).scenario, "").values
    for run in runs:
        now = flattened(run.experiment.scenario, "").values
        for key in sorted(before.keys() | now.keys()):
            if before.get(key) != now.get(key) and not f"{key}.".startswith(tuple(f"{word}." for word in free)):
                raise UserError(
                    f"--run-dir {run.directory.path.parent}: {key}: given {show(now.get(key))}; allowed: "
                    f"{show(before.get(key))}, as in the runs it holds, or another folder"
                )


def run_each(
    cluster: Cluster,
    runs: Sequence[SweptRun],
    callback: BatchCallback,
    progress: BatchProgress,
    until: int | None = None,
) -> Mapping[str, str]:
    """Do runs to their end, or to `until` rounds; the names of those that failed, and why.

    Raises
    ------
    UserError
        if a folder or port cannot be used.
    RunInterruptedError
        on Ctrl-C; completed rounds are kept.
    """
    failures: dict[str, str] = {}
    for number, run in enumerate(runs):
        try:
            logger.info("%s begins, number %d of %d", run.name, progress.complete + number + 1, progress.runs)
            callback.began(run)
            try:
                summary = execute_on(cluster, run.experiment, run.directory, callback, run.begun, until)
            except RunFailedError as error:
                logger.info("%s failed: %s", run.name, error)
                failures[run.name] = str(error)
                callback.failed(run, str(error))
            else:
                callback.ended(run, summary)
        except (RunInterruptedError, KeyboardInterrupt):  # also between two runs
            complete = progress.complete + number - len(failures)
            raise RunInterruptedError(
                f"stopped in {run.name}; {complete} of {progress.runs} runs are complete and every completed round "
                f"is kept; go on with the same command and --run-dir {progress.folder}"
            ) from None
    return failures


def _swept_run(name: str, experiment: Experiment, directory: RunDirectory) -> SweptRun:
    """How far a cell is; UserError if its folder holds something else."""
    path = directory.path
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return SweptRun(name, experiment, directory, begun=False, complete=False, summary=None)
    if not directory.scenario.is_file():
        raise UserError(f"{path}: holds something that is no run; move it away, or give another --run-dir")
    before, now = load_resolved(directory.scenario).scenario, experiment.scenario
    if changed := changed_key(before.model_dump(), now.model_dump()):
        raise UserError(f"{path}: holds another experiment: {changed} differs; give another --run-dir")
    saved = load_checkpoint(directory.checkpoint)
    if saved is not None and saved.fingerprint != experiment.fingerprint:
        raise UserError(f"{path}: the data, the backbone or the boards are not those this run began with")
    if saved is not None and saved.round > now.training.rounds:
        raise UserError(f"{path}: training.rounds: this run has already completed {saved.round}")
    summary = directory.summary() if (path / "summary.json").is_file() else None
    complete = summary is not None and summary.status == "completed" and before.training == now.training
    rounds = saved.round if saved is not None else 0
    return SweptRun(name, experiment, directory, begun=True, complete=complete, summary=summary, rounds=rounds)

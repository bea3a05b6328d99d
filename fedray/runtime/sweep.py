"""Many runs on one Ray, one after the other; what is complete is not done again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from fedray.errors import RunFailedError, RunInterruptedError, UserError
from fedray.methods import resolved
from fedray.results import RunDirectory, Summary, SweepDirectory, SweepRecord
from fedray.results.settings import flattened
from fedray.results.sweep_directory import SCHEMA_VERSION
from fedray.runtime.checkpoint import load_checkpoint
from fedray.runtime.driver import Watcher, execute_on, share_of, shared_session
from fedray.runtime.experiment import Experiment, TaskData, prepare
from fedray.runtime.matrix import Matrix, as_written, build_matrix
from fedray.runtime.opening import MAY_CHANGE, changed_key, default_folder
from fedray.scenario import load_scenario


@dataclass(frozen=True)
class SweptRun:
    """A cell made ready: `begun` if its folder holds a part of it, `complete` if it has nothing left to do.

    `summary` is that of what was done before, if it was concluded.
    """

    name: str
    experiment: Experiment
    directory: RunDirectory
    begun: bool
    complete: bool
    summary: Summary | None


@dataclass(frozen=True)
class Sweep:
    """All cells of this call, and the record of all calls on its folder."""

    directory: SweepDirectory
    record: SweepRecord
    runs: tuple[SweptRun, ...]


class SweepWatcher(Watcher, Protocol):
    """Somebody who follows a sweep, and each of its runs."""

    def opened(self, sweep: Sweep) -> None:
        """All runs are valid; none has begun."""

    def began(self, run: SweptRun) -> None:
        """The turn of a run that is not complete."""

    def ended(self, run: SweptRun, summary: Summary) -> None:
        """A run is complete."""

    def failed(self, run: SweptRun, reason: str) -> None:
        """A run could not go on; the next one is tried."""


def open_sweep(
    scenario: Path, settings: Sequence[str], vary: Sequence[str], seeds: str | None, run_dir: Path | None
) -> Sweep:
    """Check and prepare every run of a sweep, new or gone on with; nothing is written yet.

    Raises
    ------
    UserError
        for a run that is not valid, a folder that is no sweep over the same keys, and a cell's folder that holds
        another experiment.
    """
    matrix = build_matrix(scenario, settings, vary, seeds)
    name = matrix.cells[0].loaded.scenario.name
    directory = SweepDirectory(run_dir or default_folder(f"{name}-sweep"))
    record = _record(matrix, directory)
    known: dict[tuple[str, str], TaskData | None] = {}
    runs = []
    for cell in matrix.cells:
        with as_written(cell.options):
            experiment = prepare(cell.loaded)
        task = cell.loaded.scenario.model_dump_json(include={"task", "model"})
        data = known.setdefault((task, experiment.fingerprint), experiment.data)  # methods share what a seed deals out
        runs.append(_swept_run(cell.name, replace(experiment, data=data), directory.cell(cell.name)))
    automatic = any(cell.loaded.scenario.task.max_length == "auto" for cell in matrix.cells)
    chosen = ("task.max_length",) if automatic else ()  # it follows from the data and the tokenizer of each cell
    _require_the_same_base(runs, (*record.vary, *MAY_CHANGE, *chosen), record, directory)
    return Sweep(directory, record, tuple(runs))


def run_sweep(sweep: Sweep, address: str | None, watcher: SweepWatcher) -> tuple[str, ...]:
    """Do what is left of a sweep; the names of the runs that failed.

    Raises
    ------
    UserError
        if there is no such cluster, it is too small for one of the runs, or a folder or port cannot be used.
    RunInterruptedError
        on Ctrl-C; completed rounds are kept.
    """
    watcher.opened(sweep)
    left = [run for run in sweep.runs if not run.complete]
    failed: list[str] = []
    if not left:
        return ()
    with shared_session(address) as cluster:
        for run in left:
            share_of(run.experiment, cluster)
        sweep.directory.write(sweep.record)
        for number, run in enumerate(left):
            watcher.began(run)
            try:
                summary = execute_on(cluster, run.experiment, run.directory, watcher, run.begun)
            except RunFailedError as error:
                failed.append(run.name)
                watcher.failed(run, str(error))
            except (RunInterruptedError, KeyboardInterrupt):
                done = len(sweep.runs) - len(left) + number - len(failed)
                raise RunInterruptedError(
                    f"stopped in {run.name}; {done} of {len(sweep.runs)} runs are complete and every completed round "
                    f"is kept; go on with the same command and --run-dir {sweep.directory.path}"
                ) from None
            else:
                watcher.ended(run, summary)
    return tuple(failed)


def _record(matrix: Matrix, directory: SweepDirectory) -> SweepRecord:
    """What sweep.json will say; UserError if the folder is another's."""
    here = SweepRecord(
        schema_version=SCHEMA_VERSION,
        vary={variation.key: variation.values for variation in matrix.variations},
        seeds=matrix.seeds,
        cells=tuple(cell.name for cell in matrix.cells),
    )
    if not directory.exists():
        directory.require_usable()
        return here
    before = directory.record()
    if before.vary.keys() != here.vary.keys():
        keys = ", ".join(before.vary) or "only the seed"
        raise UserError(
            f"--run-dir {directory.path}: this sweep varies {keys}; to vary other keys, give another folder"
        )
    return before.extended(here)


def _swept_run(name: str, experiment: Experiment, directory: RunDirectory) -> SweptRun:
    """How far a cell is; UserError if its folder holds something else."""
    path = directory.path
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return SweptRun(name, experiment, directory, begun=False, complete=False, summary=None)
    if not directory.scenario.is_file():
        raise UserError(f"{path}: holds something that is no run; move it away, or give another --run-dir")
    before, now = resolved(load_scenario(directory.scenario)).scenario, experiment.scenario
    if changed := changed_key(before.model_dump(), now.model_dump()):
        raise UserError(f"{path}: holds another experiment: {changed} differs; give another --run-dir")
    saved = load_checkpoint(directory.checkpoint)
    if saved is not None and saved.fingerprint != experiment.fingerprint:
        raise UserError(f"{path}: the data, the backbone or the boards are not those this run began with")
    if saved is not None and saved.round > now.training.rounds:
        raise UserError(f"{path}: training.rounds: this run has already completed {saved.round}")
    summary = directory.summary() if (path / "summary.json").is_file() else None
    complete = summary is not None and summary.status == "completed" and before.training == now.training
    return SweptRun(name, experiment, directory, begun=True, complete=complete, summary=summary)


def _require_the_same_base(
    runs: Sequence[SweptRun], free: Sequence[str], record: SweepRecord, directory: SweepDirectory
) -> None:
    """UserError if runs differ from those that the folder holds in more than the keys that are free to."""
    begun = [cell for cell in map(directory.cell, record.cells) if cell.scenario.is_file()]
    if not begun:
        return
    before = flattened(resolved(load_scenario(begun[0].scenario)).scenario, "").values
    for run in runs:
        now = flattened(run.experiment.scenario, "").values
        for key in sorted(before.keys() | now.keys()):
            if before.get(key) != now.get(key) and not f"{key}.".startswith(tuple(f"{word}." for word in free)):
                raise UserError(
                    f"--run-dir {directory.path}: {key} differs from that of the runs it holds; "
                    f"allowed: the sweep's own {', '.join(record.vary) or 'seeds'}, or another folder"
                )

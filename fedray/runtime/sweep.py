"""Sweeps: every combination of some values and seeds in one folder, on one Ray; what is complete is not done again."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fedray.errors import UserError
from fedray.experiment.matrix import Matrix, build_matrix
from fedray.experiment.resume import MAY_CHANGE, default_folder
from fedray.results import SweepDirectory, SweepRecord
from fedray.results.sweep_directory import SCHEMA_VERSION
from fedray.runtime.batch import BatchCallback, BatchProgress, SweptRun, prepare_runs, require_the_same_base, run_each
from fedray.runtime.driver import share_of, shared_session
from fedray.scenario.loading import Origin


@dataclass(frozen=True)
class Sweep:
    """All cells of this call, and the record of all calls on its folder."""

    directory: SweepDirectory
    record: SweepRecord
    runs: tuple[SweptRun, ...]


class SweepCallback(BatchCallback, Protocol):
    """Callback for a sweep, and for each of its runs."""

    def opened(self, sweep: Sweep) -> None:
        """All runs are valid; none has begun."""


def open_sweep(
    scenarios: Sequence[Origin], settings: Sequence[str], vary: Sequence[str], seeds: str | None, run_dir: Path | None
) -> Sweep:
    """Check and prepare every run of a sweep, new or gone on with; nothing is written yet.

    Raises
    ------
    UserError
        for a run that is not valid, a folder that is no sweep over the same keys, and a cell's folder that holds
        another experiment.
    """
    matrix = build_matrix(scenarios, settings, vary, seeds)
    name = matrix.cells[0].loaded.scenario.name
    directory = SweepDirectory(run_dir or default_folder(f"{name}-sweep"))
    record = _record(matrix, directory)
    runs = prepare_runs(matrix.cells, directory.path)
    free = [*record.vary, *MAY_CHANGE]
    if any(cell.loaded.scenario.task.max_length == "auto" for cell in matrix.cells):
        free.append("task.max_length")  # it follows from the data and the tokenizer of each cell
    if record.scenarios:  # which were compared with each other when they were loaded
        tuned = [cell.loaded.scenario.tuning.keys for cell in matrix.cells if cell.loaded.scenario.tuning]
        free += ["method", "topology", *dict.fromkeys(key for keys in tuned for key in keys)]
    require_the_same_base(runs, [directory.cell(name) for name in record.cells], free)
    return Sweep(directory, record, runs)


def run_sweep(sweep: Sweep, address: str | None, callback: SweepCallback) -> tuple[str, ...]:
    """Do what is left of a sweep; the names of the runs that failed.

    Raises
    ------
    UserError
        if there is no such cluster, it is too small for one of the runs, or a folder or port cannot be used.
    RunInterruptedError
        on Ctrl-C; completed rounds are kept.
    """
    callback.opened(sweep)
    left = [run for run in sweep.runs if not run.complete]
    if not left:
        return ()
    with shared_session(address, [run.experiment.scenario for run in sweep.runs]) as cluster:
        for run in left:
            share_of(run.experiment, cluster)
        sweep.directory.write(sweep.record)
        progress = BatchProgress(len(sweep.runs) - len(left), len(sweep.runs), sweep.directory.path)
        return tuple(run_each(cluster, left, callback, progress))


def _record(matrix: Matrix, directory: SweepDirectory) -> SweepRecord:
    """What sweep.json will say; UserError if the folder is another's."""
    here = SweepRecord(
        schema_version=SCHEMA_VERSION,
        vary={variation.key: variation.values for variation in matrix.variations},
        seeds=matrix.seeds,
        cells=tuple(cell.name for cell in matrix.cells),
        scenarios=matrix.scenarios,
    )
    if not directory.exists():
        directory.require_usable()
        return here
    before, place = directory.record(), f"--run-dir {directory.path}"
    if before.schema_version != SCHEMA_VERSION:
        raise UserError(f"{place}: an earlier fedray began this sweep; compare and report read it; give another folder")
    if before.vary.keys() != here.vary.keys():
        keys = ", ".join(before.vary) or "only the seed"
        raise UserError(f"{place}: this sweep varies {keys}; to vary other keys, give another folder")
    if bool(before.scenarios) != bool(here.scenarios):
        held = f"the scenarios {', '.join(before.scenarios)}" if before.scenarios else "one scenario"
        raise UserError(f"{place}: this sweep runs {held}; allowed: the same way again, or another folder")
    return before.extended(here)

"""From run directories to what a report draws: records, and every round's devices as columns."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from fedray.analysis.comparison import Comparison
from fedray.analysis.rows import ComparedRun
from fedray.arrays import Ints
from fedray.errors import UserError
from fedray.results.records import RoundRecord
from fedray.results.round_devices import RoundDevices
from fedray.results.run_directory import RunDirectory
from fedray.results.summary import Summary


@dataclass(frozen=True)
class Shards:
    """Examples per label: `examples[i]`, shape (labels,), is what device `devices[i]` holds."""

    labels: tuple[str, ...]
    devices: Ints
    examples: Ints

    def of(self, devices: Ints) -> Ints:
        """Examples per label that these devices hold together."""
        return np.asarray(self.examples[np.isin(self.devices, devices)].sum(axis=0), np.int64)

    @property
    def whole(self) -> Ints:
        return np.asarray(self.examples.sum(axis=0), np.int64)


@dataclass(frozen=True)
class ReportedRun:
    """One run, read once; `row` is the number of its row in the comparison, equal for runs that differ by seed only.

    `devices` ascends by round and holds no round without devices; `shards` is None where the run wrote none.
    """

    name: str
    row: int
    label: str
    compared: ComparedRun
    scenario_yaml: str
    summary: Summary
    rounds: tuple[RoundRecord, ...]
    devices: tuple[RoundDevices, ...]
    shards: Shards | None

    @property
    def best(self) -> RoundRecord | None:
        """The round with the best score; None if none was evaluated."""
        return next((record for record in self.rounds if record.round == self.summary.best_round), None)

    def record(self, round_: int) -> RoundRecord:
        return next(record for record in self.rounds if record.round == round_)


def read_runs(comparison: Comparison) -> list[ReportedRun]:
    """Read everything a report needs of the compared runs, row by row.

    Raises
    ------
    UserError
        for a run without a completed round, and for files that are not those of a run.
    """
    folders = [Path(run.run).absolute().name for run in comparison.runs]
    unlike = len(set(folders)) == len(folders)
    return [_read(number, row.label, run, unlike) for number, row in enumerate(comparison.rows) for run in row.runs]


def _read(row: int, label: str, compared: ComparedRun, folder_is_name: bool) -> ReportedRun:
    directory = RunDirectory(Path(compared.run))
    rounds = tuple(directory.rounds()) if compared.rounds_completed else ()
    if not rounds:
        raise UserError(f"{directory.path}: no round was completed, so there is nothing to report")
    devices = _device_rounds(directory, {record.round for record in rounds})
    return ReportedRun(
        name=directory.path.absolute().name if folder_is_name else compared.run,
        row=row,
        label=label,
        compared=compared,
        scenario_yaml=directory.scenario.read_text(errors="replace"),
        summary=directory.summary(),
        rounds=rounds,
        devices=devices,
        shards=_shards(directory, devices),
    )


def _device_rounds(directory: RunDirectory, completed: set[int]) -> tuple[RoundDevices, ...]:
    rounds = tuple(trained.devices for trained in directory.devices() if trained.devices.round in completed)
    if not all(before.round < after.round for before, after in pairwise(rounds)):
        raise UserError(f"{directory.path}: its device records are not those of a run")
    return rounds


def _shards(directory: RunDirectory, rounds: Iterable[RoundDevices]) -> Shards | None:
    examples = directory.shards()
    if not examples:
        return None
    labels = directory.labels()
    if {len(row) for row in examples.values()} != {len(labels)}:
        raise UserError(f"{directory.path}: shards.jsonl and labels.json do not have the same labels")
    if not examples.keys() >= {int(device) for one in rounds for device in one.id}:
        raise UserError(f"{directory.path}: shards.jsonl does not have every device of the run")
    return Shards(labels, np.array(list(examples), np.int64), np.array(list(examples.values()), np.int64))

"""The folder of a sweep: a run directory for each of its cells, and sweep.json, which says what was varied."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fedray.errors import UserError
from fedray.results.run_directory import RunDirectory

SCHEMA_VERSION = 2  # 1: cells named by whole keys, one scenario


@dataclass(frozen=True)
class SweepRecord:
    """sweep.json: every value that was given to a key, the seeds, and the cells' folders, oldest first.

    `scenarios` are the files of several scenarios by their names; empty for one scenario.
    """

    schema_version: int
    vary: Mapping[str, Sequence[Any]]
    seeds: Sequence[int]
    cells: Sequence[str]
    scenarios: Sequence[str] = ()

    def extended(self, later: "SweepRecord") -> "SweepRecord":
        """With the values, seeds and cells that a later call added; it varies the same keys."""
        return SweepRecord(
            schema_version=self.schema_version,
            vary={key: _union(values, later.vary[key]) for key, values in self.vary.items()},
            seeds=_union(self.seeds, later.seeds),
            cells=_union(self.cells, later.cells),
            scenarios=_union(self.scenarios, later.scenarios),
        )


@dataclass(frozen=True)
class SweepDirectory:
    """Names and reads the files of one sweep."""

    path: Path

    @property
    def file(self) -> Path:
        return self.path / "sweep.json"

    def exists(self) -> bool:
        """Whether a sweep has begun here."""
        return self.file.is_file()

    def require_usable(self) -> None:
        """UserError if the folder holds something else or could not be made; nothing is written."""
        if self.path.is_dir() and any(self.path.iterdir()):
            raise UserError(f"{self.path}: holds something that is no sweep; give another --run-dir")
        RunDirectory(self.path).require_usable()

    def cell(self, name: str) -> RunDirectory:
        return RunDirectory(self.path / name)

    def record(self) -> SweepRecord:
        """sweep.json; UserError if it is not one of ours."""
        try:
            record = SweepRecord(**json.loads(self.file.read_text()))
        except OSError as error:
            raise UserError(f"{self.file}: {error.strerror}; is this a sweep?") from None
        except (ValueError, TypeError):
            raise UserError(f"{self.file}: not the record of a sweep") from None
        names = record.cells if isinstance(record.cells, list) else [None]
        if not isinstance(record.vary, dict) or not all(isinstance(n, str) and n == Path(n).name for n in names):
            raise UserError(f"{self.file}: not the record of a sweep")
        return record

    def write(self, record: SweepRecord) -> None:
        """Write sweep.json under a temporary name and rename it; UserError where the folder cannot be used."""
        temporary = self.path / f".{self.file.name}.tmp"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(asdict(record), indent=2) + "\n")
            os.replace(temporary, self.file)
        except OSError as error:
            raise UserError(f"{self.path}: cannot write the sweep: {error.strerror}") from None

    def concluded(self) -> list[RunDirectory]:
        """The cells that have a summary, in the order of sweep.json."""
        cells = [self.cell(name) for name in self.record().cells]
        return [cell for cell in cells if (cell.path / "summary.json").is_file()]

    def completed(self) -> list[RunDirectory]:
        """The cells that have nothing left to do, in the order of sweep.json."""
        return [cell for cell in self.concluded() if cell.summary().status == "completed"]


def expand(paths: Iterable[Path]) -> list[RunDirectory]:
    """The runs that paths stand for: a sweep's folder for its concluded cells, any other for itself.

    UserError for a sweep without a concluded cell.
    """
    runs: list[RunDirectory] = []
    for path in paths:
        sweep = SweepDirectory(path)
        found = sweep.concluded() if sweep.exists() else [RunDirectory(path)]
        if not found:
            raise UserError(f"{path}: no run of this sweep has ended yet")
        runs += found
    return runs


def _union(before: Sequence[Any], after: Sequence[Any]) -> list[Any]:
    return list({json.dumps(value): value for value in (*before, *after)}.values())  # True and 1 are two values

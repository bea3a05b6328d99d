"""Dataset kind files."""

import csv
import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from fedray.learning.datasets.base import AT
from fedray.learning.datasets.columns import ColumnSection
from fedray.learning.rows import Origin, Rows, Splits
from fedray.scenario import Source
from fedray.scenario.source import Key


class Files(ColumnSection):
    """Local jsonl(.gz), csv, tsv or parquet files."""

    kind: Literal["files"] = Field(description="Your own files.")
    data_dir: str = Field(".", description="Folder of the files; relative to the scenario file.")
    train: str = Field(description="Training file, relative to data_dir.")
    test: str = Field(description="Test file, relative to data_dir.")
    validation_key: ClassVar[str | None] = "file"

    def read(self, source: Source) -> Splits:
        """Training and test examples; UserError, with key and place, if something is missing or unreadable."""
        from fedray.learning.datasets.tables import as_rows, read_file, unused_columns

        path = Path(self.data_dir) / self.train
        table = read_file(path, self.train, (*AT, "train"), source)
        train = as_rows(table, self, FileOrigin((*AT, "train"), path), source)
        return Splits(train, self.read_part(self.test, (*AT, "test"), source), unused_columns(table, self))

    def read_part(self, written: str, key: Key, source: Source) -> Rows:
        """The examples of a file in `data_dir`."""
        from fedray.learning.datasets.tables import as_rows, read_file

        path = Path(self.data_dir) / written
        return as_rows(read_file(path, written, key, source), self, FileOrigin(key, path), source)


@dataclass(frozen=True)
class FileOrigin(Origin):
    """A local file."""

    path: Path

    def example(self, row: int) -> str:
        """`file:line: example N (from 0)`; without the line for formats that have none."""
        line = next(islice(_lines(self.path), row, None), None)
        return f"{self.path}{'' if line is None else f':{line}'}: {super().example(row)}"


def _lines(path: Path) -> Iterator[int]:
    """The line on which each example of a file begins, from 1; none for formats without lines."""
    name = path.name.removesuffix(".gz")
    if not name.endswith((".jsonl", ".csv", ".tsv")):
        return
    packed = path.read_bytes()
    lines = (gzip.decompress(packed) if path.name.endswith(".gz") else packed).decode(errors="replace").splitlines()
    written = _records(lines) if name.endswith(".csv") else (n for n, line in enumerate(lines, 1) if line.strip())
    yield from islice(written, 0 if name.endswith(".jsonl") else 1, None)


def _records(lines: Sequence[str]) -> Iterator[int]:
    """The line on which each record of a csv file begins, its head included; a quoted text may span several."""
    reader = csv.reader(lines)
    begins = 1
    for record in reader:
        if record:
            yield begins
        begins = reader.line_num + 1

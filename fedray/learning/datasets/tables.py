"""Reading tables with the library `datasets`, and taking examples out of them."""

import csv
import tempfile
from pathlib import Path
from typing import Any

import datasets

from fedray.errors import UserError
from fedray.learning.datasets.base import AT
from fedray.learning.datasets.columns import ColumnSection
from fedray.learning.rows import Origin, Rows
from fedray.scenario import Source
from fedray.scenario.source import Key, did_you_mean, listed, shorten

LONGEST_REASON = 200  # characters of a reader's own message, which may quote the data

datasets.disable_progress_bars()
datasets.logging.set_verbosity(datasets.logging.CRITICAL)  # what it cannot read is said by us, once


def read_file(path: Path, written: str, key: Key, source: Source) -> datasets.Dataset:
    """A local table; UserError, with the key that names it, if it is missing, unreadable or of an unknown format."""
    if not path.is_file():
        raise source.error(key, str(path), "an existing file")
    with tempfile.TemporaryDirectory() as cache:
        options: dict[str, Any] = {"cache_dir": cache, "keep_in_memory": True}
        plain = {"keep_default_na": False}  # "NA" and "null" are words
        try:
            if path.name.endswith((".jsonl", ".jsonl.gz", ".json", ".json.gz")):
                return datasets.Dataset.from_json(str(path), **options)
            if path.name.endswith((".csv", ".csv.gz")):
                return datasets.Dataset.from_csv(str(path), **plain, **options)
            if path.name.endswith((".tsv", ".tsv.gz")):  # tab-separated corpora do not quote
                return datasets.Dataset.from_csv(str(path), sep="\t", quoting=csv.QUOTE_NONE, **plain, **options)
            if path.suffix == ".parquet":
                return datasets.Dataset.from_parquet(str(path), **options)
        except (datasets.exceptions.DatasetGenerationError, ValueError, OSError) as error:
            reason = shorten(str(error.__cause__ or error).splitlines()[0], LONGEST_REASON)
            raise UserError(source.problem(key, f"cannot read {path}: {reason}")) from None
    raise source.error(key, written, "a .jsonl, .csv or .tsv file (also .gz), or .parquet")


def read_split(path: str, name: str | None, split: str, source: Source) -> datasets.Dataset:
    """A split of a dataset by its hub name; UserError if it cannot be loaded."""
    try:
        return datasets.load_dataset(path, name, split=split)
    except (datasets.exceptions.DatasetsError, ValueError, OSError) as error:
        reason = shorten(str(error).splitlines()[0], LONGEST_REASON)
        raise UserError(source.problem((*AT, "path"), f"cannot load {path} [{split}]: {reason}")) from None


def as_rows(table: datasets.Dataset, dataset: ColumnSection, origin: Origin, source: Source) -> Rows:
    """The examples of a table; UserError if a column is missing, there are no examples, or one has no owner."""
    for role, column in dataset.columns.items():
        if column not in table.column_names:
            known = listed(table.column_names, " | ") + did_you_mean(column, table.column_names)
            raise source.error((*AT, role), column, f"a column of the data: {known}")
    if not len(table):
        raise UserError(source.problem(origin.key, "the data holds no examples"))
    owners = list(table[dataset.natural_id]) if dataset.natural_id else []
    if None in owners or "" in owners:
        row = next(row for row, owner in enumerate(owners) if owner in (None, ""))
        raise UserError(source.problem((*AT, "natural_id"), f"{origin.example(row)} has no owner"))
    feature = table.features[dataset.label]
    return Rows(
        texts=["" if text is None else str(text) for text in table[dataset.text]],
        pairs=["" if text is None else str(text) for text in table[dataset.text_pair]] if dataset.text_pair else None,
        labels=list(table[dataset.label]),
        owners=[str(owner) for owner in owners] if dataset.natural_id else None,
        origin=origin,
        given_names=dataset.label_names,
        data_names=tuple(feature.names) if isinstance(feature, datasets.ClassLabel) else None,
    )


def unused_columns(table: datasets.Dataset, dataset: ColumnSection) -> tuple[str, ...]:
    """The columns of a table that nothing is read from."""
    return tuple(column for column in table.column_names if column not in dataset.columns.values())

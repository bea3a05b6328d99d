"""The texts and labels of a task: embedded, from local files, or from the hub."""

import csv
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import numpy as np

from fedray.arrays import Ints
from fedray.errors import UserError
from fedray.learning.labels import label_set
from fedray.learning.stdlib_docs import read_standard_library
from fedray.scenario import LoadedScenario, Source
from fedray.scenario.schema import Files, Hub, StdlibDocs
from fedray.scenario.source import Key, did_you_mean, listed, shorten, show

AT: Key = ("task", "dataset")
VALIDATION: Key = ("task", "validation")
LONGEST_REASON = 200  # characters of a reader's own message, which may quote the data

datasets.disable_progress_bars()
datasets.logging.set_verbosity(datasets.logging.CRITICAL)  # what it cannot read is said by us, once


@dataclass(frozen=True)
class Texts:
    """Examples in a fixed order; `labels` index `Corpus.label_names`."""

    texts: Sequence[str]
    pairs: Sequence[str] | None
    labels: Ints
    owners: Sequence[str] | None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: Ints) -> "Texts":
        """The examples at these positions, in this order."""
        pairs, owners = self.pairs, self.owners
        return Texts(
            texts=[self.texts[i] for i in indices],
            pairs=None if pairs is None else [pairs[i] for i in indices],
            labels=self.labels[indices],
            owners=None if owners is None else [owners[i] for i in indices],
        )


@dataclass(frozen=True)
class Corpus:
    """Training and test examples of one task; `unused` are the columns of the data that nothing was read from."""

    train: Texts
    test: Texts
    label_names: tuple[str, ...]
    unused: tuple[str, ...] = ()


def load_corpus(loaded: LoadedScenario) -> Corpus:
    """The scenario's texts.

    Raises
    ------
    UserError
        with the key and the place, if a file, split or column is missing or unreadable, or a label is absent.
    """
    dataset, source = loaded.scenario.task.dataset, loaded.source
    if isinstance(dataset, StdlibDocs):
        return _embedded()
    if isinstance(dataset, Files):
        train, test = (
            _read_file(dataset, getattr(dataset, which), (*AT, which), source) for which in ("train", "test")
        )
    elif isinstance(dataset, Hub):
        train, test = (
            _read_split(dataset, getattr(dataset, which), (*AT, which), source)
            for which in ("train_split", "test_split")
        )
    else:
        raise TypeError("a task without data has no corpus")
    labels = label_set(train[dataset.label], train.features[dataset.label], dataset.label_names, source)
    return Corpus(
        _as_texts(train, dataset, labels.written, source),
        _as_texts(test, dataset, labels.written, source),
        labels.names,
        tuple(column for column in train.column_names if column not in _columns(dataset).values()),
    )


def read_held_out(loaded: LoadedScenario, label_names: Sequence[str]) -> Texts:
    """The validation examples that the task names by file or split; UserError as from `load_corpus`."""
    dataset, section, source = loaded.scenario.task.dataset, loaded.scenario.task.validation, loaded.source
    if section is not None and section.file is not None and isinstance(dataset, Files):
        rows = _read_file(dataset, section.file, (*VALIDATION, "file"), source)
    elif section is not None and section.split is not None and isinstance(dataset, Hub):
        rows = _read_split(dataset, section.split, (*VALIDATION, "split"), source)
    else:
        given = "file" if section is not None and section.file is not None else "split"
        allowed = {"files": "share | file", "hub": "share | split"}.get(dataset.kind, "share")
        raise source.error(VALIDATION, f"{given} with dataset kind {dataset.kind}", allowed)
    return _as_texts(rows, dataset, list(label_names), source)


def _embedded() -> Corpus:
    examples = read_standard_library()
    names = tuple(sorted({example.package for example in examples}))

    def part(test: bool) -> Texts:
        chosen = [example for example in examples if example.test is test]
        labels = np.array([names.index(example.package) for example in chosen], np.int64)
        return Texts([example.text for example in chosen], None, labels, [example.file for example in chosen])

    return Corpus(part(test=False), part(test=True), names)


def _read_file(dataset: Files, written: str, key: Key, source: Source) -> datasets.Dataset:
    path = Path(dataset.data_dir) / written
    if not path.is_file():
        raise source.error(key, str(path), "an existing file")
    with tempfile.TemporaryDirectory() as cache:
        options: dict[str, Any] = {"cache_dir": cache, "keep_in_memory": True}
        plain = {"keep_default_na": False}  # "NA" and "null" are words
        try:
            if path.name.endswith((".jsonl", ".jsonl.gz", ".json", ".json.gz")):
                rows = datasets.Dataset.from_json(str(path), **options)
            elif path.name.endswith((".csv", ".csv.gz")):
                rows = datasets.Dataset.from_csv(str(path), **plain, **options)
            elif path.name.endswith((".tsv", ".tsv.gz")):  # tab-separated corpora do not quote
                rows = datasets.Dataset.from_csv(str(path), sep="\t", quoting=csv.QUOTE_NONE, **plain, **options)
            elif path.suffix == ".parquet":
                rows = datasets.Dataset.from_parquet(str(path), **options)
            else:
                raise source.error(key, written, "a .jsonl, .csv or .tsv file (also .gz), or .parquet")
        except (datasets.exceptions.DatasetGenerationError, ValueError, OSError) as error:
            reason = shorten(str(error.__cause__ or error).splitlines()[0], LONGEST_REASON)
            raise UserError(source.problem(key, f"cannot read {path}: {reason}")) from None
    return _checked(rows, dataset, key, source)


def _read_split(dataset: Hub, split: str, key: Key, source: Source) -> datasets.Dataset:
    try:
        rows = datasets.load_dataset(dataset.path, dataset.name, split=split)
    except (datasets.exceptions.DatasetsError, ValueError, OSError) as error:
        reason = shorten(str(error).splitlines()[0], LONGEST_REASON)
        raise UserError(source.problem((*AT, "path"), f"cannot load {dataset.path} [{split}]: {reason}")) from None
    return _checked(rows, dataset, key, source)


def _checked(rows: datasets.Dataset, dataset: Files | Hub, key: Key, source: Source) -> datasets.Dataset:
    for role, column in _columns(dataset).items():
        if column not in rows.column_names:
            known = listed(rows.column_names, " | ") + did_you_mean(column, rows.column_names)
            raise source.error((*AT, role), column, f"a column of the data: {known}")
    if not len(rows):
        raise UserError(source.problem(key, "the data holds no examples"))
    labels = list(rows[dataset.label])
    missing = [row for row, label in enumerate(labels) if label is None or label == ""]
    strange = [row for row, label in enumerate(labels) if not isinstance(label, int | str)]
    if missing or strange:
        row = min(missing or strange)
        given = "no label" if missing else f"the label {show(labels[row])}"
        raise UserError(source.problem(key, f"example {row} (from 0) has {given}; allowed: integers or words"))
    owners = list(rows[dataset.natural_id]) if dataset.natural_id else []
    if None in owners or "" in owners:
        row = next(row for row, owner in enumerate(owners) if owner in (None, ""))
        raise UserError(source.problem((*AT, "natural_id"), f"example {row} (from 0) has no owner"))
    return rows


def _columns(dataset: Files | Hub) -> dict[str, str]:
    """The columns that are read, by what they are for."""
    roles = ("text", "text_pair", "label", "natural_id")
    return {role: getattr(dataset, role) for role in roles if getattr(dataset, role) is not None}


def _as_texts(rows: datasets.Dataset, dataset: Files | Hub, written: Sequence[str], source: Source) -> Texts:
    numbers = {label: number for number, label in enumerate(written)}
    unknown = sorted({str(label) for label in rows[dataset.label]} - numbers.keys())
    if unknown:
        problem = f"test labels that no training example has: {listed(unknown)}"
        raise UserError(source.problem((*AT, "label"), problem))
    return Texts(
        texts=["" if text is None else str(text) for text in rows[dataset.text]],
        pairs=["" if text is None else str(text) for text in rows[dataset.text_pair]] if dataset.text_pair else None,
        labels=np.array([numbers[str(label)] for label in rows[dataset.label]], np.int64),
        owners=[str(owner) for owner in rows[dataset.natural_id]] if dataset.natural_id else None,
    )

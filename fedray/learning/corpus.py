"""The examples of a scenario's task: read by its dataset, made numbers by its task."""

from dataclasses import dataclass

from fedray.learning.rows import Rows
from fedray.learning.tasks import Task, task_section
from fedray.learning.texts import Texts
from fedray.scenario import LoadedScenario, Source


@dataclass(frozen=True)
class Corpus:
    """Training and test examples of one task; `unused` are the columns of the data that nothing was read from."""

    task: Task
    train: Texts
    test: Texts
    unused: tuple[str, ...] = ()


def load_corpus(loaded: LoadedScenario) -> Corpus:
    """The scenario's examples.

    Raises
    ------
    UserError
        with the key and the place, if a file, split or column is missing or unreadable, or a label is absent or wrong.
    """
    section, source = task_section(loaded), loaded.source
    splits = section.dataset.read(source)
    task = section.fit(splits.train, source)
    return Corpus(task, _as_texts(splits.train, task, source), _as_texts(splits.test, task, source), splits.unused)


def read_validation(loaded: LoadedScenario, task: Task) -> Texts:
    """The validation examples that the scenario names by file or split; UserError as from `load_corpus`."""
    section, source = task_section(loaded), loaded.source
    if section.validation is None:
        raise ValueError("the task names no validation examples")
    return _as_texts(section.dataset.read_validation(section.validation, source), task, source)


def _as_texts(rows: Rows, task: Task, source: Source) -> Texts:
    return Texts(rows.texts, rows.pairs, task.labels(rows, source), rows.owners)

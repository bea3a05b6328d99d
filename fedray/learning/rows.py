"""Examples as they are written, before a task makes labels or targets of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from fedray.scenario.source import Key


@dataclass(frozen=True)
class Origin:
    """Where the examples of a split come from: `key` is the scenario's."""

    key: Key

    def example(self, row: int) -> str:
        """What an error calls an example: its number, and its file and line where it has one."""
        return f"example {row} (from 0)"


@dataclass(frozen=True)
class Rows:
    """The examples of a split in a fixed order; `labels` are of any type, None where one is missing.

    `given_names` are `task.dataset.label_names`; `data_names`, the names that the data itself carries for its integers.
    """

    texts: Sequence[str]
    pairs: Sequence[str] | None
    labels: Sequence[object]
    owners: Sequence[str] | None
    origin: Origin
    given_names: tuple[str, ...] | None = None
    data_names: Sequence[str] | None = None

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Splits:
    """The training and test examples of a dataset; `unused` are the columns that nothing was read from."""

    train: Rows
    test: Rows
    unused: tuple[str, ...] = ()

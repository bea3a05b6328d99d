"""Dataset kind hub."""

from typing import ClassVar, Literal

from pydantic import Field

from fedray.learning.datasets.base import AT
from fedray.learning.datasets.columns import ColumnSection
from fedray.learning.rows import Origin, Rows, Splits
from fedray.scenario import Source
from fedray.scenario.source import Key


class Hub(ColumnSection):
    """A dataset by its hub name, loaded with `datasets`; needs the network or a filled cache."""

    kind: Literal["hub"] = Field(description="A dataset of the hub.")
    path: str = Field(description="Dataset name on the hub, for example glue.")
    name: str | None = Field(None, description="Configuration of the dataset, for example sst2.")
    train_split: str = Field("train", description="Split with the training examples.")
    test_split: str = Field("validation", description="Split with the test examples.")
    validation_key: ClassVar[str | None] = "split"

    def read(self, source: Source) -> Splits:
        """Training and test examples; UserError, with key and place, if something is missing or unreadable."""
        from fedray.learning.datasets.tables import as_rows, read_split, unused_columns

        table = read_split(self.path, self.name, self.train_split, source)
        train = as_rows(table, self, Origin((*AT, "train_split")), source)
        return Splits(train, self.read_part(self.test_split, (*AT, "test_split"), source), unused_columns(table, self))

    def read_part(self, written: str, key: Key, source: Source) -> Rows:
        """The examples of a split."""
        from fedray.learning.datasets.tables import as_rows, read_split

        return as_rows(read_split(self.path, self.name, written, source), self, Origin(key), source)

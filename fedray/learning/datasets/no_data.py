"""Dataset kind none."""

from typing import Literal

from pydantic import Field

from fedray.learning.datasets.base import DatasetSection, Declared
from fedray.learning.rows import Splits
from fedray.scenario import Source
from fedray.scenario.schema import Positive


class NoData(DatasetSection):
    """No examples and no training: only plans, transfers and folds, to stress the machinery."""

    kind: Literal["none"] = Field(description="No examples, no training and no evaluation.")
    labels: Positive = Field(2, description="Number of labels the head would have.")
    examples_per_device: Positive = Field(32, description="Examples each device is said to hold (its weight).")

    @property
    def declared(self) -> Declared:
        """The head and the weights, from which plans, transfers and folds follow."""
        return Declared(self.labels, self.examples_per_device)

    def read(self, source: Source) -> Splits:
        """Never asked for: nothing is read where examples are only declared."""
        raise TypeError("a task without data has no examples")

"""What a task is: its section of the scenario, and what it does with examples, outputs and predictions.

A kind of task is one file with a `TaskSection` and a `Task`, and a line in the registry. Nothing outside this package
asks which task runs. Methods that need torch import it when they are called, so that a wrong scenario is refused
before.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field

from fedray.arrays import Floats, Ints
from fedray.learning.datasets import Dataset, StdlibDocs
from fedray.learning.partitions import Dirichlet, Partition
from fedray.learning.rows import Rows
from fedray.learning.texts import Labels
from fedray.scenario import Source
from fedray.scenario.schema import OpenTask
from fedray.scenario.schema.task import DIVISION, EXAMPLES
from fedray.scenario.source import Key

if TYPE_CHECKING:
    import torch

LABEL_KEY: Key = ("task", "dataset", "label")


class TaskSection(OpenTask):
    """The task: a dataset, its partition over the devices, and how it is judged."""

    model_config = ConfigDict(extra="forbid")

    dataset: Dataset = Field(StdlibDocs(kind="stdlib-docs"), description=EXAMPLES)
    partition: Partition = Field(Dirichlet(kind="dirichlet", alpha=1.0), description=DIVISION)

    @abstractmethod
    def fit(self, train: Rows, source: Source) -> Task:
        """The task as its training examples define it; UserError, with key and place, if it cannot be learned."""


@dataclass(frozen=True)
class Metric:
    """A named result of an evaluation, and which direction is better."""

    name: str
    better: Literal["higher", "lower"]


@dataclass(frozen=True)
class Score:
    """An evaluation: every metric by name, the primary one first; what is undefined is left out.

    `label_accuracy` is the share of each label's examples that are predicted right, (labels,), nan for a label without
    examples; None for a task without labels.
    """

    metrics: Mapping[str, float]
    label_accuracy: Floats | None = None

    @property
    def primary(self) -> float:
        """The metric that targets, early stopping, the best round and tuning look at; higher is better."""
        return next(iter(self.metrics.values()))


@dataclass(frozen=True)
class Baseline:
    """The best constant answer by the primary metric, and what it scores on the test examples."""

    answer: str
    score: float


class Task(ABC):
    """Responsibilities: numbers for what is written, the loss, predictions, metrics, and the strata of the examples.

    Strata are what examples are told apart by: non-IID partitions divide them, near-IID groups balance them, and the
    files of a run count them. The head is a linear map to `outputs` numbers a text; what it costs on a device follows
    from its tensors (`costs.kernels.head_step`).
    """

    section: ClassVar[type[TaskSection]]
    metrics: ClassVar[tuple[Metric, ...]]  # the primary one, of which higher is better, first
    strata_are: ClassVar[str]  # what the strata are, in the plural

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Numbers that the head gives for a text."""

    @property
    @abstractmethod
    def label_names(self) -> tuple[str, ...]:
        """The name of each output, for a task that chooses one of them; empty otherwise."""

    @property
    @abstractmethod
    def strata(self) -> tuple[str, ...]:
        """The name of each stratum."""

    @abstractmethod
    def labels(self, rows: Rows, source: Source) -> Labels:
        """What is to be predicted, (examples,); UserError, with key and place, for what no example of the task has."""

    @abstractmethod
    def strata_of(self, labels: Labels) -> Ints:
        """The stratum of each example, (examples,), counted from 0."""

    @abstractmethod
    def losses(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The loss of each example, (examples,), from outputs (examples, outputs) and labels (examples,)."""

    def step_loss(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The loss of a local step, a scalar: the mean over the examples of its batch."""
        return self.losses(outputs, labels).mean()

    @abstractmethod
    def predictions(self, outputs: torch.Tensor) -> NDArray[np.generic]:
        """What the outputs, (examples, outputs), predict, (examples,)."""

    @abstractmethod
    def score(self, predictions: NDArray[np.generic], labels: Labels, loss: float) -> Score:
        """The metrics of predictions, (examples,), against what is true, (examples,); `loss` is the mean loss."""

    @abstractmethod
    def baseline(self, train: Labels, test: Labels) -> Baseline | None:
        """The best constant answer; None if no constant answer scores above 0."""

    @abstractmethod
    def require_scorable(self, labels: Labels, split: str, source: Source) -> None:
        """UserError if the primary metric is undefined on the held-out examples of a split, (examples,)."""

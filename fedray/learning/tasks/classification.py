"""Task kind classification."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedray.arrays import Ints
from fedray.errors import UserError
from fedray.learning.labels import label_set
from fedray.learning.rows import Rows
from fedray.learning.tasks.base import LABEL_KEY, Baseline, Metric, Score, Task, TaskSection
from fedray.learning.texts import Labels
from fedray.scenario import Source
from fedray.scenario.source import listed, show

if TYPE_CHECKING:
    import torch


class ClassificationSection(TaskSection):
    """Choose one of several labels for a text or a pair of texts."""

    kind: Literal["classification"] = Field("classification", description="One of several labels for each text.")

    def fit(self, train: Rows, source: Source) -> Classification:
        """The labels of the training examples; UserError if they are no classes."""
        labels = label_set(_written(train, source), train.data_names, train.given_names, source)
        return Classification(labels.written, labels.names)


@dataclass(frozen=True)
class Classification(Task):
    """Cross-entropy over the labels; `written` and `names` are the labels by number, in the data and for people."""

    written: tuple[str, ...]
    names: tuple[str, ...]

    section = ClassificationSection
    metrics = (Metric("accuracy", "higher"), Metric("macro_f1", "higher"), Metric("loss", "lower"))
    strata_are = "labels"

    @property
    def outputs(self) -> int:
        """One per label."""
        return len(self.names)

    @property
    def label_names(self) -> tuple[str, ...]:
        """The name of each label."""
        return self.names

    @property
    def strata(self) -> tuple[str, ...]:
        """The labels."""
        return self.names

    def labels(self, rows: Rows, source: Source) -> Labels:
        """The number of each label; UserError for labels that no training example has."""
        numbers = {label: number for number, label in enumerate(self.written)}
        written = [str(label) for label in _written(rows, source)]
        if unknown := sorted(set(written) - numbers.keys()):
            problem = f"test labels that no training example has: {listed(unknown)}"
            raise UserError(source.problem(LABEL_KEY, problem))
        return np.array([numbers[label] for label in written], np.int64)

    def strata_of(self, labels: Labels) -> Ints:
        """The labels themselves."""
        return labels.astype(np.int64, copy=False)

    def losses(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The cross-entropy of each example, (examples,)."""
        from torch.nn.functional import cross_entropy

        return cross_entropy(outputs, labels, reduction="none")

    def step_loss(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The mean of `losses`, as PyTorch sums it: the last bit of another sum would change recorded losses."""
        from torch.nn.functional import cross_entropy

        return cross_entropy(outputs, labels)

    def predictions(self, outputs: torch.Tensor) -> NDArray[np.generic]:
        """The number of the likeliest label, (examples,)."""
        likeliest: NDArray[np.int64] = outputs.argmax(-1).numpy()
        return likeliest

    def score(self, predictions: NDArray[np.generic], labels: Labels, loss: float) -> Score:
        """Accuracy, macro-F1 and loss.

        `macro_f1` is the mean F1 of the labels that occur among the true or the predicted ones.
        """
        confusion = np.zeros((self.outputs, self.outputs), np.int64)  # rows: true, columns: predicted
        np.add.at(confusion, (self.strata_of(labels), predictions.astype(np.int64, copy=False)), 1)
        right, actual, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
        occurring = actual + predicted > 0
        return Score(
            metrics={
                "accuracy": float(right.sum() / len(labels)),
                "macro_f1": float((2 * right / np.maximum(actual + predicted, 1))[occurring].mean()),
                "loss": loss,
            },
            label_accuracy=np.where(actual > 0, right / np.maximum(actual, 1), np.nan),
        )

    def baseline(self, train: Labels, test: Labels) -> Baseline:
        """Always answering the most frequent training label."""
        majority = int(np.bincount(self.strata_of(train), minlength=self.outputs).argmax())
        return Baseline(self.names[majority], float((test == majority).sum() / len(test)))

    def require_scorable(self, labels: Labels, split: str, source: Source) -> None:
        """Accuracy is defined on any examples."""


def _written(rows: Rows, source: Source) -> Sequence[int | str]:
    """The labels as they are written; UserError for an example without one, or with something else."""
    labels = [label for label in rows.labels if isinstance(label, int | str) and label != ""]
    if len(labels) < len(rows):
        missing = [row for row, label in enumerate(rows.labels) if label is None or label == ""]
        strange = [row for row, label in enumerate(rows.labels) if not isinstance(label, int | str)]
        row = min(missing or strange)
        given = "no label" if missing else f"the label {show(rows.labels[row])}"
        problem = f"{rows.origin.example(row)} has {given}; allowed: integers or words"
        raise UserError(source.problem(rows.origin.key, problem))
    return labels

"""Task kind regression."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedray.arrays import Floats, Ints
from fedray.errors import UserError
from fedray.learning.rows import Rows
from fedray.learning.tasks.base import LABEL_KEY, Metric, Score, Task, TaskSection
from fedray.learning.texts import Labels
from fedray.scenario import Source
from fedray.scenario.source import show

if TYPE_CHECKING:
    import torch

LARGEST_TARGET = float(np.finfo(np.float32).max)


class RegressionSection(TaskSection):
    """Predict a number for a text or a pair of texts, for example how similar two sentences are (STS-B)."""

    kind: Literal["regression"] = Field(description="A number for each text.")
    bins: Annotated[int, Field(ge=1, le=1000)] = Field(
        10,
        description="Ranges into which the targets are cut at their quantiles; partitions and groups treat them as "
        "they do labels. Equal targets share a range, so there may be fewer.",
    )

    def fit(self, train: Rows, source: Source) -> Regression:
        """The ranges of the training targets; UserError if these are no numbers, or all the same."""
        if train.given_names is not None:
            key = (*LABEL_KEY[:2], "label_names")
            raise source.error(key, train.given_names[0], "null, because the targets of a regression are numbers")
        targets = _targets(train, source)
        _require_different(targets, "training", source)
        return Regression(*_ranges(targets, self.bins))


@dataclass(frozen=True)
class Regression(Task):
    """The squared error of one output; targets up to `edges[i]` are in range i, larger ones in the last.

    `edges` ascend strictly; there is one range more than edges.
    """

    edges: tuple[float, ...]
    ranges: tuple[str, ...]

    section = RegressionSection
    metrics = (
        Metric("pearson", "higher"),
        Metric("spearman", "higher"),
        Metric("mse", "lower"),
        Metric("loss", "lower"),
    )
    strata_are = "ranges of the target"

    @property
    def outputs(self) -> int:
        """The prediction."""
        return 1

    @property
    def label_names(self) -> tuple[str, ...]:
        """None."""
        return ()

    @property
    def strata(self) -> tuple[str, ...]:
        """The ranges, by their smallest and largest training target."""
        return self.ranges

    def labels(self, rows: Rows, source: Source) -> Labels:
        """The targets; UserError for an example whose target is no finite number."""
        return _targets(rows, source)

    def strata_of(self, labels: Labels) -> Ints:
        """The range of each target."""
        return np.searchsorted(np.array(self.edges), labels, side="left").astype(np.int64, copy=False)

    def losses(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The squared error of each example, (examples,)."""
        return (outputs.squeeze(-1) - labels) ** 2

    def predictions(self, outputs: torch.Tensor) -> NDArray[np.generic]:
        """The predicted targets, (examples,)."""
        predicted: NDArray[np.float32] = outputs.squeeze(-1).numpy()
        return predicted

    def score(self, predictions: NDArray[np.generic], labels: Labels, loss: float) -> Score:
        """Both correlations and the mean squared error, which is also the loss.

        The correlation with a constant, or with what is not finite, is undefined; it counts as 0.
        """
        predicted, true = predictions.astype(np.float64), labels.astype(np.float64)
        pearson, spearman = _correlations(predicted, true)
        mse = float(np.mean((predicted - true) ** 2))
        return Score({"pearson": pearson, "spearman": spearman, "mse": mse, "loss": loss})

    def baseline(self, train: Labels, test: Labels) -> None:
        """None: a constant correlates with nothing."""

    def require_scorable(self, labels: Labels, split: str, source: Source) -> None:
        """UserError for targets that are all the same: no correlation with them is defined."""
        _require_different(labels, split, source)


def _targets(rows: Rows, source: Source) -> NDArray[np.float32]:
    """The targets as numbers, (examples,)."""
    numbers = [_number(label) for label in rows.labels]
    if None in numbers:
        row = numbers.index(None)
        written = rows.labels[row]
        given = "no target" if written is None or written == "" else f"the target {show(written)}"
        problem = f"{rows.origin.example(row)} has {given}; allowed: finite numbers"
        raise UserError(source.problem(rows.origin.key, problem))
    return np.array(numbers, np.float32)


def _number(label: object) -> float | None:
    """A target as a number that fits into 32 bits; None for anything else."""
    if isinstance(label, bool) or not isinstance(label, int | float | str):
        return None
    try:
        number = float(label)
    except (ValueError, OverflowError):
        return None
    return number if isfinite(number) and abs(number) <= LARGEST_TARGET else None


def _require_different(targets: Labels, split: str, source: Source) -> None:
    if len(np.unique(targets)) < 2:
        given = f"all {len(targets):,} {split} targets are {targets[0]:g}"
        problem = f"{given}; allowed: at least two different ones, without which no correlation is defined"
        raise UserError(source.problem(LABEL_KEY, problem))


def _ranges(targets: NDArray[np.float32], bins: int) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """The inner edges of the quantile ranges, and the name of each by the targets in it.

    An edge is a target itself: the smallest that at least its share of the targets does not exceed. Edges that
    coincide, or that nothing exceeds, are left out, so that no range is empty.
    """
    shares = np.arange(1, bins) / bins
    edges = np.unique(np.quantile(targets, shares, method="inverted_cdf"))
    edges = edges[edges < targets.max()]
    range_of = np.searchsorted(edges, targets, side="left")
    parts = [targets[range_of == number] for number in range(len(edges) + 1)]
    return tuple(float(edge) for edge in edges), tuple(_span(part) for part in parts)


def _span(targets: NDArray[np.float32]) -> str:
    low, high = f"{targets.min():g}", f"{targets.max():g}"
    return low if low == high else f"{low} to {high}"


def _correlations(predicted: Floats, true: Floats) -> tuple[float, float]:
    """Pearson's and Spearman's; 0 where undefined."""
    if not np.isfinite(predicted).all() or np.ptp(predicted) == 0 or np.ptp(true) == 0:
        return 0.0, 0.0
    from scipy.stats import pearsonr, spearmanr

    return float(pearsonr(predicted, true).statistic), float(spearmanr(predicted, true).statistic)

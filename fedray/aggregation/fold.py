"""Weighted means as integer sums: associative and commutative to the bit, over any number of hosts."""

from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from fedray.adapters import Layout
from fedray.aggregation.rejection import MAGNITUDE_LIMIT
from fedray.protocol import Ints, Update, Values

FRACTION_BITS = 32
MAX_TOTAL_WEIGHT = 2 ** (63 - FRACTION_BITS) // MAGNITUDE_LIMIT


@dataclass(frozen=True)
class Aggregate:
    """The aggregated buffer; `held` marks the floats that somebody sent (others are zero)."""

    values: Values
    held: NDArray[np.bool_]


class Fold(Protocol):
    """A commutative monoid of updates: the same bits whatever the order and the grouping."""

    def add(self, update: Update, weight: int) -> None:
        """Take in one validated update with a positive integer weight."""

    def merge(self, other: Self) -> None:
        """Take in all that another fold has taken in."""

    def result(self) -> Aggregate:
        """What came together."""


class PerTensorMean:
    """The weighted mean of each float over the devices that sent it (A and B separately), in fixed point.

    A value is rounded to 2**-32 and multiplied by its integer weight, sums are int64. Values up to MAGNITUDE_LIMIT and
    a total weight below MAX_TOTAL_WEIGHT cannot overflow; from there on OverflowError.
    """

    fraction_bits: ClassVar[int] = FRACTION_BITS

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.sums = np.zeros(layout.size, np.int64)
        self.weights = np.zeros(layout.size, np.int64)
        self.total_weight = 0

    def add(self, update: Update, weight: int) -> None:
        self._add(self.layout.positions_of(update.layout), update.values, weight)

    def merge(self, other: Self) -> None:
        self._count(other.total_weight)
        self.sums = self.sums + other.sums  # not in place: either may be a read-only view of a Ray object
        self.weights = self.weights + other.weights

    def result(self) -> Aggregate:
        held = self.weights > 0
        mean = self.sums / np.maximum(self._divisors(), 1)
        return Aggregate(np.ldexp(mean, -self.fraction_bits).astype(np.float32), held)

    def _divisors(self) -> Ints:
        """The weight that each float's sum is divided by."""
        return self.weights

    def _add(self, places: Ints, values: Values, weight: int) -> None:
        self._count(weight)
        fixed = np.rint(np.ldexp(values.astype(np.float64), self.fraction_bits)).astype(np.int64)
        self.sums[places] += fixed * weight
        self.weights[places] += weight

    def _count(self, weight: int) -> None:
        self.total_weight += weight
        if self.total_weight >= 2 ** (63 - self.fraction_bits) // MAGNITUDE_LIMIT:
            raise OverflowError(f"a total weight of {self.total_weight} does not fit a fixed-point fold")


class NormWeightedMean(PerTensorMean):
    """HetLoRA's aggregation (arXiv 2401.06432): every update weighs the Frobenius norm of its product, sum of squared
    |B A| over the modules under the root, and what an update of smaller rank lacks counts as zero.

    Norms are weights in steps of 1/1024; values are rounded to 2**-24 to leave room for them.
    """

    fraction_bits: ClassVar[int] = 24
    steps: ClassVar[int] = 1024

    def add(self, update: Update, weight: int) -> None:
        super().add(update, max(1, round(self.steps * _product_norm(update))))

    def _divisors(self) -> Ints:
        return np.full_like(self.weights, self.total_weight)


def _product_norm(update: Update) -> float:
    """|B A| over all modules, from the small Gram matrices: |B A|^2 = trace((B^T B)(A A^T))."""
    tensors = {
        (entry.module, entry.factor): update.layout.tensor(update.values, entry) for entry in update.layout.entries
    }
    square = 0.0
    for (module, factor), tensor in tensors.items():
        if factor == "A":
            a, b = tensor.astype(np.float64), tensors[module, "B"].astype(np.float64)
            square += float(np.sum((b.T @ b) * (a @ a.T)))
    return float(np.sqrt(square))

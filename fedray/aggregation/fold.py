"""Weighted means as integer sums: associative and commutative to the bit, over any number of hosts."""

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from fedray.adapters import Layout
from fedray.aggregation.rejection import MAGNITUDE_LIMIT
from fedray.arrays import Flags, Ints, Values
from fedray.protocol import Update

FRACTION_BITS = 32
MAX_TOTAL_WEIGHT = 2 ** (63 - FRACTION_BITS) // MAGNITUDE_LIMIT


@dataclass(frozen=True)
class Aggregate:
    """The aggregated buffer.

    `held` marks the floats that a device sent; the others have no aggregated value (theirs is 0). `weights` is what
    each float's sum was divided by: 0, where not held, unless a missing value counts as zero. In `values` it does so
    already. All (floats,).
    """

    values: Values
    held: Flags
    weights: Ints


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

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.sums = np.zeros(layout.size, np.int64)
        self.weights = np.zeros(layout.size, np.int64)
        self.total_weight = 0

    def add(self, update: Update, weight: int) -> None:
        whole = update.layout == self.layout
        self._add(slice(None) if whole else self.layout.positions_of(update.layout), update.values, weight)

    def merge(self, other: Self) -> None:
        self._count(other.total_weight)
        self.sums = self.sums + other.sums  # not in place: either may be a read-only view of a Ray object
        self.weights = self.weights + other.weights

    def result(self) -> Aggregate:
        divisors = self._divisors()
        mean = np.ldexp(self.sums / np.maximum(divisors, 1), -FRACTION_BITS)
        return Aggregate(mean.astype(np.float32), self.weights > 0, divisors)

    def _divisors(self) -> Ints:
        """The weight that each float's sum is divided by."""
        return self.weights

    def _add(self, places: Ints | slice, values: Values, weight: int) -> None:
        self._count(weight)
        scaled = values * np.float64(2**FRACTION_BITS)
        self.sums[places] += np.rint(scaled, out=scaled).astype(np.int64) * weight
        self.weights[places] += weight

    def _count(self, weight: int) -> None:
        self.total_weight += weight
        if self.total_weight >= MAX_TOTAL_WEIGHT:
            raise OverflowError(f"a total weight of {self.total_weight} does not fit a fixed-point fold")


class ZeroPaddedMean(PerTensorMean):
    """The weighted mean of each float over all devices, in fixed point: what a device did not send counts as zero.

    The zero stands for the value, not for the change since the download, as HetLoRA pads smaller ranks
    (arXiv 2401.06432) and as arXiv 2406.17477 describes the dilution that follows. A float that no device sent is not
    held.
    """

    def _divisors(self) -> Ints:
        return np.full_like(self.weights, self.total_weight)

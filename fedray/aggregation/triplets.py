"""Folding adapters of which every device sends only the triplets (A row, E entry, B column) it selected (FedARA)."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np

from fedray.adapters import Layout
from fedray.aggregation.fold import FRACTION_BITS, Aggregate, PerTensorMean
from fedray.arrays import Floats, Ints
from fedray.protocol import Update

HEAD = -1  # the triplet number of floats that belong to none


@dataclass(frozen=True)
class TripletAggregate(Aggregate):
    """With each triplet's votes (share of the weight of the devices that selected it) and mean relative score."""

    votes: Floats
    scores: Floats


class TripletMean(PerTensorMean):
    """The weighted mean of each float over the devices that selected its triplet, and the votes for every triplet.

    A device's scores count as shares of their sum, so that devices with large gradients have no larger say.
    """

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        count = int(triplet_numbers(layout).max(initial=-1)) + 1
        self.votes = np.zeros(count, np.int64)
        self.scores = np.zeros(count, np.int64)

    def add(self, update: Update, weight: int) -> None:
        if update.selection is None:
            super().add(update, weight)
            self.votes += weight
            return
        kept = update.selection.kept
        sent = np.append(kept, True)[triplet_numbers(update.layout)]  # the last stands for HEAD
        self._add(self.layout.positions_of(update.layout)[sent], update.values[sent], weight)
        self.votes += weight * kept
        scores = np.where(kept, update.selection.scores.astype(np.float64), 0.0)
        total = scores.sum()
        if np.isfinite(total) and total > 0:
            self.scores += weight * np.rint(np.ldexp(scores / total, FRACTION_BITS)).astype(np.int64)

    def merge(self, other: Self) -> None:
        super().merge(other)
        self.votes = self.votes + other.votes
        self.scores = self.scores + other.scores

    def result(self) -> TripletAggregate:
        mean = super().result()
        scores = np.ldexp(self.scores / np.maximum(self.votes, 1), -FRACTION_BITS)
        return TripletAggregate(mean.values, mean.held, mean.weights, self.votes / max(self.total_weight, 1), scores)


@lru_cache(maxsize=64)
def triplet_numbers(layout: Layout) -> Ints:
    """The triplet every float belongs to, numbered in layout order; HEAD for those of the head."""
    first: dict[str, int] = {}
    count = 0
    for entry in layout.entries:
        if entry.factor == "E":
            first[entry.module] = count
            count += entry.size
    numbers = np.full(layout.size, HEAD, np.int64)
    for entry in layout.entries:
        if entry.module in first:
            axis = 1 if entry.factor == "B" else 0
            along = np.arange(entry.shape[axis])
            grid = along[:, None] if axis == 0 and len(entry.shape) > 1 else along
            numbers[entry.span] = (first[entry.module] + np.broadcast_to(grid, entry.shape)).ravel()
    numbers.flags.writeable = False
    return numbers

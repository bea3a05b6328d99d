"""HetLoRA's fold (arXiv 2401.06432): updates weigh by the norm of their product B A, smaller ranks count as zero."""

from collections.abc import Mapping
from math import ldexp, sqrt
from typing import Literal, Self

import numpy as np

from fedray.adapters import Layout
from fedray.aggregation.fold import Aggregate
from fedray.aggregation.rejection import MAGNITUDE_LIMIT
from fedray.arrays import Ints, Values
from fedray.protocol import Update

NORM_BITS = 30  # a weight is a norm in steps of 2**-30: 5e-6 of a norm of 1e-4, the smallest that matters
LIMB_BITS = 14  # a weight is summed in limbs of 14 bits, so that a product with a value stays below 2**44
LIMBS = 3  # for norms below 2**(3 * 14 - 30) = 4096; a larger one counts as 4096
LIMB_MASK = (1 << LIMB_BITS) - 1
SHIFTS = tuple(limb * LIMB_BITS for limb in range(LIMBS))
VALUE_BITS = 24  # a value, below MAGNITUDE_LIMIT, takes 30 bits
MAX_UPDATES = 2 ** (63 - VALUE_BITS - LIMB_BITS) // MAGNITUDE_LIMIT  # 524,288 of the largest products fit 64 bits

NormOf = Literal["adapter", "module"]


class NormWeightedMean:
    """The mean of updates weighted by the Frobenius norm of their product, in fixed point.

    `norm_of` adapter: an update has one weight, the root of the sum of squared |B A| over its modules. `norm_of`
    module: each module of an update weighs by its own |B A|, and the head by the norm of the adapter. What an update
    of smaller rank lacks of a module counts as zero.

    A sum is kept as LIMBS integers per float, one for each limb of the weights, so nothing is rounded after the
    weights and values are. MAX_UPDATES updates cannot overflow; from there on OverflowError.
    """

    def __init__(self, layout: Layout, norm_of: NormOf = "adapter") -> None:
        self.layout = layout
        self.norm_of = norm_of
        self.sums = np.zeros((LIMBS, layout.size), np.int64)
        self.weights = np.zeros(layout.size, np.int64)  # of every update with the float's module, padded or not
        self.held = np.zeros(layout.size, np.bool_)
        self.updates = 0

    def add(self, update: Update, weight: int) -> None:
        """Take in one validated update; its norms stand in for `weight`."""
        self._count(1)
        places = self.layout.positions_of(update.layout)
        weights = self._weights(update)
        fixed = np.rint(np.ldexp(update.values.astype(np.float64), VALUE_BITS)).astype(np.int64)
        sent = weights[places]
        for limb, shift in enumerate(SHIFTS):
            self.sums[limb, places] += fixed * ((sent >> shift) & LIMB_MASK)
        self.weights += weights
        self.held[places] = True

    def merge(self, other: Self) -> None:
        self._count(other.updates)
        self.sums = self.sums + other.sums  # not in place: either may be a read-only view of a Ray object
        self.weights = self.weights + other.weights
        self.held = self.held | other.held

    def result(self) -> Aggregate:
        sums = np.ldexp(self.sums.astype(np.float64), np.array(SHIFTS)[:, None]).sum(axis=0)
        mean = np.ldexp(sums / np.maximum(self.weights, 1), -VALUE_BITS)
        return Aggregate(mean.astype(np.float32), self.held, self.weights)

    def _weights(self, update: Update) -> Ints:
        """The integer weight of the update for every float of the whole layout; 0 in tensors that it lacks."""
        norms = product_norms(update.layout, update.values)
        of_adapter = sqrt(sum(norm**2 for norm in norms.values()))
        sent = {(entry.module, entry.factor) for entry in update.layout.entries}
        weights = np.zeros(self.layout.size, np.int64)
        for entry in self.layout.entries:
            if (entry.module, entry.factor) in sent:
                by_module = self.norm_of == "module" and entry.factor != "head"
                weights[entry.span] = _steps(norms[entry.module] if by_module else of_adapter)
        return weights

    def _count(self, updates: int) -> None:
        self.updates += updates
        if self.updates >= MAX_UPDATES:
            raise OverflowError(f"{self.updates} updates do not fit a norm-weighted fixed-point fold")


def product_norms(layout: Layout, values: Values) -> Mapping[str, float]:
    """|B A| of every module, from the small Gram matrices: |B A|^2 = trace((B^T B)(A A^T))."""
    tensors = {(entry.module, entry.factor): layout.tensor(values, entry) for entry in layout.entries}
    norms: dict[str, float] = {}
    for (module, factor), tensor in tensors.items():
        if factor == "A":
            a, b = tensor.astype(np.float64), tensors[module, "B"].astype(np.float64)
            norms[module] = sqrt(max(float(np.sum((b.T @ b) * (a @ a.T))), 0.0))
    return norms


def _steps(norm: float) -> int:
    """A norm as an integer weight: at least 1, so that a fold of nothing but zero products has a mean."""
    return min(max(round(ldexp(norm, NORM_BITS)), 1), (1 << LIMBS * LIMB_BITS) - 1)

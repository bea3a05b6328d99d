"""Mixing updates that started from older global adapters: FedBuff (arXiv 2106.06639), FedAsync (arXiv 1903.03934).

Both papers presume that every device holds every weight. Here a device holds some layers, so both steps are taken float
by float over the devices that hold it, as in a synchronous round. FedBuff's divisor is therefore the weight of the
updates that hold a float, not the buffer's size K: with K 10 and two devices deep enough to hold a layer, both of which
move it from 1 to 2, a synchronous round makes it 2 and a division by K would make it 1.2. Where every device holds
every float the divisor is K.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fedray.aggregation.fold import Aggregate
from fedray.arrays import Values
from fedray.scenario.schema import StalenessDiscount


@dataclass(frozen=True)
class Arrival:
    """What came back from devices that all started from one version: the aggregate of their updates.

    `staleness` counts the server steps since that version, whose values are `base`, (floats,).
    """

    base: Values
    aggregate: Aggregate
    staleness: int


def discount(rule: StalenessDiscount, staleness: int) -> float:
    """What an update counts that is `staleness` server steps old, at most 1 (FedAsync, section 5.2)."""
    if rule.staleness == "constant":
        return 1.0
    if rule.staleness == "polynomial":
        return float((1 + staleness) ** -rule.staleness_exponent)
    return 1 / (rule.hinge_slope * max(staleness - rule.hinge_delay, 0) + 1)


def buffered(
    current: Values, arrivals: Sequence[Arrival], server_learning_rate: float, rule: StalenessDiscount
) -> Aggregate:
    """FedBuff: current + rate * the weighted mean over updates of discount * (update - its base), float by float.

    Updates that do not hold a float neither move it nor weigh in its mean. `arrivals` must come in the order of their
    versions, because sums of fractions depend on it.
    """
    held = np.logical_or.reduce([arrival.aggregate.held for arrival in arrivals])
    weights = np.zeros(current.shape, np.float64)
    changes = np.zeros(current.shape, np.float64)
    for arrival in arrivals:
        folded = arrival.aggregate
        weights += folded.weights
        changes += (
            folded.weights * discount(rule, arrival.staleness) * (folded.values - arrival.base.astype(np.float64))
        )
    values = current + server_learning_rate * changes / np.where(held, weights, 1)
    return Aggregate(np.where(held, values, 0).astype(np.float32), held, np.where(held, weights, 0).astype(np.int64))


def mixed(current: Values, arrival: Arrival, mixing: float, rule: StalenessDiscount) -> Aggregate:
    """FedAsync: (1 - share) * current + share * update where the update holds a float; share = mixing * discount."""
    folded, share = arrival.aggregate, mixing * discount(rule, arrival.staleness)
    values = (1 - share) * current.astype(np.float64) + share * folded.values
    return Aggregate(np.where(folded.held, values, 0).astype(np.float32), folded.held, folded.weights)

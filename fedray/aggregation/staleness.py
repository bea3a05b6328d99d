"""Mixing updates that started from older global adapters: FedBuff (arXiv 2106.06639), FedAsync (arXiv 1903.03934)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fedray.protocol import Values


@dataclass(frozen=True)
class Arrival:
    """What came back from devices that all started from one version: their mean, and how many they are.

    `staleness` counts the server steps since that version; `base` is it and `mean` what became of it, both (floats,).
    """

    base: Values
    mean: Values
    count: int
    staleness: int

    def discount(self, exponent: float) -> float:
        """(1 + staleness)^-exponent."""
        return float((1 + self.staleness) ** -exponent)


def buffered(current: Values, arrivals: Sequence[Arrival], server_learning_rate: float, exponent: float) -> Values:
    """FedBuff: current + rate / K * sum over the K updates of (1 + staleness)^-exponent * (update - its base)."""
    total = sum(arrival.count for arrival in arrivals)
    step = np.zeros(current.shape, np.float64)
    for arrival in arrivals:
        change = arrival.mean.astype(np.float64) - arrival.base
        step += arrival.count / total * arrival.discount(exponent) * change
    return (current + server_learning_rate * step).astype(np.float32)


def mixed(current: Values, arrival: Arrival, mixing: float, exponent: float) -> Values:
    """FedAsync: (1 - share) * current + share * update, share = mixing * (1 + staleness)^-exponent."""
    share = mixing * arrival.discount(exponent)
    return ((1 - share) * current.astype(np.float64) + share * arrival.mean).astype(np.float32)

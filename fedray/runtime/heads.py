"""Heads that never travel (`head: local`): kept for the devices between rounds, seen by no method."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fedray.arrays import Values


@dataclass(frozen=True)
class LocalHeads:
    """Every device's own head, (devices, head floats)."""

    values: Values

    @staticmethod
    def same_for_all(head: Values, devices: int) -> "LocalHeads":
        """All devices start from one head."""
        return LocalHeads(np.tile(head, (devices, 1)))

    def of(self, devices: Sequence[int]) -> Values:
        """The heads of some devices."""
        return self.values[list(devices)]

    def replaced(self, trained: Mapping[int, Values]) -> "LocalHeads":
        """The heads after a round in which these were trained."""
        values = self.values.copy()
        for device, head in trained.items():
            values[device] = head
        return LocalHeads(values)

    def mean(self) -> Values:
        """What the global model is judged with: the mean over all devices, summed in float64."""
        return np.asarray(self.values.mean(axis=0, dtype=np.float64), np.float32)

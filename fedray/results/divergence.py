"""How far a group's labels are from the whole fleet's."""

from collections.abc import Mapping, Sequence

import numpy as np

from fedray.arrays import Floats, Ints

SMOOTHING = 1e-6  # examples added to every label, so that an absent label has a logarithm


def label_divergence(mine: Ints, whole: Ints) -> float:
    """KL divergence (nats) of one label mix from another; both are examples per label, shape (labels,)."""
    p, q = _mix(mine), _mix(whole)
    return float(np.sum(p * np.log(p / q)))


class LabelMixes:
    """Responsibilities: know who holds which labels, and say how far some devices' mix is from the fleet's."""

    def __init__(self, shards: Mapping[int, Sequence[int]]) -> None:
        """`shards`: examples per label by device; none where there are no labels."""
        self.shards = {device: np.array(counts, np.int64) for device, counts in shards.items()}
        self.whole: Ints = sum(self.shards.values(), np.zeros(1, np.int64))

    def divergence(self, devices: Sequence[int]) -> float | None:
        """In nats; None if their labels are unknown."""
        held = [self.shards[device] for device in devices if device in self.shards]
        return label_divergence(np.sum(held, axis=0), self.whole) if held else None


def _mix(examples: Ints) -> Floats:
    smoothed = examples + SMOOTHING
    return np.asarray(smoothed / smoothed.sum(), np.float64)

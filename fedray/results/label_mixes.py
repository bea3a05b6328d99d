"""Who holds which labels, and how far some devices' mix is from the fleet's."""

from collections.abc import Mapping, Sequence

import numpy as np

from fedray.arrays import Ints
from fedray.divergence import label_divergence


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

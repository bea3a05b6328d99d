"""The random choices of a partition, drawn once for all its devices."""

from dataclasses import dataclass

import numpy as np

from fedray.arrays import Ints
from fedray.learning.partitions.base import Pool
from fedray.seeds import Purpose, generator


@dataclass(frozen=True)
class Shuffle:
    """An order of the examples, (examples,), a seed for a library, and the generator for what is drawn after them."""

    order: Ints
    library_seed: int
    chooser: np.random.Generator


def shuffle(pool: Pool, seed: int) -> Shuffle:
    """The choices of a seed; some partitioners cut in file order, hence the order."""
    chooser = generator(seed, Purpose.PARTITION)
    order = chooser.permutation(len(pool))
    return Shuffle(order, int(chooser.integers(2**31)), chooser)

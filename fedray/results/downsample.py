"""Fewer of many, evenly chosen."""

import numpy as np

from fedray.arrays import Ints


def evenly(count: int, most: int) -> Ints:
    """Positions of at most `most` of `count` things, evenly spread, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))

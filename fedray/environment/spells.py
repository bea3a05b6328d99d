"""Two states by turns, each exponentially long."""

import numpy as np

from fedray.arrays import Floats


def alternating_spells(rng: np.random.Generator, mean_on: float, mean_off: float, period: float) -> tuple[Floats, bool]:
    """Exponential lengths by turns until a period is full, and whether the first is on (as often as time is on)."""
    first = bool(rng.random() < mean_on / (mean_on + mean_off))
    means = np.array([mean_on, mean_off] if first else [mean_off, mean_on])
    lengths = np.zeros(0)
    while lengths.sum() < period:
        some = 1 + int(period / means.sum())
        lengths = np.concatenate([lengths, (rng.standard_exponential((some, 2)) * means).ravel()])
    return lengths[: 1 + int(np.searchsorted(np.cumsum(lengths), period))], first

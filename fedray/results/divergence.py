"""How far a group's labels are from the whole fleet's."""

import numpy as np

from fedray.protocol import Floats, Ints

SMOOTHING = 1e-6  # examples added to every label, so that a label nobody holds has a logarithm


def label_divergence(mine: Ints, whole: Ints) -> float:
    """KL divergence (nats) of one label mix from another; both are examples per label, shape (labels,)."""
    p, q = _mix(mine), _mix(whole)
    return float(np.sum(p * np.log(p / q)))


def _mix(examples: Ints) -> Floats:
    smoothed = examples + SMOOTHING
    return np.asarray(smoothed / smoothed.sum(), np.float64)

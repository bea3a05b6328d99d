"""How far one label mix is from another: the Kullback-Leibler divergence, in nats.

A mix is every label's share of the examples plus `SMOOTHING`, normalised; it is uniform where no example is held.
"""

import numpy as np

from fedray.arrays import Floats, Ints

SMOOTHING = 1e-6  # added to every label's share, so that an absent label has a logarithm


def label_divergence(examples: Ints, reference: Ints) -> float:
    """KL(mix of `examples` || mix of `reference`); both are examples per label, (labels,)."""
    return max(0.0, float(divergence_from(examples, log_mix(reference))))  # rounding may leave equal mixes below 0


def divergence_from(examples: Ints | Floats, log_reference: Floats) -> Floats:
    """KL(mix of `examples` || reference), (...), for whole counts (labels, ...) and the reference's `log_mix`.

    Rounding may leave equal mixes below 0 by some 1e-16.
    """
    weights = examples + SMOOTHING * np.maximum(examples.sum(axis=0), 1)
    total = weights.sum(axis=0)
    terms = np.log(weights)  # in place from here: fresh memory would cost more than the logarithm
    terms -= log_reference.reshape(-1, *[1] * (examples.ndim - 1))
    terms *= weights
    divergence: Floats = terms.sum(axis=0) / total - np.log(total)
    return divergence


def log_mix(examples: Ints) -> Floats:
    """Logarithm of every label's share, (labels,), of examples per label."""
    shares = examples / max(examples.sum(), 1) + SMOOTHING
    logarithms: Floats = np.log(shares / shares.sum())
    return logarithms

"""Drawing a device's examples from the whole training set, so that more devices than examples hold data."""

from collections.abc import Sequence

import numpy as np

from fedray.arrays import Ints


def draw_evenly(pool: Ints, wanted: int, rng: np.random.Generator) -> Ints:
    """`wanted` indices of a pool, ascending; none twice unless the pool is smaller, and then all equally often (±1)."""
    whole, rest = divmod(wanted, len(pool))
    return np.sort(np.concatenate([np.tile(pool, whole), rng.choice(pool, rest, replace=False)]))


def draw_by_label_mix(by_label: Sequence[Ints], alpha: float, wanted: int, rng: np.random.Generator) -> Ints:
    """`wanted` indices, ascending, by a label mix drawn from Dirichlet(alpha * label shares).

    `by_label` are the indices of each label, none empty. The shares are those of the training set, so that small alpha
    gives a device nearly one label and large alpha the mix of the training set (Hsu, Qi and Brown 2019,
    arXiv:1909.06335, section 3). An example comes twice only where its label has fewer than the mix asks for.
    """
    sizes = np.array([len(pool) for pool in by_label])
    mix = rng.dirichlet(alpha * sizes / sizes.sum())
    counts = rng.multinomial(wanted, mix)
    parts = [draw_evenly(pool, int(count), rng) for pool, count in zip(by_label, counts, strict=True)]
    return np.sort(np.concatenate(parts))

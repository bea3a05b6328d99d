"""Which examples of its shard a device trains on, step by step."""

import numpy as np

from fedray.arrays import Ints

WINDOW = 4  # batches that are sorted by length together: most of the padding saved, hardly any of the mixing lost
WINDOWS_PER_PASS = 4  # at least, else batches would be the same examples in every pass


def draw_batches(shard: Ints, lengths: Ints, steps: int, batch_size: int, rng: np.random.Generator) -> list[Ints]:
    """`steps` batches of `batch_size` indices: pass after pass over the shard, each in an order of its own.

    No batch repeats an example while the shard has others: one that begins in one pass and ends in the next takes
    there what it does not hold yet, and a shard smaller than a batch is taken whole as often as it fits. Inside a
    pass, `WINDOW` consecutive batches are sorted by length together (lengths: (all examples,)), so that less is
    padding, and come in random order; shards of fewer than `WINDOW * WINDOWS_PER_PASS` batches have smaller windows.

    Raises
    ------
    ValueError
        if the shard is empty.
    """
    if not len(shard):
        raise ValueError("a device without examples cannot train")
    whole, rest = divmod(batch_size, len(shard))
    dealt = _deal(shard, lengths, steps, rest, rng) if rest else [shard[:0]] * steps
    return [np.concatenate([np.tile(shard, whole), mine]) for mine in dealt]


def _deal(shard: Ints, lengths: Ints, steps: int, size: int, rng: np.random.Generator) -> list[Ints]:
    """`steps` batches of `size` different examples, fewer than the shard has."""
    window = max(1, min(WINDOW, len(shard) // (size * WINDOWS_PER_PASS)))
    batches: list[Ints] = []
    left = shard[:0]  # of the last pass
    while len(batches) < steps:
        order = rng.permutation(shard)
        repeated = np.isin(order, left)
        order = np.concatenate([left, order[~repeated], order[repeated]])
        if len(left):  # the batch that begins in one pass and ends in the next
            batches.append(order[:size])
            order = order[size:]
        count = len(order) // size
        for first in range(0, count, window):
            some = order[first * size : min(first + window, count) * size]
            if window > 1:
                some = some[np.argsort(lengths[some], kind="stable")]
            cut = some.reshape(-1, size)
            batches += list(cut[rng.permutation(len(cut))] if window > 1 else cut)
        left = order[count * size :]
    return batches[:steps]

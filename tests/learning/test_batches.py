"""What a device's batches hold: distinct examples, passes over the shard, little padding."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedray.learning.batches import draw_batches


def drawn(shard_size: int, steps: int, batch_size: int, seed: int = 0) -> list[np.ndarray]:
    shard = 3 * np.arange(shard_size) + 7
    lengths = np.random.default_rng(seed).integers(1, 60, 3 * shard_size + 8)
    return draw_batches(shard, lengths, steps, batch_size, np.random.default_rng(seed))


SIZES = {
    "shard_size": st.integers(1, 80),
    "steps": st.integers(1, 12),
    "batch_size": st.integers(1, 20),
    "seed": st.integers(0, 99),
}


@given(**SIZES)
def test_no_batch_repeats_an_example_while_the_shard_has_others(shard_size, steps, batch_size, seed) -> None:
    for batch in drawn(shard_size, steps, batch_size, seed):
        assert len(batch) == batch_size
        times = Counter(batch.tolist())
        others_unused = len(times) < shard_size
        assert max(times.values()) - (0 if others_unused else min(times.values())) <= 1


@given(**SIZES)
def test_every_pass_over_the_shard_takes_each_example_once(shard_size, steps, batch_size, seed) -> None:
    examples = np.concatenate(drawn(shard_size, steps, batch_size, seed))
    assert set(examples.tolist()) <= set((3 * np.arange(shard_size) + 7).tolist())
    times = np.zeros(shard_size, np.int64)
    np.add.at(times, (examples - 7) // 3, 1)
    assert times.max() - times.min() <= 1  # whole passes, and a part of the last


def test_a_shard_of_eight_gives_eight_distinct_examples_in_a_batch_of_eight() -> None:
    assert [len(set(batch.tolist())) for batch in drawn(8, steps=20, batch_size=8)] == [8] * 20


def test_batches_that_end_in_the_next_pass_hold_no_example_twice() -> None:
    assert all(len(set(batch.tolist())) == 6 for batch in drawn(10, steps=50, batch_size=6))


def test_passes_over_a_small_shard_are_cut_into_different_batches() -> None:
    batches = [frozenset(batch.tolist()) for batch in drawn(32, steps=40, batch_size=8)]
    assert len(set(batches)) == 40


def test_batches_of_a_large_shard_hold_texts_of_like_length() -> None:
    lengths = np.random.default_rng(1).integers(1, 101, 640)
    shard = np.arange(640)
    bucketed = draw_batches(shard, lengths, 80, 8, np.random.default_rng(0))
    spread = np.mean([np.ptp(lengths[batch]) for batch in bucketed])
    plain = np.mean([np.ptp(lengths[batch]) for batch in np.random.default_rng(0).permutation(shard).reshape(-1, 8)])
    assert spread < 0.5 * plain


def test_a_device_without_examples_cannot_train() -> None:
    with pytest.raises(ValueError, match="without examples"):
        draw_batches(np.array([], np.int64), np.ones(3), 1, 4, np.random.default_rng(0))

"""Folds merge to the same bits in any order, and to the weighted mean."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedray.adapters import AdapterSpec, layout_of
from fedray.aggregation import MAGNITUDE_LIMIT, PerTensorMean, rejection
from fedray.protocol import Update
from tests.shapes import shape

SHAPE = shape(layers=3, hidden=4, labels=2)
SPEC = AdapterSpec((1, 2, 3), (0, 1, 2), 1.0)
WHOLE = layout_of(SHAPE, SPEC)


def an_update(device: int, depth: int, rng: np.random.Generator) -> Update:
    layout = layout_of(SHAPE, SPEC.deepest(depth))
    values = rng.normal(0, 10 ** rng.uniform(-4, 1), layout.size).clip(-60, 60).astype(np.float32)
    return Update(device, layout, values)


def folded(parts: list[list[tuple[Update, int]]]) -> bytes:
    folds = []
    for part in parts:
        fold = PerTensorMean(WHOLE)
        for update, weight in part:
            fold.add(update, weight)
        folds.append(fold)
    total = PerTensorMean(WHOLE)
    for fold in folds:
        total.merge(fold)
    result = total.result()
    return result.values.tobytes() + result.held.tobytes()


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32), hosts=st.integers(1, 5), data=st.data())
def test_any_order_on_any_number_of_hosts_gives_the_same_bits(seed, hosts, data) -> None:
    rng = np.random.default_rng(seed)
    updates = [(an_update(i, int(rng.integers(1, 4)), rng), int(rng.integers(1, 500))) for i in range(7)]
    order = data.draw(st.permutations(updates))
    cuts = sorted(data.draw(st.lists(st.integers(0, 7), min_size=hosts - 1, max_size=hosts - 1)))
    parts = [order[a:b] for a, b in zip([0, *cuts], [*cuts, 7], strict=True)]
    assert folded(parts) == folded([updates])


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32))
def test_the_result_is_the_weighted_mean_over_those_who_hold_a_tensor(seed) -> None:
    """Oracle: numpy.average per float over the devices deep enough."""
    rng = np.random.default_rng(seed)
    depths, weights = rng.integers(1, 4, 5), rng.integers(1, 1000, 5)
    updates = [an_update(i, int(depth), rng) for i, depth in enumerate(depths)]
    fold = PerTensorMean(WHOLE)
    for update, weight in zip(updates, weights, strict=True):
        fold.add(update, int(weight))
    result = fold.result()
    for entry in WHOLE.entries:
        holders = [i for i, depth in enumerate(depths) if entry.layer is None or entry.layer >= 3 - depth]
        assert result.held[entry.span].all() == bool(holders)
        if holders:
            mine = [
                updates[i].values[e.span]
                for i in holders
                for e in updates[i].layout.entries
                if (e.module, e.factor) == (entry.module, entry.factor)
            ]
            expected = np.average(np.float64(mine), axis=0, weights=weights[holders])
            np.testing.assert_allclose(result.values[entry.span], expected, rtol=1e-6, atol=1e-9)


def test_a_smaller_rank_takes_the_first_rows_of_a_and_columns_of_b() -> None:
    narrow = layout_of(SHAPE, AdapterSpec((1, 1, 1), (0, 1, 2), 1.0))
    fold = PerTensorMean(WHOLE)
    fold.add(Update(0, narrow, np.arange(1, narrow.size + 1, dtype=np.float32) / 100), 2)
    result = fold.result()
    entry = next(e for e in WHOLE.entries if e.layer == 2 and e.factor == "B")
    held = WHOLE.tensor(result.held, entry)
    assert held[:, 0].all()
    assert not held[:, 1:].any()


def test_a_weight_too_large_for_64_bits_is_refused_not_wrapped() -> None:
    fold = PerTensorMean(WHOLE)
    update = an_update(0, 3, np.random.default_rng(0))
    with pytest.raises(OverflowError):
        fold.add(update, 2**31 // MAGNITUDE_LIMIT)


@pytest.mark.parametrize(
    ("poison", "reason"),
    [(np.nan, "not-finite"), (np.inf, "not-finite"), (3e38, "too-large"), (MAGNITUDE_LIMIT, "too-large")],
)
def test_unsound_updates_are_named(poison, reason) -> None:
    update = an_update(0, 3, np.random.default_rng(0))
    assert rejection(update) is None
    update.values[5] = poison
    assert rejection(update) == reason


def test_misshaped_updates_are_named() -> None:
    sound = an_update(0, 3, np.random.default_rng(0))
    assert rejection(Update(0, sound.layout, sound.values[:-1])) == "shape"
    assert rejection(Update(0, sound.layout, sound.values.astype(np.float64))) == "shape"

"""Folds merge to the same bits in any order, and to the weighted mean."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedray.adapters import AdapterSpec, Layout, layout_of
from fedray.aggregation import (
    MAGNITUDE_LIMIT,
    NormWeightedMean,
    PerTensorMean,
    TripletMean,
    ZeroPaddedMean,
    rejection,
    triplet_numbers,
)
from fedray.aggregation.norms import MAX_UPDATES
from fedray.protocol import Selection, Update
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


def svd_layout(ranks=((2, 1), (1, 2), (3, 1), (1, 1))) -> Layout:
    return layout_of(shape(), AdapterSpec.of_modules(ranks, 1.0, "svd"))


def by_module(layout: Layout) -> NormWeightedMean:
    return NormWeightedMean(layout, "module")


@settings(deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 8),
    st.sampled_from([TripletMean, NormWeightedMean, by_module, ZeroPaddedMean]),
)
def test_every_fold_gives_the_same_bits_in_any_order_and_grouping(seed, count, kind) -> None:
    rng = np.random.default_rng(seed)
    layout = svd_layout() if kind is TripletMean else layout_of(shape(), AdapterSpec((2,) * 4, (0, 1, 2, 3), 1.0))
    triplets = 12
    updates = []
    for device in range(count):
        selection = Selection(rng.random(triplets) < 0.6, rng.random(triplets).astype(np.float32) * 1e-9)
        values = rng.normal(0, 10 ** rng.uniform(-3, 0), layout.size).astype(np.float32)
        updates.append((Update(device, layout, values, selection if kind is TripletMean else None), device + 1))

    def folded(order, cut: int):
        parts = [kind(layout), kind(layout)]
        for place, index in enumerate(order):
            parts[place >= cut].add(*updates[index])
        parts[1].merge(parts[0])
        return parts[1].result()

    one, other = folded(range(count), 0), folded(rng.permutation(count), int(rng.integers(0, count + 1)))
    assert one.values.tobytes() == other.values.tobytes()
    assert (one.held == other.held).all()
    assert (one.weights == other.weights).all()
    if kind is TripletMean:
        assert one.votes.tobytes() == other.votes.tobytes()
        assert one.scores.tobytes() == other.scores.tobytes()


def test_only_selected_triplets_count_and_votes_are_shares_of_weight() -> None:
    layout = svd_layout()
    numbers = triplet_numbers(layout)
    assert sorted(set(numbers.tolist())) == list(range(-1, 12))
    # a triplet of an 8 x 8 module: a row of A, an entry of E, a column of B
    assert np.bincount(numbers[numbers >= 0]).tolist() == [17] * 12
    entry = next(e for e in layout.entries if e.factor == "B")  # the first module's, of rank 2
    assert layout.tensor(numbers, entry).tolist() == [[0, 1]] * 8
    fold = TripletMean(layout)
    for device, (chosen, weight) in enumerate((([0, 1], 1), ([1], 3))):
        kept = np.isin(np.arange(12), chosen)
        scores = np.full(12, 1e-7, np.float32)
        fold.add(Update(device, layout, np.full(layout.size, device + 1, np.float32), Selection(kept, scores)), weight)
    result = fold.result()
    assert result.values[numbers == 0] == pytest.approx(1)
    assert result.values[numbers == 1] == pytest.approx((1 + 3 * 2) / 4)
    assert result.values[numbers == -1] == pytest.approx((1 + 3 * 2) / 4)
    assert not result.held[numbers == 2].any()
    assert result.votes[:3].tolist() == [0.25, 1.0, 0.0]
    # of its own scores the first device gives each half, the second its only one all
    assert result.scores[:2] == pytest.approx([0.5, (0.5 + 3 * 1.0) / 4])


def test_hetlora_weighs_by_the_product_and_pads_with_zeros_by_hand() -> None:
    small = layout_of(shape(1), AdapterSpec((1,), (0,), 1.0))
    large = layout_of(shape(1), AdapterSpec((2,), (0,), 1.0))
    fold = NormWeightedMean(large)
    one, two = np.zeros(small.size, np.float32), np.zeros(large.size, np.float32)
    for layout, values, factor in ((small, one, 0.5), (large, two, 0.25)):
        for entry in layout.entries:
            if entry.factor != "head":
                values[entry.span] = factor
    # |B A| of a module: all 64 entries are rank * factor^2; two modules
    norms = [np.sqrt(2 * 64) * 0.5**2, np.sqrt(2 * 64) * 2 * 0.25**2]
    fold.add(Update(0, small, one), 1)
    fold.add(Update(1, large, two), 1)
    result = fold.result()
    first, second = (large.tensor(result.values, large.entries[0])[row] for row in (0, 1))
    assert first == pytest.approx((norms[0] * 0.5 + norms[1] * 0.25) / sum(norms), rel=1e-6)
    assert second == pytest.approx(norms[1] * 0.25 / sum(norms), rel=1e-6)  # the smaller adapter counts as zero there


def scaled(layout: Layout, factors: dict[str, float]) -> Update:
    """An update of rank 1 whose modules have products of 64 equal entries, factor^2 each, and a head of ones."""
    values = np.ones(layout.size, np.float32)
    for entry in layout.entries:
        if entry.factor != "head":
            values[entry.span] = factors[entry.module]
    return Update(0, layout, values)


def test_hetlora_by_module_weighs_each_module_by_its_own_norm_and_the_head_by_all_of_them() -> None:
    layout = layout_of(shape(1), AdapterSpec((1,), (0,), 1.0))
    query, value = dict.fromkeys(entry.module for entry in layout.entries if entry.factor == "A")
    folds = {norm_of: NormWeightedMean(layout, norm_of) for norm_of in ("adapter", "module")}
    one, two = scaled(layout, {query: 0.5, value: 1.0}), scaled(layout, {query: 1.0, value: 0.5})
    for entry in layout.entries:
        if entry.factor == "head":
            two.values[entry.span] = 3.0
    for fold in folds.values():
        fold.add(one, 1)
        fold.add(two, 1)
    # whole adapters are equally large: every mean is that of the two values
    assert folds["adapter"].result().values[layout.entries[0].span] == pytest.approx(0.75)
    # |B A| of query is 8 * 0.25 in the first and 8 * 1 in the second update, and the reverse of value
    result = folds["module"].result().values
    for entry in layout.entries:
        expected = 2.0 if entry.factor == "head" else (2 * 0.5 + 8 * 1.0) / 10
        assert result[entry.span] == pytest.approx(expected, rel=1e-6), entry


@settings(deadline=None)
@given(st.floats(-4, 3), st.floats(-4, 3))
def test_a_norms_weight_errs_by_less_than_a_ten_thousandth(one, other) -> None:
    """Norms from 1e-4 to 1e3, both of them; oracle: floating point."""
    layout = layout_of(shape(1), AdapterSpec((1,), (0,), 1.0))
    modules = [entry.module for entry in layout.entries if entry.factor == "A"]
    fold, norms = NormWeightedMean(layout), []
    for exponent in (one, other):
        factor = float(np.float32(np.sqrt(10**exponent / np.sqrt(2 * 64))))
        fold.add(scaled(layout, dict.fromkeys(modules, factor)), 1)
        norms.append(np.sqrt(2 * 64) * factor**2)
        alone = NormWeightedMean(layout)
        alone.add(scaled(layout, dict.fromkeys(modules, factor)), 1)
        assert alone.weights[0] / 2**30 == pytest.approx(norms[-1], rel=1e-5)
    assert fold.weights[0] / 2**30 == pytest.approx(sum(norms), rel=1e-5)


@settings(deadline=None)
@given(count=st.integers(1, MAX_UPDATES - 1), factor=st.floats(0, 63.99), sign=st.sampled_from([-1, 1]))
def test_as_many_updates_as_a_norm_weighted_fold_takes_cannot_overflow(count, factor, sign) -> None:
    """A fold merged with itself again and again; oracle: Python's integers."""
    layout = layout_of(shape(1), AdapterSpec((1,), (0,), 1.0))
    modules = [entry.module for entry in layout.entries if entry.factor == "A"]
    power, total = NormWeightedMean(layout), NormWeightedMean(layout)
    power.add(scaled(layout, dict.fromkeys(modules, sign * factor)), 1)
    single = int(power.weights[0])
    fixed = round(float(np.float32(sign * factor)) * 2**24)
    for bit in range(count.bit_length()):
        if count >> bit & 1:
            total.merge(power)
        if bit + 1 < count.bit_length():
            power.merge(power)
    assert sum(int(limb) << 14 * place for place, limb in enumerate(total.sums[:, 0])) == count * fixed * single
    assert total.weights[0] == count * single
    assert total.result().values[0] == pytest.approx(sign * factor, abs=1e-6, rel=1e-6)


def test_more_updates_than_fit_are_refused_not_wrapped() -> None:
    fold, one = (NormWeightedMean(layout_of(shape(1), AdapterSpec((1,), (0,), 1.0))) for _ in range(2))
    one.add(Update(0, one.layout, np.ones(one.layout.size, np.float32)), 1)
    fold.updates = MAX_UPDATES - 1
    with pytest.raises(OverflowError, match="do not fit"):
        fold.merge(one)


def test_zero_padding_divides_by_all_and_counts_what_is_missing_as_the_value_zero() -> None:
    """Weights 1 and 3; the second device lacks the lowest layer, and no device holds the one in the middle."""
    deep = layout_of(SHAPE, AdapterSpec((1, 2, 3), (0, 2), 1.0)).only(lambda entry: entry.layer != 1)
    top = layout_of(SHAPE, SPEC.deepest(1))
    padded, held_only = ZeroPaddedMean(WHOLE), PerTensorMean(WHOLE)
    for fold in (padded, held_only):
        fold.add(Update(0, deep, np.full(deep.size, 0.8, np.float32)), 1)
        fold.add(Update(1, top, np.full(top.size, 0.4, np.float32)), 3)
    expected = {0: (0.8 / 4, 0.8), 2: (2.0 / 4, 2.0 / 4), None: (2.0 / 4, 2.0 / 4)}
    for entry in WHOLE.entries:
        if entry.layer == 1:
            assert not padded.result().held[entry.span].any()
        else:
            found = tuple(fold.result().values[entry.span] for fold in (padded, held_only))
            assert found[0] == pytest.approx(expected[entry.layer][0])
            assert found[1] == pytest.approx(expected[entry.layer][1])

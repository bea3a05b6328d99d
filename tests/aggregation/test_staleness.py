"""FedBuff's and FedAsync's steps by hand, with devices that hold different layers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedray.adapters import AdapterSpec, Layout, layout_of
from fedray.aggregation import Aggregate, Fold, NormWeightedMean, PerTensorMean, ZeroPaddedMean
from fedray.aggregation.staleness import Arrival, buffered, discount, mixed
from fedray.protocol import Update
from fedray.scenario.schema import StalenessDiscount
from tests.shapes import shape

DEEP, TOP = 0, 1  # the two floats of the aggregates below: a layer that shallow devices lack, and one that all hold
POLYNOMIAL = StalenessDiscount()  # (1 + staleness)^-0.5: 1 when fresh, a half at 3
CONSTANT = StalenessDiscount(staleness="constant")


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def arrival(base: tuple[float, float], mean: tuple[float, float], weights: tuple[int, int], staleness: int) -> Arrival:
    """The aggregate of updates from one version; `weights` are those of the holders of the deep and the top float."""
    held = np.array(weights) > 0
    aggregate = Aggregate(np.where(held, floats(*mean), 0).astype(np.float32), held, np.array(weights))
    return Arrival(floats(*base), aggregate, staleness)


def test_staleness_functions_by_hand() -> None:
    assert [discount(POLYNOMIAL, age) for age in (0, 3, 8)] == pytest.approx([1, 1 / 2, 1 / 3])
    assert discount(StalenessDiscount(staleness_exponent=1.0), 3) == pytest.approx(1 / 4)
    hinge = StalenessDiscount(staleness="hinge", hinge_slope=0.5, hinge_delay=2)
    assert [discount(hinge, age) for age in (0, 2, 3, 4, 8)] == pytest.approx([1, 1, 1 / 1.5, 1 / 2, 1 / 4])
    assert [discount(StalenessDiscount(staleness="hinge"), age) for age in (4, 5)] == pytest.approx([1, 1 / 11])
    assert [discount(CONSTANT, age) for age in (0, 100)] == [1, 1]


def test_fedbuff_by_hand_where_everyone_holds_everything() -> None:
    """Three fresh updates that changed by +2 in the mean, one three steps old that changed by -8: it counts a half."""
    now = floats(10.0, 0.0)
    fresh, old = arrival((10, 0), (12, 4), (3, 3), 0), arrival((8, 0), (0, 4), (1, 1), 3)
    step = buffered(now, [old, fresh], 1.0, POLYNOMIAL)
    assert step.values == pytest.approx([10 + (3 * 2 + 0.5 * -8) / 4, (3 * 4 + 0.5 * 4) / 4])
    assert step.values.dtype == np.float32
    assert buffered(now, [old, fresh], 0.5, CONSTANT).values == pytest.approx([10 + 0.5 * (3 * 2 - 8) / 4, 0.5 * 4])


def test_a_layer_that_no_device_of_a_step_held_keeps_its_value_whatever_the_base_was() -> None:
    """The issue's example: current 1, base 0, staleness 3, and the device holds only the layer above."""
    now = floats(1.0, 1.0)
    shallow = arrival((0, 0), (0, 2), (0, 1), 3)
    for step in (buffered(now, [shallow], 1.0, POLYNOMIAL), mixed(now, shallow, 0.6, POLYNOMIAL)):
        assert step.held.tolist() == [False, True]
        assert np.where(step.held, step.values, now)[DEEP] == 1.0
    assert buffered(now, [shallow], 1.0, POLYNOMIAL).values[TOP] == pytest.approx(1 + 0.5 * (2 - 0))
    assert mixed(now, shallow, 0.6, POLYNOMIAL).values[TOP] == pytest.approx(0.7 * 1 + 0.3 * 2)


def test_a_layer_moves_by_those_that_hold_it_and_not_by_who_started_from_the_same_version() -> None:
    """Two updates from different versions, one of them with the deep layer: it alone moves the deep layer."""
    now = floats(1.0, 1.0)
    shallow, deep = arrival((9, 0), (9, 4), (0, 1), 3), arrival((1, 1), (3, 3), (1, 1), 0)
    step = buffered(now, [shallow, deep], 1.0, POLYNOMIAL)
    # deep: +2 of the one holder; top: the mean of 0.5 * (4 - 0) and 3 - 1
    assert step.values == pytest.approx([1 + 2, 1 + (0.5 * 4 + 2) / 2])
    # a holder three steps old moves it by half of what it changed, from whichever version the others started
    late = arrival((0, 0), (2, 2), (1, 1), 3)
    for other in (arrival((9, 1), (9, 3), (0, 1), 0), arrival((9, 1), (9, 3), (0, 1), 3)):
        assert buffered(now, [late, other], 1.0, POLYNOMIAL).values[DEEP] == pytest.approx(1 + 0.5 * 2)


def test_the_buffer_does_not_starve_a_layer_that_few_devices_hold() -> None:
    """Ten fresh updates move what they hold from 1 to 2; two hold the deep layer. Divided by 10 it would be 1.2."""
    step = buffered(floats(1.0, 1.0), [arrival((1, 1), (2, 2), (2, 10), 0)], 1.0, POLYNOMIAL)
    assert step.values == pytest.approx([2.0, 2.0])


def test_fedasync_by_hand() -> None:
    """A share of 0.6 for a fresh update, of 0.3 for one three steps old; it has no base."""
    now = floats(10.0, 0.0)
    assert mixed(now, arrival((10, 0), (20, 4), (1, 1), 0), 0.6, POLYNOMIAL).values == pytest.approx([16.0, 2.4])
    assert mixed(now, arrival((3, 0), (20, 4), (1, 1), 3), 0.6, POLYNOMIAL).values == pytest.approx([13.0, 1.2])
    assert mixed(now, arrival((3, 0), (20, 4), (1, 1), 3), 0.6, CONSTANT).values == pytest.approx([16.0, 2.4])
    hinge = StalenessDiscount(staleness="hinge", hinge_slope=1.0, hinge_delay=2)  # a half at 3
    assert mixed(now, arrival((3, 0), (20, 4), (1, 1), 3), 0.6, hinge).values == pytest.approx([13.0, 1.2])


def test_sample_weights_weigh_updates_of_different_versions() -> None:
    """30 examples moved by +1, fresh; 10 examples by -4 of which a half counts, three steps old."""
    fresh, old = arrival((1, 1), (2, 2), (30, 30), 0), arrival((4, 4), (0, 0), (10, 10), 3)
    assert buffered(floats(1.0, 1.0), [old, fresh], 1.0, POLYNOMIAL).values == pytest.approx([1 + (30 - 20) / 40] * 2)


LAYOUT = layout_of(shape(3, 4, 2), AdapterSpec((2, 2, 2), (0, 1, 2), 1.0))


def an_update(device: int, depth: int, rank: int, rng: np.random.Generator) -> Update:
    layout: Layout = layout_of(shape(3, 4, 2), AdapterSpec((2, 2, 2), (0, 1, 2), 1.0).deepest(depth).truncated_to(rank))
    return Update(device, layout, rng.normal(0, 1, layout.size).astype(np.float32))


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.sampled_from([PerTensorMean, ZeroPaddedMean, NormWeightedMean]))
def test_a_buffer_of_fresh_updates_is_the_folds_own_aggregate(seed, count, kind) -> None:
    """Oracle: a synchronous round, whatever each device holds and however the method pads and weighs."""
    rng = np.random.default_rng(seed)
    now = rng.normal(0, 1, LAYOUT.size).astype(np.float32)
    fold: Fold = kind(LAYOUT)
    for device in range(count):
        fold.add(an_update(device, int(rng.integers(1, 4)), int(rng.integers(1, 3)), rng), int(rng.integers(1, 9)))
    whole = fold.result()
    step = buffered(now, [Arrival(now, whole, 0)], 1.0, POLYNOMIAL)
    assert (step.held == whole.held).all()
    np.testing.assert_allclose(step.values, whole.values, atol=1e-6)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([PerTensorMean, ZeroPaddedMean, NormWeightedMean]))
def test_versions_without_a_discount_and_with_one_base_are_one_round(seed, kind) -> None:
    """Oracle: folding all updates at once; how they are divided into versions must not matter then."""
    rng = np.random.default_rng(seed)
    now = rng.normal(0, 1, LAYOUT.size).astype(np.float32)
    together, apart = kind(LAYOUT), [kind(LAYOUT) for _ in range(3)]
    for device in range(7):
        update = an_update(device, int(rng.integers(1, 4)), int(rng.integers(1, 3)), rng)
        together.add(update, device + 1)
        apart[device % 3].add(update, device + 1)
    arrivals = [Arrival(now, fold.result(), age) for age, fold in enumerate(apart)]
    step, whole = buffered(now, arrivals, 1.0, CONSTANT), together.result()
    assert (step.held == whole.held).all()
    np.testing.assert_allclose(step.values, whole.values, atol=1e-6)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_fedbuff_is_the_papers_sum_over_updates_where_every_device_holds_everything(seed) -> None:
    """Oracle: current + rate / K * sum of discount * (update - base), update by update (arXiv 2106.06639)."""
    rng = np.random.default_rng(seed)
    now, bases = rng.normal(0, 1, LAYOUT.size).astype(np.float32), rng.normal(0, 1, (3, LAYOUT.size))
    folds, expected = [PerTensorMean(LAYOUT) for _ in range(3)], np.zeros(LAYOUT.size)
    for device in range(6):
        update = an_update(device, 3, 2, rng)
        age = device % 3
        folds[age].add(update, 1)
        expected += (1 + age) ** -0.5 * (update.values - bases[age].astype(np.float32)) / 6
    arrivals = [Arrival(bases[age].astype(np.float32), fold.result(), age) for age, fold in enumerate(folds)]
    np.testing.assert_allclose(buffered(now, arrivals, 0.7, POLYNOMIAL).values, now + 0.7 * expected, atol=1e-5)

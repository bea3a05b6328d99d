"""The formulas of a comparison, by hand and against scipy's own tests."""

from math import exp, log, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fedray.analysis.statistics import Observed, Pair, corrected, holm, paired_difference, paired_ratio, statistic

T_1 = 12.706204736  # the 97.5 % quantile of t with one degree of freedom, from a table
T_2 = 4.302652730  # with two


def pairs(*values: tuple[float, float]) -> list[Pair]:
    return [Pair(seed, Observed(baseline), Observed(row)) for seed, (baseline, row) in enumerate(values)]


def test_a_mean_and_its_interval_by_hand() -> None:
    found = statistic([1.0, None, 2.0, 3.0])
    assert (found.mean, found.std, found.n) == (2.0, 1.0, 3)
    assert found.low == pytest.approx(2 - T_2 / sqrt(3))
    assert found.high == pytest.approx(2 + T_2 / sqrt(3))


@pytest.mark.parametrize("values", [[], [None], [0.5]])
def test_below_two_values_there_is_no_interval(values) -> None:
    found = statistic(values)
    assert (found.std, found.low, found.high, found.n) == (None, None, None, values.count(0.5))


def test_a_ratio_is_the_geometric_mean_with_a_t_interval_on_the_logs_by_hand() -> None:
    """Ratios 2 and 8: logs ln 2 and 3 ln 2, mean 2 ln 2, standard error ln 2."""
    found = paired_ratio(pairs((20.0, 10.0), (40.0, 5.0)))
    assert found.ratio == pytest.approx(4.0)
    assert found.low == pytest.approx(4 * exp(-T_1 * log(2)))
    assert found.high == pytest.approx(4 * exp(T_1 * log(2)))
    assert found.p == pytest.approx(0.29516724)  # t = 2 with one degree of freedom: 1 - 2/π arctan 2
    assert (found.n, found.seeds, found.at_least, found.at_most) == (2, 2, None, None)


def test_one_seed_gives_a_ratio_without_interval_and_test() -> None:
    found = paired_ratio(pairs((30.0, 10.0)))
    assert (found.ratio, found.low, found.high, found.p) == (pytest.approx(3.0), None, None, None)


@given(
    st.lists(st.tuples(st.floats(0.1, 1e6), st.floats(0.1, 1e6)), min_size=2, max_size=8).filter(
        lambda values: len({round(log(b / r), 3) for b, r in values}) > 1
    )
)
def test_p_values_and_intervals_are_scipys(values) -> None:
    found = paired_ratio(pairs(*values))
    theirs = stats.ttest_rel([log(b) for b, _ in values], [log(r) for _, r in values])
    interval = theirs.confidence_interval(0.95)
    assert found.p == pytest.approx(theirs.pvalue, rel=1e-6)
    assert log(found.low) == pytest.approx(interval.low, rel=1e-6, abs=1e-9)
    assert log(found.high) == pytest.approx(interval.high, rel=1e-6, abs=1e-9)


observed = st.builds(Observed, st.floats(0.1, 1e6), st.booleans())


@given(st.lists(st.tuples(observed, observed), min_size=1, max_size=8))
def test_swapping_row_and_baseline_inverts_the_ratio_its_interval_and_its_bounds(values) -> None:
    there = paired_ratio([Pair(seed, baseline, row) for seed, (baseline, row) in enumerate(values)])
    back = paired_ratio([Pair(seed, row, baseline) for seed, (baseline, row) in enumerate(values)])
    for mine, theirs in (
        (there.ratio, back.ratio),
        (there.low, back.high),
        (there.high, back.low),
        (there.at_least, back.at_most),
        (there.at_most, back.at_least),
    ):
        assert (mine is None) == (theirs is None)
        if mine is not None and theirs is not None and 0 < mine < float("inf"):
            assert mine == pytest.approx(1 / theirs, rel=1e-6)
    assert there.p == (None if back.p is None else pytest.approx(back.p, rel=1e-6, abs=1e-12))
    assert (there.row_missed, there.baseline_missed, there.n) == (back.baseline_missed, back.row_missed, back.n)


def test_missed_targets_give_bounds_and_are_counted_by_side() -> None:
    """Seed 0: 20 against 10; seed 1: the baseline missed and had spent 90, the row needed 10."""
    found = paired_ratio([*pairs((20.0, 10.0)), Pair(1, Observed(90.0, censored=True), Observed(10.0))])
    assert (found.ratio, found.n, found.seeds, found.baseline_missed, found.row_missed) == (2.0, 1, 2, 1, 0)
    assert (found.at_least, found.at_most) == (pytest.approx(sqrt(2 * 9)), None)
    assert found.by_seed[1].at_least == 9.0
    slow = paired_ratio([*pairs((20.0, 10.0)), Pair(1, Observed(10.0), Observed(40.0, censored=True))])
    assert (slow.at_least, slow.at_most, slow.row_missed) == (None, pytest.approx(sqrt(2 / 4)), 1)
    both = paired_ratio([Pair(1, Observed(10.0, censored=True), Observed(40.0, censored=True))])
    assert (both.ratio, both.both_missed, both.at_least, both.at_most) == (None, 1, None, None)


def test_what_cost_nothing_has_no_ratio() -> None:
    found = paired_ratio(pairs((0.0, 10.0), (20.0, 10.0)))
    assert (found.ratio, found.n, found.seeds) == (2.0, 1, 2)


def test_equal_seeds_are_certain() -> None:
    """A ratio that is the same under every seed has no spread: the interval is a point."""
    same = paired_ratio(pairs((30.0, 10.0), (0.3, 0.1), (3.0, 1.0)))
    assert (same.low, same.high, same.p) == (pytest.approx(3.0), pytest.approx(3.0), 0.0)
    equal = paired_ratio(pairs((0.3, 0.1 + 0.2), (1.0, 1.0)))  # 0.1 + 0.2 is not 0.3
    assert equal.p == 1.0


def test_a_difference_by_hand() -> None:
    found = paired_difference([(0.5, 0.6), (0.5, 0.8), (None, 0.9)], unpaired=1)
    assert (found.mean, found.n, found.seeds, found.unpaired) == (pytest.approx(0.2), 2, 3, 1)
    assert found.low == pytest.approx(0.2 - T_1 * 0.1)  # of 0.1 and 0.3 the standard error is 0.1
    assert found.p == pytest.approx(0.29516724)


def test_holm_by_hand() -> None:
    """0.01 × 4, 0.02 × 3, 0.03 × 2 (raised to 0.06), 0.04 × 1 (raised to 0.06)."""
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([0.04]) == [0.04]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=10))
def test_holm_never_lowers_keeps_order_and_stays_a_probability(values) -> None:
    adjusted = holm(values)
    assert all(before <= after <= 1 for before, after in zip(values, adjusted, strict=True))
    order = sorted(range(len(values)), key=lambda i: values[i])
    assert [adjusted[i] for i in order] == sorted(adjusted)


def test_rows_without_a_test_do_not_count_in_the_correction() -> None:
    one, none, other = corrected(
        [paired_ratio(pairs((20.0, 10.0), (40.0, 5.0))), paired_ratio(pairs((2.0, 1.0))),
         paired_ratio(pairs((20.0, 10.0), (40.0, 5.0)))]
    )  # fmt: skip
    assert one.p_holm == other.p_holm == pytest.approx(2 * 0.29516724)
    assert none.p_holm is None

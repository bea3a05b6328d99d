"""One Kullback-Leibler divergence for what groups are formed by and for what is shown of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fedray.divergence import label_divergence
from fedray.methods.grouping import group_divergences


def test_divergence_by_hand() -> None:
    assert label_divergence(np.array([3, 1]), np.array([50, 50])) == pytest.approx(
        0.75 * np.log(1.5) + 0.25 * np.log(0.5), abs=1e-5
    )
    assert label_divergence(np.array([2, 4]), np.array([200, 400])) == pytest.approx(0, abs=1e-12)
    assert np.isfinite(label_divergence(np.array([5, 0]), np.array([5, 5])))
    assert label_divergence(np.array([0, 0]), np.array([5, 5])) == pytest.approx(0)


@given(arrays.arrays(np.int64, st.tuples(st.integers(1, 8), st.integers(1, 7)), elements=st.integers(0, 300)))
def test_what_is_shown_of_a_group_is_what_it_was_formed_by(histograms: np.ndarray) -> None:
    groups = np.arange(len(histograms)) % 3
    formed = group_divergences(histograms, groups, 3)
    for group in set(groups.tolist()):
        shown = label_divergence(histograms[groups == group].sum(axis=0), histograms.sum(axis=0))
        assert shown == pytest.approx(formed[group], rel=1e-12, abs=1e-15)
        assert shown >= 0

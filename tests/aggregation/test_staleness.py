"""FedBuff's and FedAsync's steps by hand."""

import numpy as np
import pytest

from fedray.aggregation.staleness import Arrival, buffered, mixed

NOW = np.array([10.0, 0.0], np.float32)


def arrival(base: float, mean: float, count: int, staleness: int) -> Arrival:
    return Arrival(np.array([base, 0.0], np.float32), np.array([mean, 4.0], np.float32), count, staleness)


def test_fedbuff_by_hand() -> None:
    """Three fresh updates that changed by +2 in the mean, one three steps old that changed by -8: it counts a half."""
    fresh, old = arrival(10.0, 12.0, 3, 0), arrival(8.0, 0.0, 1, 3)
    assert buffered(NOW, [fresh, old], 1.0, 0.5) == pytest.approx([10 + (3 * 2 + 0.5 * -8) / 4, (3 * 4 + 0.5 * 4) / 4])
    assert buffered(NOW, [fresh, old], 0.5, 0.0) == pytest.approx([10 + 0.5 * (3 * 2 - 8) / 4, 0.5 * 4])


def test_a_full_buffer_of_fresh_updates_is_their_mean() -> None:
    assert buffered(NOW, [arrival(10.0, 12.0, 5, 0)], 1.0, 0.5) == pytest.approx([12.0, 4.0])


def test_fedasync_by_hand() -> None:
    """A share of 0.6 for a fresh update, of 0.3 for one three steps old."""
    assert mixed(NOW, arrival(10.0, 20.0, 1, 0), 0.6, 0.5) == pytest.approx([0.4 * 10 + 0.6 * 20, 0.6 * 4])
    assert mixed(NOW, arrival(3.0, 20.0, 1, 3), 0.6, 0.5) == pytest.approx([0.7 * 10 + 0.3 * 20, 0.3 * 4])
    assert mixed(NOW, arrival(3.0, 20.0, 1, 3), 0.6, 0.5).dtype == np.float32

"""Time goes as slowly as the machine needs: against hand-worked numbers and a look at every moment."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedray.wall.dilation import BUSY, SLOT, needed_dilation


def test_a_machine_that_can_do_it_keeps_real_time() -> None:
    begins, ends = np.array([0.0, 0.0]), np.array([10.0, 10.0])
    assert needed_dilation(begins, ends, np.array([1.0, 2.0]), cores=2) == 1.0


def test_devices_that_compute_at_once_share_the_machine() -> None:
    """Ten devices ask for 0.4 of a core each, at once: 4 cores where 0.6 of 2 are to be had."""
    begins, ends = np.zeros(10), np.full(10, 5.0)
    assert needed_dilation(begins, ends, np.full(10, 2.0), cores=2) == pytest.approx(4.0 / 1.2)


def test_devices_that_follow_each_other_do_not_share() -> None:
    begins = np.arange(10.0)
    assert needed_dilation(begins, begins + 1.0, np.full(10, 0.4), cores=1) == 1.0


def test_a_device_faster_than_the_machine_sets_the_pace() -> None:
    """A board that needs 1 s for what takes this machine 3: with half a slot to spare, six times slower."""
    assert needed_dilation(np.zeros(1), np.ones(1), np.array([3.0]), cores=64) == pytest.approx(6.0)


def test_who_does_not_compute_asks_for_nothing() -> None:
    begins = np.array([0.0, 2.0])
    assert needed_dilation(begins, begins, np.array([0.0, 5.0]), cores=1) == 1.0


windows = st.tuples(st.integers(0, 8), st.integers(1, 8), st.floats(0.01, 20.0))


@given(st.lists(windows, min_size=1, max_size=8), st.integers(1, 4))
def test_nothing_is_asked_that_the_machine_cannot_do(devices: list[tuple[int, int, float]], cores: int) -> None:
    begins, lengths, work = (np.array(column, np.float64) for column in zip(*devices, strict=True))
    dilation = needed_dilation(begins, begins + lengths, work, cores)
    asked = work / (lengths * dilation)
    assert dilation >= 1.0
    assert (asked <= SLOT + 1e-9).all()
    loads = [asked[(begins <= moment) & (moment < begins + lengths)].sum() for moment in np.arange(0.5, 16.5)]
    assert max(loads) <= BUSY * cores + 1e-9
    tight = np.isclose(max(loads), BUSY * cores) or np.isclose(asked.max(), SLOT)
    assert dilation == 1.0 or tight  # and no slower than needed

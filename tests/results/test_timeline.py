"""When devices do what, by hand and for any devices."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedray.results.round_devices import round_devices
from fedray.results.timeline import segments, timelines
from tests.analysis.pages import a_device, spent


def test_inner_rounds_repeat_at_the_pace_of_the_groups_slowest() -> None:
    """By hand: two inner rounds of 6 s (12 s in all), the faster device works 2 s of each; the third fails."""
    fast = a_device(0, group=0, inner_rounds=2, **spent(1.0, 2.0, 1.0))
    slow = a_device(1, group=0, inner_rounds=2, **spent(2.0, 8.0, 2.0))
    dead = a_device(2, group=0, inner_rounds=2, fits=False, **spent(30.0, 0.0, 0.0))
    found = segments(round_devices(1, [fast, slow, dead]))
    drawn = {
        name: list(zip(part.rows.tolist(), part.starts.tolist(), part.seconds.tolist(), strict=True))
        for name, part in found.items()
    }
    assert drawn["download"] == [(0, 0.0, 0.5), (0, 6.0, 0.5), (1, 0.0, 1.0), (1, 6.0, 1.0), (2, 0.0, 30.0)]
    assert drawn["compute"] == [(0, 0.5, 1.0), (0, 6.5, 1.0), (1, 1.0, 4.0), (1, 7.0, 4.0), (2, 30.0, 0.0)]
    assert drawn["upload"] == [(0, 1.5, 0.5), (0, 7.5, 0.5), (1, 5.0, 1.0), (1, 11.0, 1.0), (2, 30.0, 0.0)]


some_seconds = st.floats(0.01, 1000)
a_few_devices = st.lists(
    st.tuples(st.integers(0, 2), some_seconds, some_seconds, some_seconds, st.booleans()), min_size=1, max_size=12
)


@given(a_few_devices, st.tuples(*[st.integers(1, 5)] * 3))
def test_segments_add_up_to_what_the_devices_spent_and_never_overlap(given_devices, inner) -> None:
    devices = [
        a_device(i, group=group, inner_rounds=inner[group], fits=fits, **spent(down, compute, up))
        for i, (group, down, compute, up, fits) in enumerate(given_devices)
    ]
    found = segments(round_devices(1, devices))
    for row, device in enumerate(devices):
        starts, lengths = (
            np.concatenate([getattr(part, name)[part.rows == row] for part in found.values()])
            for name in ("starts", "seconds")
        )
        order = np.argsort(starts, kind="stable")
        ends = (starts + lengths)[order]
        assert (starts[order][1:] >= ends[:-1] - 1e-6).all()
        total = device.download_seconds + device.compute_seconds + device.upload_seconds
        assert lengths.sum() == pytest.approx(total)
        mates = [one for one in devices if one.group == device.group and one.finished]
        slowest = max((one.download_seconds + one.compute_seconds + one.upload_seconds for one in mates), default=0)
        if device.fits:
            assert ends[-1] <= slowest + 1e-6


def changes(*devices) -> list[list[tuple[float, str]]]:
    return [[(one.seconds, one.activity.value) for one in mine] for mine in timelines(round_devices(1, list(devices)))]


def test_a_device_waits_between_inner_rounds_and_the_slowest_does_not() -> None:
    """By hand, as above: the faster device works 2 s of each 6; a layer of it is quantised."""
    fast = a_device(0, group=0, inner_rounds=2, quantised_layers=1, **spent(1.0, 2.0, 1.0))
    slow = a_device(1, group=0, inner_rounds=2, **spent(2.0, 8.0, 2.0))
    first, second = changes(fast, slow)
    busy = [(0.0, "download"), (0.5, "train quantised"), (1.5, "upload"), (2.0, "wait")]
    assert first == [*busy, *((at + 6, what) for at, what in busy)]
    busy = [(0.0, "download"), (1.0, "train"), (5.0, "upload")]
    assert second == [*busy, *((at + 6, what) for at, what in busy), (12.0, "wait")]


@pytest.mark.parametrize(
    ("outcome", "fits", "after"),
    [
        ("vanished", True, "off"),
        ("battery empty", True, "off"),
        ("late", True, "wait"),
        ("upload lost", True, "wait"),
        ("finished", False, "out of memory"),
    ],
)
def test_who_does_not_finish_ends_in_what_became_of_it(outcome: str, fits: bool, after: str) -> None:
    (mine,) = changes(a_device(0, outcome=outcome, fits=fits, **spent(3.0, 0.0, 0.0)))
    assert mine == [(0.0, "download"), (3.0, after)]


@given(a_few_devices, st.tuples(*[st.integers(1, 5)] * 3))
def test_changes_ascend_and_working_lasts_as_long_as_was_spent(given_devices, inner) -> None:
    devices = [
        a_device(i, group=group, inner_rounds=inner[group], fits=fits, **spent(down, compute, up))
        for i, (group, down, compute, up, fits) in enumerate(given_devices)
    ]
    for device, mine in zip(devices, timelines(round_devices(1, devices)), strict=True):
        moments = [change.seconds for change in mine]
        assert moments == sorted(moments)
        assert mine[-1].activity.value in ("wait", "out of memory")
        working = sum(
            after.seconds - change.seconds
            for change, after in pairwise(mine)
            if change.activity.value not in ("wait", "out of memory")
        )
        spent_in_all = device.download_seconds + device.compute_seconds + device.upload_seconds
        assert working == pytest.approx(spent_in_all, rel=1e-6, abs=1e-6)

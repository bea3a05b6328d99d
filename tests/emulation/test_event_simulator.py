"""Devices that share a cell's air, by hand; and the event-driven walk against the one without events."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedray.emulation.event_simulator import build_timeline
from fedray.emulation.round_work import RoundWork, Timeline
from fedray.emulation.shared_channel import SharedChannel
from fedray.environment.links import LinkDirection
from tests.emulation.rounds import truth


def round_work(mbps: list[float], computing: list[float], cells: list[int], **changes: object) -> RoundWork:
    """Devices that each receive and send a megabyte, in one group, without latency."""
    count = len(mbps)
    direction = LinkDirection.steady(np.array(mbps), np.zeros(count))
    made = RoundWork(
        devices=np.arange(count),
        group=np.zeros(count, np.int64),
        groups=1,
        inner_rounds=np.ones(count, np.int64),
        down_bytes=np.full(count, 1_000_000),
        up_bytes=np.full(count, 1_000_000),
        computing=np.array(computing),
        conditions=replace(truth(), down=direction, up=direction, cells=np.array(cells)),
        started=0.0,
        fits=np.ones(count, np.bool_),
        stays=np.ones(count, np.bool_),
    )
    return replace(made, **changes)


def test_two_in_the_air_take_turns_until_one_is_through() -> None:
    """Alone 1 s and 3 s; together the near one is through after 2 s, and the far one has 2 s left."""
    channel = SharedChannel()
    channel.begin(0.0, 0, 1.0)
    channel.begin(0.0, 1, 3.0)
    assert (channel.next_end(), channel.end()) == (2.0, 0)
    assert (channel.next_end(), channel.end()) == (4.0, 1)
    assert channel.next_end() == np.inf


def test_a_far_device_slows_a_near_one_and_uploads_share_with_downloads() -> None:
    """8 Mb/s and 2 Mb/s: a megabyte alone takes 1 s and 4 s. The near one computes 1 s, the far one nothing.

    Until 2 s they share: the near has its download, the far 1 s of its 4. From 2 to 3 the far is alone (2 of 4), from 3
    on the near uploads: through at 5, when the far has 3 of 4; alone again, it has its download at 6 and ends at 10.
    """
    timeline = build_timeline(round_work([8.0, 2.0], [1.0, 0.0], [0, 0]))
    (times,) = timeline.inner_rounds
    assert times.download == pytest.approx([2.0, 6.0])
    assert times.upload == pytest.approx([2.0, 4.0])
    assert timeline.ends == pytest.approx([5.0, 10.0])


def test_another_cell_and_a_link_of_its_own_are_undisturbed() -> None:
    timeline = build_timeline(round_work([8.0, 8.0, 8.0, 8.0], [0.0] * 4, [0, 0, 1, -1]))
    assert timeline.ends == pytest.approx([4.0, 4.0, 2.0, 2.0])


def test_the_air_is_never_idle_and_never_more_than_full() -> None:
    """Everything that 10 devices of one cell move takes exactly as long as one after the other."""
    rng = np.random.default_rng(1)
    mbps = rng.uniform(1, 30, 10)
    timeline = build_timeline(round_work(mbps.tolist(), [0.0] * 10, [0] * 10))
    assert timeline.ends.max() == pytest.approx(2 * (8 / mbps).sum())


some = st.floats(0.5, 30.0)


def same(one: Timeline, other: Timeline) -> None:
    assert one.ends == pytest.approx(other.ends)
    assert len(one.inner_rounds) == len(other.inner_rounds)
    for mine, theirs in zip(one.inner_rounds, other.inner_rounds, strict=True):
        for column in ("begins", "download", "compute", "upload"):
            expected = np.where(theirs.taking, getattr(theirs, column), 0.0)
            assert np.where(mine.taking, getattr(mine, column), 0.0) == pytest.approx(expected), column


@given(
    st.lists(st.tuples(some, some, st.integers(0, 1), st.booleans(), st.booleans()), min_size=2, max_size=6),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
)
def test_a_cell_of_ones_own_is_no_cell(devices, inner_rounds) -> None:
    """Oracle: the walk without events; groups, inner rounds, failing and leaving members included."""
    mbps, computing, group, fits, stays = map(list, zip(*devices, strict=True))
    alone = round_work(
        mbps,
        computing,
        [-1] * len(mbps),
        group=np.array(group),
        groups=2,
        inner_rounds=np.array(inner_rounds)[group],
        fits=np.array(fits),
        stays=np.array(stays),
    )
    cells = replace(alone.conditions, cells=np.arange(len(mbps)))
    same(build_timeline(replace(alone, conditions=cells)), build_timeline(alone))


def test_sharing_only_ever_costs_time() -> None:
    rng = np.random.default_rng(2)
    mbps, computing = rng.uniform(1, 30, 40), rng.uniform(0, 5, 40)
    alone = build_timeline(round_work(mbps.tolist(), computing.tolist(), [-1] * 40))
    shared = build_timeline(round_work(mbps.tolist(), computing.tolist(), (np.arange(40) // 8).tolist()))
    assert (shared.ends >= alone.ends - 1e-9).all()
    assert shared.ends.max() > 1.5 * alone.ends.max()

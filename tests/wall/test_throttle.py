"""Devices held to their time and memory, on a clock that the tests move."""

from math import inf

import pytest

from fedray.wall.phase_targets import PhaseTargets
from fedray.wall.throttle import CutShortError, Throttle


class Clock:
    """Time that passes only while work or sleep is simulated."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def keeper_of(clock: Clock, dilation: float = 1.0, stops: float = inf, memory: float = 1e9) -> Throttle:
    """Download 1 s, four steps of 2 s each, upload 3 s."""
    targets = PhaseTargets(1.0, 8.0, 3.0, stops, memory)
    return Throttle(targets, 4, clock.now, dilation, lambda: clock.now, clock.sleep)


def carry_out(clock: Clock, throttle: Throttle, work: tuple[float, ...]) -> None:
    """Seconds of work on the wall: receiving, four steps, sending."""
    clock.now += work[0]
    throttle.downloaded()
    for seconds in work[1:5]:
        clock.now += seconds
        throttle.stepped()
    clock.now += work[5]
    throttle.uploaded()


def test_whoever_is_early_sleeps_once_per_transfer_and_step() -> None:
    clock = Clock()
    throttle = keeper_of(clock)
    carry_out(clock, throttle, (0.25, 0.5, 0.5, 0.5, 0.5, 0.25))
    assert clock.slept == pytest.approx([0.75, 1.5, 1.5, 1.5, 1.5, 2.75])
    enforced = throttle.enforced()
    seconds = (enforced.download_seconds, enforced.compute_seconds, enforced.upload_seconds, enforced.end_seconds)
    assert seconds == pytest.approx((1.0, 8.0, 3.0, 12.0))
    assert enforced.overloads == 0


def test_an_emulated_second_takes_the_dilation() -> None:
    clock = Clock()
    throttle = keeper_of(clock, dilation=10.0)
    carry_out(clock, throttle, (5.0, 15.0, 15.0, 15.0, 15.0, 5.0))
    assert clock.now == pytest.approx(100.0 + 120.0)
    enforced = throttle.enforced()
    assert (enforced.compute_seconds, enforced.end_seconds) == pytest.approx((8.0, 12.0))
    assert enforced.overloads == 0


def test_a_late_step_counts_and_the_next_catches_up() -> None:
    clock = Clock()
    throttle = keeper_of(clock)
    carry_out(clock, throttle, (0.0, 3.5, 0.25, 0.0, 0.0, 0.0))
    assert clock.slept == pytest.approx([1.0, 0.25, 2.0, 2.0, 3.0])  # the second step made up what the first was late
    enforced = throttle.enforced()
    assert (enforced.compute_seconds, enforced.end_seconds) == pytest.approx((8.0, 12.0))
    assert enforced.overloads == 1


def test_what_ends_late_is_measured_as_late_and_takes_nothing_from_the_upload() -> None:
    clock = Clock()
    throttle = keeper_of(clock)
    carry_out(clock, throttle, (0.0, 0.0, 0.0, 0.0, 2.5, 0.0))
    enforced = throttle.enforced()
    assert (enforced.compute_seconds, enforced.upload_seconds) == pytest.approx((8.5, 3.0))
    assert enforced.end_seconds == pytest.approx(12.5)
    assert enforced.overloads == 1


@pytest.mark.parametrize(
    ("stops", "expected"), [(0.4, (0.4, 0.0, 0.0)), (4.0, (1.0, 3.0, 0.0)), (10.0, (1.0, 8.0, 1.0))]
)
def test_whoever_is_cut_short_stops_then(stops: float, expected: tuple[float, float, float]) -> None:
    clock = Clock()
    throttle = keeper_of(clock, stops=stops)
    with pytest.raises(CutShortError):
        carry_out(clock, throttle, (0.0,) * 6)
    enforced = throttle.enforced()
    assert (enforced.download_seconds, enforced.compute_seconds, enforced.upload_seconds) == pytest.approx(expected)
    assert enforced.end_seconds == pytest.approx(stops)
    assert enforced.overloads == 0


def test_whoever_should_have_stopped_before_is_late() -> None:
    clock = Clock()
    throttle = keeper_of(clock, stops=4.0)
    clock.now += 1.0
    throttle.downloaded()
    clock.now += 5.0
    throttle.stepped()  # was to end before the stop, and has not
    with pytest.raises(CutShortError):
        throttle.stepped()
    assert throttle.enforced().end_seconds == pytest.approx(6.0)
    assert throttle.enforced().overloads == 2


def test_more_than_the_device_has_is_an_out_of_memory() -> None:
    throttle = keeper_of(Clock(), memory=2e6)
    throttle.holds(2_000_000)
    with pytest.raises(MemoryError, match=r"2\.5 MB of the device's 2\.0"):
        throttle.holds(2_500_000)
    assert throttle.enforced().memory_bytes == 2_500_000

"""A round's events against hand-worked numbers."""

from dataclasses import replace

import numpy as np
import pytest

from fedray.environment.links import OffsetTrace
from fedray.environment.traces import of_rates
from fedray.protocol import Assignment, Group, Plan
from tests.emulation.rounds import PRICING, SPEC, a_plan, simulate, truth


def test_download_compute_upload_wait_by_hand() -> None:
    schedule = simulate(a_plan(1, 1, 4), truth(), PRICING, 0.0)
    # depth 1: 64 + 27 floats; depth 4: 256 + 27
    assert schedule.bytes_down.tolist() == [364, 364, 1132]
    assert schedule.download_seconds[0] == pytest.approx(364 * 8 / 1e5)
    assert schedule.download_seconds[2] == pytest.approx(0.5 + 1132 * 8 / 1e5)
    # 3 steps of 4 layers forward, one backward, LoRA 3 * 4096, head 288
    flops = 3 * (65536 * 4 + 81920 + 3 * 4096 + 288)
    assert schedule.compute_seconds[:2] == pytest.approx([flops / 1e6, flops / 2e6])
    assert schedule.upload_seconds[0] == pytest.approx(364 * 8 / 5e4)
    assert schedule.round_seconds == schedule.busy_seconds.max()
    assert schedule.waiting_seconds.min() == 0
    assert schedule.waiting_seconds == pytest.approx(schedule.round_seconds - schedule.busy_seconds)
    # 1 W at rest all the round long, 9 W more while computing, 4 W more while the radio works
    radio = 4 * (364 * 8 / 1e5 + 364 * 8 / 5e4)
    assert schedule.joules[0] == pytest.approx(schedule.round_seconds + 9 * flops / 1e6 + radio)
    assert schedule.working_joules[0] == pytest.approx(schedule.busy_seconds[0] + 9 * flops / 1e6 + radio)


def test_who_waits_draws_its_idle_watts_until_the_round_is_over() -> None:
    """Device 2 is last; device 1 rests for as long as it waits. One that lacks memory is in no account after that."""
    schedule = simulate(a_plan(1, 1, 4), truth(), PRICING, 0.0)
    assert schedule.resting_seconds == pytest.approx(schedule.waiting_seconds)
    assert schedule.joules - schedule.working_joules == pytest.approx([1, 1, 2] * schedule.waiting_seconds)
    lacking = simulate(a_plan(4, 4, 1), truth((1.0, 1e9, 1e9)), PRICING, 0.0)
    download = lacking.download_seconds[0]
    assert lacking.joules[0] == pytest.approx(download + 4 * download)  # 1 W idle and 4 W of the radio


def test_who_runs_out_of_memory_downloads_and_sends_nothing_and_nobody_waits() -> None:
    all_fit = simulate(a_plan(4, 4, 1), truth(), PRICING, 0.0)
    schedule = simulate(a_plan(4, 4, 1), truth((1.0, 1e9, 1e9)), PRICING, 0.0)
    assert schedule.fits.tolist() == [False, True, True]
    assert schedule.bytes_up[0] == 0
    assert schedule.bytes_down[0] == 1132
    assert schedule.upload_seconds[0] == schedule.compute_seconds[0] == 0
    assert schedule.round_seconds == schedule.busy_seconds[1:].max() < all_fit.round_seconds
    assert schedule.waiting_seconds[0] == 0
    assert [a.device for a in schedule.finishing(a_plan(4, 4, 1))] == [1, 2]
    assert [report.device for report in schedule.reports({})] == [1, 2]


def test_nobody_fits() -> None:
    schedule = simulate(a_plan(4, 4, 4), truth((1.0, 1.0, 1.0)), PRICING, 0.0)
    assert schedule.round_seconds == schedule.download_seconds.max()
    assert schedule.mean_waiting_seconds == 0
    assert schedule.reports({}) == []


def test_what_the_server_measures_is_what_it_could_time() -> None:
    schedule = simulate(a_plan(1, 2, 4), truth(), PRICING, 0.0)
    reports = schedule.reports({0: 1.5, 1: 1.2})
    works = [PRICING.work(SPEC.deepest(depth), 3) for depth in (1, 2, 4)]
    for report, work, compute in zip(reports, works, schedule.compute_seconds, strict=True):
        assert report.layer_seconds * work.layer_passes == pytest.approx(compute)
    assert reports[0].down_mbps == pytest.approx(0.1)
    assert reports[2].down_mbps < 0.1  # latency counts
    assert reports[0].loss == 1.5
    assert np.isnan(reports[2].loss)


def test_groups_keep_their_own_time_and_inner_rounds_repeat_the_transfers() -> None:
    plain = simulate(a_plan(1, 1, 4), truth(), PRICING, 0.0)
    assignments = tuple(Assignment(i, int(i > 0), SPEC.deepest(d), 3, 1) for i, d in enumerate((1, 1, 4)))
    grouped = simulate(Plan(assignments, (Group(0, (0,), 3), Group(1, (1, 2)))), truth(), PRICING, 0.0)
    assert grouped.compute_seconds == pytest.approx(plain.compute_seconds)
    assert grouped.download_seconds == pytest.approx(plain.download_seconds * [3, 1, 1])
    assert grouped.upload_seconds == pytest.approx(plain.upload_seconds * [3, 1, 1])
    assert grouped.bytes_up.tolist() == [3 * 364, 364, 1132]
    assert grouped.bytes_down.tolist() == [3 * 364, 364, 1132]
    assert grouped.up_mbps == pytest.approx(plain.up_mbps)
    longer = grouped.round_seconds - plain.round_seconds
    assert grouped.joules[0] - plain.joules[0] == pytest.approx(2 * 4 * (364 * 8 / 1e5 + 364 * 8 / 5e4) + longer)


def test_a_member_without_the_memory_downloads_once() -> None:
    assignments = tuple(Assignment(i, 0, SPEC, 3, 1) for i in range(3))
    schedule = simulate(Plan(assignments, (Group(0, (0, 1, 2), 3),)), truth((1.0, 1e9, 1e9)), PRICING, 0.0)
    assert schedule.bytes_down.tolist() == [1132, 3 * 1132, 3 * 1132]
    assert schedule.bytes_up[0] == 0


def test_a_fade_lasts_for_whom_it_meets_and_inner_rounds_wait_for_them() -> None:
    """Device 0 is cut off from second 100 to 200 of the run; both are in one group that aggregates twice."""
    steady = truth()
    fading = of_rates(np.array([100.0, 100.0, 800.0]), np.array([0.1, 0.0, 0.1]))
    timed = (OffsetTrace(fading, 0.0, 1.0), None, None)
    faded = replace(steady, down=replace(steady.down, timed=timed))
    assignments = tuple(Assignment(i, 0, SPEC.deepest(1), 2, 1) for i in range(2))
    plan = Plan(assignments, (Group(0, (0, 1), 2),))
    calm = simulate(plan, faded, PRICING, 0.0)
    assert calm.round_seconds < 100
    assert calm.end_seconds == pytest.approx(simulate(plan, steady, PRICING, 0.0).end_seconds)
    met = simulate(plan, faded, PRICING, 100.0 - 364 * 8 / 1e5 / 2)  # half of its first download is through
    assert met.download_seconds == pytest.approx(calm.download_seconds + np.array([100, 0]))
    assert met.round_seconds == pytest.approx(calm.round_seconds + 100)
    assert met.waiting_seconds == pytest.approx(calm.waiting_seconds + np.array([0, 100]))


def test_a_group_of_unequal_inner_rounds_takes_the_sum_of_its_slowest() -> None:
    """Device 0 is cut off in the first inner round, device 1 in the second: the group pays for both."""
    steady = truth()
    plan = Plan(tuple(Assignment(i, 0, SPEC.deepest(1), 2, 1) for i in range(2)), (Group(0, (0, 1), 2),))
    once, other = simulate(plan, steady, PRICING, 0.0).busy_seconds / 2
    early = of_rates(np.array([50.0, 1000.0]), np.array([0.0, 0.1]))
    late = of_rates(np.array([50.0 + once, 50.0, 1000.0]), np.array([0.1, 0.0, 0.1]))
    timed = (OffsetTrace(early, 0.0, 1.0), OffsetTrace(late, 0.0, 1.0), None)
    schedule = simulate(plan, replace(steady, down=replace(steady.down, timed=timed)), PRICING, 0.0)
    assert schedule.round_seconds == pytest.approx(once + other + 100)
    assert schedule.busy_seconds.max() < schedule.round_seconds - 49

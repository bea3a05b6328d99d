"""Devices that do not get through a round, by hand: who stops when, and what is wasted."""

from dataclasses import replace
from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedray.emulation import RoundTermination
from fedray.environment.links import LinkDirection, OffsetTrace
from fedray.environment.traces import of_rates
from fedray.protocol import Assignment, Group, Outcome, Plan
from fedray.scenario.schema import Corruption
from tests.emulation.rounds import PRICING, SPEC, a_plan, simulate, struck, truth

PLAN = a_plan(1, 1, 1)
CALM = simulate(PLAN, truth(), PRICING, 0.0)  # device 0 takes 1.16 s, of which 0.03 down, 1.07 compute, 0.06 up


def test_who_vanishes_is_known_then_and_has_wasted_what_it_did() -> None:
    schedule = simulate(PLAN, struck(vanishes_at=[0.5, np.nan, np.nan]), PRICING, 0.0)
    assert schedule.outcomes == (Outcome.VANISHED, Outcome.FINISHED, Outcome.FINISHED)
    at = CALM.end_seconds[0] / 2
    assert schedule.end_seconds[0] == pytest.approx(at)
    assert schedule.compute_seconds[0] == pytest.approx(at - CALM.download_seconds[0])
    assert (schedule.bytes_down[0], schedule.bytes_up[0], schedule.wasted_bytes[0]) == (364, 0, 364)
    assert schedule.wasted_seconds == pytest.approx([at, 0, 0])
    radio, board = 5 * CALM.download_seconds[0], 10 * schedule.compute_seconds[0]
    assert schedule.wasted_joules[0] == pytest.approx(radio + board) == pytest.approx(schedule.joules[0])
    assert schedule.round_seconds == CALM.round_seconds  # device 2's
    assert [assignment.device for assignment in schedule.finishing(PLAN)] == [1, 2]


def test_a_download_cut_in_the_middle_counts_the_bytes_that_were_through() -> None:
    share = 0.25 * CALM.download_seconds[0] / CALM.end_seconds[0]
    schedule = simulate(PLAN, struck(vanishes_at=[share, np.nan, np.nan]), PRICING, 0.0)
    assert (schedule.bytes_down[0], schedule.compute_seconds[0]) == (364 // 4, 0)


def test_no_byte_passes_in_the_latency() -> None:
    """Device 2's links have half a second of it: nothing was through at 0.4 s, half of its bytes at the middle."""
    moving = CALM.download_seconds[2] - 0.5
    for at, through in ((0.4, 0), (0.5 + moving / 2, 364 // 2)):
        schedule = simulate(PLAN, truth(), PRICING, 0.0, leaves=(inf, inf, at))
        assert schedule.bytes_down[2] == through
        assert schedule.wasted_bytes[2] == through


def test_bytes_cut_in_a_trace_are_those_it_let_through() -> None:
    """0.02 Mb/s for a hundredth of a second, then nothing, then all: 25 bytes until the fade ends."""
    fading = of_rates(np.array([0.01, 5.0, 100.0]), np.array([0.02, 0.0, 1.0]))
    direction = replace(truth().down, timed=(OffsetTrace(fading, 0.0, 1.0), None, None))
    for at, through in ((0.005, 12), (3.0, 25), (5.0105, 87)):
        cut = simulate(PLAN, replace(truth(), down=direction), PRICING, 0.0, leaves=(at, inf, inf))
        assert cut.bytes_down[0] == through


def test_a_transfer_meets_its_trace_after_its_latency() -> None:
    """Half a second of latency, and the trace is silent from 0.2 s to 1 s: 0.5 s of that are left to wait."""
    silent = of_rates(np.array([0.2, 0.8, 100.0]), np.array([1.0, 0.0, 0.1]))
    direction = LinkDirection(np.full(3, np.nan), np.full(3, 0.5), (OffsetTrace(silent, 0.0, 1.0), None, None))
    conditions = replace(truth(), down=replace(direction, mbps=np.full(3, 0.1)))
    whole = simulate(PLAN, conditions, PRICING, 0.0)
    assert whole.download_seconds[0] == pytest.approx(0.5 + 0.5 + 364 * 8 / 1e5)
    cut = simulate(PLAN, conditions, PRICING, 0.0, leaves=(1.01, inf, inf))
    assert cut.bytes_down[0] == 125  # a hundredth of a second at 0.1 Mb/s


def test_going_offline_cuts_too_whenever_the_round_began() -> None:
    cut = CALM.end_seconds[0] / 3
    schedule = simulate(PLAN, truth(), PRICING, 1000.0, (1000.0 + cut, np.inf, np.inf))
    assert schedule.outcomes[0] is Outcome.VANISHED
    assert schedule.end_seconds[0] == pytest.approx(cut)


def test_an_empty_battery_stops_a_device_when_its_joules_are_spent() -> None:
    """5 W while downloading, 10 W while computing: half of those joules are charged, charging pays 2 W."""
    download, compute = CALM.download_seconds[0], CALM.compute_seconds[0]
    joules = 5 * download + 10 * compute / 2
    schedule = simulate(PLAN, truth(), PRICING, 0.0, charge=(joules, inf, inf))
    assert schedule.outcomes[0] is Outcome.BATTERY_EMPTY
    assert schedule.compute_seconds[0] == pytest.approx(compute / 2)
    assert schedule.joules[0] == pytest.approx(joules) == pytest.approx(schedule.wasted_joules[0])
    charged = simulate(PLAN, truth(), PRICING, 0.0, charge=(joules, inf, inf), charging=2.0)
    at = (joules - 3 * download) / 8  # computing drains 8 W net of what the download left
    assert charged.compute_seconds[0] == pytest.approx(at)
    assert simulate(PLAN, truth(), PRICING, 0.0, charge=(CALM.working_joules[0] * 1.001, inf, inf)).finished.all()


def test_a_battery_that_ends_while_its_device_waits_costs_no_update_and_pays_no_more_than_it_has() -> None:
    """Device 1 is through first and rests at 1 W: half a second of that is left, or a second if half is charged."""
    waits = CALM.waiting_seconds[1]
    half = CALM.working_joules[1] + 0.1 * waits
    schedule = simulate(PLAN, truth(), PRICING, 0.0, charge=(inf, half, inf))
    assert schedule.finished.all()
    assert schedule.resting_seconds[1] == pytest.approx(0.1 * waits)
    assert schedule.joules[1] == pytest.approx(half)
    charged = simulate(PLAN, truth(), PRICING, 0.0, charge=(inf, half, inf), charging=0.5)
    had = 0.1 * waits + 0.5 * CALM.end_seconds[1]
    assert charged.resting_seconds[1] == pytest.approx(min(waits, had / 0.5))


def test_waiting_between_inner_rounds_can_empty_a_battery() -> None:
    """Device 1 has all it needs to work, and nothing for the seconds in which it waits for device 0."""
    plan = Plan(tuple(Assignment(i, 0, SPEC.deepest(1), 2, 1) for i in range(2)), (Group(0, (0, 1), 2),))
    calm = simulate(plan, truth(), PRICING, 0.0)
    busy = calm.working_joules[1] - (calm.end_seconds[1] - calm.busy_seconds[1])  # 1 W of waiting
    half_way = calm.busy_seconds[1] / 2
    schedule = simulate(plan, truth(), PRICING, 0.0, charge=(inf, busy / 2 + 1e-4, inf))
    assert schedule.outcomes[1] is Outcome.BATTERY_EMPTY
    assert schedule.end_seconds[1] == pytest.approx(half_way + 1e-4)
    assert schedule.resting_seconds[1] == 0


def test_of_two_ends_the_earlier_has_the_name() -> None:
    vanishing = struck(vanishes_at=[0.1, np.nan, np.nan])
    joules = 5 * CALM.download_seconds[0] + 10 * CALM.compute_seconds[0] / 2
    assert simulate(PLAN, vanishing, PRICING, 0.0, charge=(joules, inf, inf)).outcomes[0] is Outcome.VANISHED
    assert simulate(PLAN, vanishing, PRICING, 0.0, charge=(0.01, inf, inf)).outcomes[0] is Outcome.BATTERY_EMPTY


def test_in_a_group_of_inner_rounds_waiting_charges_a_battery() -> None:
    """Device 1 waits for device 0 between two inner rounds; what is charged then carries it through the second."""
    plan = Plan(tuple(Assignment(i, 0, SPEC.deepest(1), 2, 1) for i in range(2)), (Group(0, (0, 1), 2),))
    calm = simulate(plan, truth(), PRICING, 0.0)
    short = (inf, 0.9 * calm.working_joules[1])
    assert simulate(plan, truth(), PRICING, 0.0, charge=short).outcomes[1] is Outcome.BATTERY_EMPTY
    enough = 0.1 * calm.working_joules[1] / calm.end_seconds[1] * 1.01
    assert simulate(plan, truth(), PRICING, 0.0, charge=short, charging=enough).finished.all()


def test_a_lost_upload_is_waited_for_and_wasted_whole() -> None:
    schedule = simulate(PLAN, struck(upload_lost=[True, False, False]), PRICING, 0.0)
    assert schedule.outcomes[0] is Outcome.UPLOAD_LOST
    assert schedule.round_seconds == CALM.round_seconds
    assert schedule.bytes_up[0] == 364
    assert schedule.wasted_bytes.tolist() == [2 * 364, 0, 0]
    assert schedule.wasted_joules[0] == pytest.approx(CALM.working_joules[0])


def test_a_crash_costs_what_was_computed_and_the_reboot() -> None:
    schedule = simulate(PLAN, struck(crashes_at=[0.5, np.nan, np.nan], reboot_seconds=[7.0, 0, 0]), PRICING, 0.0)
    assert schedule.outcomes[0] is Outcome.FINISHED
    extra = 0.5 * CALM.compute_seconds[0] + 7
    assert schedule.compute_seconds[0] == pytest.approx(CALM.compute_seconds[0] + extra)
    assert schedule.wasted_seconds == pytest.approx([extra, 0, 0])
    assert schedule.wasted_joules == pytest.approx([10 * extra, 0, 0])
    assert not schedule.wasted_bytes.any()


def test_a_slowed_device_computes_longer_and_the_server_measures_it() -> None:
    schedule = simulate(PLAN, struck(slowed_by=[3.0, 1, 1]), PRICING, 0.0)
    assert schedule.compute_seconds == pytest.approx(CALM.compute_seconds * [3, 1, 1])
    assert schedule.layer_seconds == pytest.approx(CALM.layer_seconds * [3, 1, 1])
    assert schedule.wasted_seconds.sum() == 0


def test_a_deadline_ends_the_round_and_whoever_is_late_stops_then() -> None:
    deadline = float(np.sort(CALM.end_seconds)[1])
    schedule = simulate(PLAN, truth(), PRICING, 0.0, termination=RoundTermination(deadline))
    assert schedule.outcomes.count(Outcome.LATE) == 1
    late = schedule.outcomes.index(Outcome.LATE)
    assert late == int(CALM.end_seconds.argmax())
    assert schedule.round_seconds == deadline
    assert schedule.busy_seconds[late] == pytest.approx(deadline)
    assert schedule.wasted_seconds[late] == pytest.approx(deadline)
    generous = simulate(PLAN, truth(), PRICING, 0.0, termination=RoundTermination(1e6))
    assert generous.round_seconds == CALM.round_seconds
    assert generous.finished.all()


def test_a_deadline_that_nobody_meets_leaves_a_round_without_updates() -> None:
    schedule = simulate(PLAN, truth(), PRICING, 0.0, termination=RoundTermination(1e-3))
    assert schedule.finishing(PLAN) == []
    assert schedule.round_seconds == 1e-3
    assert schedule.mean_waiting_seconds == 0


def test_over_selection_takes_the_first_and_the_lower_id_of_equals() -> None:
    schedule = simulate(PLAN, truth(), PRICING, 0.0, termination=RoundTermination(wanted=2))
    fastest = set(np.argsort(CALM.end_seconds, kind="stable")[:2].tolist())
    assert {int(device) for device in schedule.devices[schedule.finished]} == fastest
    assert schedule.outcomes.count(Outcome.SURPLUS) == 1
    assert schedule.round_seconds == pytest.approx(np.sort(CALM.end_seconds)[1])
    same = replace(truth(), flops_per_second=np.full(3, 1e6), down=LinkDirection.steady(np.full(3, 0.1), np.zeros(3)))
    same = replace(same, up=LinkDirection.steady(np.full(3, 0.05), np.zeros(3)))
    tied = simulate(PLAN, same, PRICING, 0.0, termination=RoundTermination(wanted=2))
    assert tied.outcomes == (Outcome.FINISHED, Outcome.FINISHED, Outcome.SURPLUS)


def test_too_few_updates_for_over_selection_end_the_round_when_all_are_known() -> None:
    schedule = simulate(
        PLAN, struck(vanishes_at=[0.5, 0.5, np.nan]), PRICING, 0.0, termination=RoundTermination(wanted=2)
    )
    assert schedule.outcomes.count(Outcome.FINISHED) == 1
    assert schedule.round_seconds == max(schedule.end_seconds)


def test_only_those_that_finish_send_something_else() -> None:
    lie = Corruption(share=1.0, kind="stale")
    schedule = simulate(PLAN, struck(vanishes_at=[0.5, np.nan, np.nan], corruptions=(lie, lie, None)), PRICING, 0.0)
    assert dict(schedule.corruptions) == {1: lie}


parts = st.tuples(*[st.floats(0.0, 1.0)] * 3)


@given(parts, parts, st.floats(0.0, 5.0), st.integers(1, 3), st.sampled_from([None, 1, 2, 3]))
def test_whatever_happens_the_books_balance(vanish, crash, deadline, inner_rounds, wanted) -> None:
    """Seconds lie within the round, joules are their price, and what is wasted is part of what was spent."""
    rounds = Plan(
        tuple(Assignment(i, 0, SPEC.deepest(1), 3, 1) for i in range(3)), (Group(0, (0, 1, 2), inner_rounds),)
    )
    never = np.array([x if x > 0.6 else np.nan for x in vanish])
    conditions = struck(vanishes_at=never, crashes_at=[x if x > 0.5 else np.nan for x in crash])
    schedule = simulate(rounds, conditions, PRICING, 0.0, termination=RoundTermination(deadline or np.inf, wanted))
    assert (schedule.busy_seconds <= schedule.round_seconds + 1e-9).all()
    assert (schedule.end_seconds <= schedule.round_seconds + 1e-9).all()
    radio = 4 * (schedule.download_seconds + schedule.upload_seconds)
    board = np.array([1, 1, 2]) * schedule.end_seconds + np.array([9, 9, 18]) * schedule.compute_seconds
    assert schedule.working_joules == pytest.approx(board + radio)
    gone = [outcome in (Outcome.VANISHED, Outcome.BATTERY_EMPTY) for outcome in schedule.outcomes]
    rested = np.where(gone, 0.0, schedule.round_seconds - schedule.end_seconds)
    assert schedule.joules == pytest.approx(board + radio + np.array([1, 1, 2]) * rested)
    assert (schedule.wasted_seconds <= schedule.busy_seconds + 1e-9).all()
    assert (schedule.wasted_joules <= schedule.joules + 1e-9).all()
    assert (schedule.bytes_down <= inner_rounds * 364).all()
    assert (schedule.bytes_up[schedule.finished] == inner_rounds * 364).all()
    assert schedule.finished.sum() <= (wanted or 3)
    assert not schedule.finished[~np.isnan(never)].any()


@given(st.tuples(*[st.floats(0.0, 20.0)] * 3), st.floats(0.0, 3.0), st.integers(1, 3))
def test_a_battery_never_pays_more_than_it_had_and_what_was_charged(charge, charging, inner_rounds) -> None:
    rounds = Plan(
        tuple(Assignment(i, 0, SPEC.deepest(1), 3, 1) for i in range(3)), (Group(0, (0, 1, 2), inner_rounds),)
    )
    schedule = simulate(rounds, truth(), PRICING, 0.0, charge=charge, charging=charging)
    left = np.array(charge) + charging * schedule.round_seconds - schedule.joules
    assert (left >= -1e-9 * (1 + np.array(charge))).all()

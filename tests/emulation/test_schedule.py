"""A round's events against hand-worked numbers."""

from dataclasses import replace
from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedray.adapters import AdapterSpec
from fedray.costs import Pricing
from fedray.emulation import Limits, Outcome, Rules, Schedule
from fedray.emulation import simulate as simulate_all
from fedray.fleet import Conditions
from fedray.fleet.faults import Mishaps
from fedray.fleet.links import Lane, Timed
from fedray.fleet.traces import of_rates
from fedray.protocol import Assignment, Group, Plan
from fedray.scenario.schema import Corruption
from tests.shapes import shape

PRICING = Pricing(shape(), batch_size=2, sequence_length=16, head="shared")
SPEC = AdapterSpec((2, 2, 2, 2), (0, 1, 2, 3), 1.0)
WAIT_FOR_ALL = Rules()


def truth(memory: tuple[float, ...] = (1e9, 1e9, 1e9)) -> Conditions:
    return Conditions(
        flops_per_second=np.array([1e6, 2e6, 4e6]),
        bytes_per_second=np.full(3, 1e12),  # so much that only arithmetic counts
        launch_seconds=np.zeros(3),
        compute_watts=np.array([10.0, 10.0, 20.0]),
        radio_watts=np.array([4.0, 4.0, 4.0]),
        down=Lane.steady(np.full(3, 0.1), np.array([0.0, 0.0, 0.5])),
        up=Lane.steady(np.full(3, 0.05), np.array([0.0, 0.0, 0.5])),
        cells=np.full(3, -1),
        memory_bytes=np.array(memory),
        mishaps=Mishaps.none(3),
        modes=("a", "b", "c"),
    )


def simulate(
    plan: Plan,
    conditions: Conditions,
    pricing: Pricing,
    started: float,
    leaves: tuple[float, ...] = (inf, inf, inf),
    charge: tuple[float, ...] = (inf, inf, inf),
    charging: float = 0.0,
    rules: Rules = WAIT_FOR_ALL,
) -> Schedule:
    """With everybody online for ever and the server waiting for all, unless said otherwise."""
    count = len(plan.assignments)
    limits = Limits(np.array(leaves[:count]), np.array(charge[:count]), np.full(count, charging))
    return simulate_all(plan, conditions, pricing, started, limits, rules)


def a_plan(*depths: int) -> Plan:
    assignments = tuple(Assignment(i, 0, SPEC.deepest(depth), 3, 1) for i, depth in enumerate(depths))
    return Plan(assignments, (Group(0, tuple(range(len(depths)))),))


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
    assert schedule.joules[0] == pytest.approx(10 * flops / 1e6 + 4 * (364 * 8 / 1e5 + 364 * 8 / 5e4))


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
    assert grouped.joules[0] - plain.joules[0] == pytest.approx(2 * 4 * (364 * 8 / 1e5 + 364 * 8 / 5e4))


def test_a_member_without_the_memory_downloads_once() -> None:
    assignments = tuple(Assignment(i, 0, SPEC, 3, 1) for i in range(3))
    schedule = simulate(Plan(assignments, (Group(0, (0, 1, 2), 3),)), truth((1.0, 1e9, 1e9)), PRICING, 0.0)
    assert schedule.bytes_down.tolist() == [1132, 3 * 1132, 3 * 1132]
    assert schedule.bytes_up[0] == 0


def test_a_fade_lasts_for_whom_it_meets_and_inner_rounds_wait_for_them() -> None:
    """Device 0 is cut off from second 100 to 200 of the run; both are in one group that aggregates twice."""
    steady = truth()
    fading = of_rates(np.array([100.0, 100.0, 800.0]), np.array([0.1, 0.0, 0.1]))
    timed = (Timed(fading, 0.0, 1.0), None, None)
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
    timed = (Timed(early, 0.0, 1.0), Timed(late, 0.0, 1.0), None)
    schedule = simulate(plan, replace(steady, down=replace(steady.down, timed=timed)), PRICING, 0.0)
    assert schedule.round_seconds == pytest.approx(once + other + 100)
    assert schedule.busy_seconds.max() < schedule.round_seconds - 49


def struck(**columns: object) -> Conditions:
    """The usual truth with some mishaps."""
    mishaps = {name: np.array(column) if name != "corruptions" else column for name, column in columns.items()}
    return replace(truth(), mishaps=replace(Mishaps.none(3), **mishaps))


PLAN = a_plan(1, 1, 1)
CALM = simulate(PLAN, truth(), PRICING, 0.0)  # device 0 takes 1.27 s, of which 0.03 down, 1.03 compute, 0.06 up


def test_who_vanishes_is_known_then_and_has_wasted_what_it_did() -> None:
    schedule = simulate(PLAN, struck(vanishes_at=[0.5, np.nan, np.nan]), PRICING, 0.0)
    assert schedule.outcomes == (Outcome.VANISHED, Outcome.FINISHED, Outcome.FINISHED)
    at = CALM.end_seconds[0] / 2
    assert schedule.end_seconds[0] == pytest.approx(at)
    assert schedule.compute_seconds[0] == pytest.approx(at - CALM.download_seconds[0])
    assert (schedule.bytes_down[0], schedule.bytes_up[0], schedule.wasted_bytes[0]) == (364, 0, 364)
    assert schedule.wasted_seconds == pytest.approx([at, 0, 0])
    radio, board = 4 * CALM.download_seconds[0], 10 * schedule.compute_seconds[0]
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
    lane = replace(truth().down, timed=(Timed(fading, 0.0, 1.0), None, None))
    for at, through in ((0.005, 12), (3.0, 25), (5.0105, 87)):
        cut = simulate(PLAN, replace(truth(), down=lane), PRICING, 0.0, leaves=(at, inf, inf))
        assert cut.bytes_down[0] == through


def test_a_transfer_meets_its_trace_after_its_latency() -> None:
    """Half a second of latency, and the trace is silent from 0.2 s to 1 s: 0.5 s of that are left to wait."""
    silent = of_rates(np.array([0.2, 0.8, 100.0]), np.array([1.0, 0.0, 0.1]))
    lane = Lane(np.full(3, np.nan), np.full(3, 0.5), (Timed(silent, 0.0, 1.0), None, None))
    conditions = replace(truth(), down=replace(lane, mbps=np.full(3, 0.1)))
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
    """4 W while downloading, 10 W while computing: half of the computing's joules are there, then charging pays 2 W."""
    download, compute = CALM.download_seconds[0], CALM.compute_seconds[0]
    joules = 4 * download + 10 * compute / 2
    schedule = simulate(PLAN, truth(), PRICING, 0.0, charge=(joules, inf, inf))
    assert schedule.outcomes[0] is Outcome.BATTERY_EMPTY
    assert schedule.compute_seconds[0] == pytest.approx(compute / 2)
    assert schedule.joules[0] == pytest.approx(joules) == pytest.approx(schedule.wasted_joules[0])
    charged = simulate(PLAN, truth(), PRICING, 0.0, charge=(joules, inf, inf), charging=2.0)
    at = (joules - 2 * download) / 8  # computing drains 8 W net of what the download left
    assert charged.compute_seconds[0] == pytest.approx(at)
    assert simulate(PLAN, truth(), PRICING, 0.0, charge=(CALM.joules[0] * 1.001, inf, inf)).finished.all()


def test_of_two_ends_the_earlier_has_the_name() -> None:
    vanishing = struck(vanishes_at=[0.1, np.nan, np.nan])
    joules = 4 * CALM.download_seconds[0] + 10 * CALM.compute_seconds[0] / 2
    assert simulate(PLAN, vanishing, PRICING, 0.0, charge=(joules, inf, inf)).outcomes[0] is Outcome.VANISHED
    assert simulate(PLAN, vanishing, PRICING, 0.0, charge=(0.01, inf, inf)).outcomes[0] is Outcome.BATTERY_EMPTY


def test_in_a_group_of_inner_rounds_waiting_charges_a_battery() -> None:
    """Device 1 waits for device 0 between two inner rounds; what is charged then carries it through the second."""
    plan = Plan(tuple(Assignment(i, 0, SPEC.deepest(1), 2, 1) for i in range(2)), (Group(0, (0, 1), 2),))
    calm = simulate(plan, truth(), PRICING, 0.0)
    short = (inf, 0.9 * calm.joules[1])
    assert simulate(plan, truth(), PRICING, 0.0, charge=short).outcomes[1] is Outcome.BATTERY_EMPTY
    waits = calm.waiting_seconds[1] / 2
    enough = 0.1 * calm.joules[1] / (waits + calm.busy_seconds[1]) * 1.01
    assert simulate(plan, truth(), PRICING, 0.0, charge=short, charging=enough).finished.all()


def test_a_lost_upload_is_waited_for_and_wasted_whole() -> None:
    schedule = simulate(PLAN, struck(upload_lost=[True, False, False]), PRICING, 0.0)
    assert schedule.outcomes[0] is Outcome.UPLOAD_LOST
    assert schedule.round_seconds == CALM.round_seconds
    assert schedule.bytes_up[0] == 364
    assert schedule.wasted_bytes.tolist() == [2 * 364, 0, 0]
    assert schedule.wasted_joules[0] == pytest.approx(CALM.joules[0])


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
    schedule = simulate(PLAN, truth(), PRICING, 0.0, rules=Rules(deadline))
    assert schedule.outcomes.count(Outcome.LATE) == 1
    late = schedule.outcomes.index(Outcome.LATE)
    assert late == int(CALM.end_seconds.argmax())
    assert schedule.round_seconds == deadline
    assert schedule.busy_seconds[late] == pytest.approx(deadline)
    assert schedule.wasted_seconds[late] == pytest.approx(deadline)
    generous = simulate(PLAN, truth(), PRICING, 0.0, rules=Rules(1e6))
    assert generous.round_seconds == CALM.round_seconds
    assert generous.finished.all()


def test_a_deadline_that_nobody_meets_leaves_a_round_without_updates() -> None:
    schedule = simulate(PLAN, truth(), PRICING, 0.0, rules=Rules(1e-3))
    assert schedule.finishing(PLAN) == []
    assert schedule.round_seconds == 1e-3
    assert schedule.mean_waiting_seconds == 0


def test_over_selection_takes_the_first_and_the_lower_id_of_equals() -> None:
    schedule = simulate(PLAN, truth(), PRICING, 0.0, rules=Rules(wanted=2))
    fastest = set(np.argsort(CALM.end_seconds, kind="stable")[:2].tolist())
    assert {int(device) for device in schedule.devices[schedule.finished]} == fastest
    assert schedule.outcomes.count(Outcome.SURPLUS) == 1
    assert schedule.round_seconds == pytest.approx(np.sort(CALM.end_seconds)[1])
    same = replace(truth(), flops_per_second=np.full(3, 1e6), down=Lane.steady(np.full(3, 0.1), np.zeros(3)))
    same = replace(same, up=Lane.steady(np.full(3, 0.05), np.zeros(3)))
    tied = simulate(PLAN, same, PRICING, 0.0, rules=Rules(wanted=2))
    assert tied.outcomes == (Outcome.FINISHED, Outcome.FINISHED, Outcome.SURPLUS)


def test_too_few_updates_for_over_selection_end_the_round_when_all_are_known() -> None:
    schedule = simulate(PLAN, struck(vanishes_at=[0.5, 0.5, np.nan]), PRICING, 0.0, rules=Rules(wanted=2))
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
    schedule = simulate(rounds, conditions, PRICING, 0.0, rules=Rules(deadline or np.inf, wanted))
    assert (schedule.busy_seconds <= schedule.round_seconds + 1e-9).all()
    assert (schedule.end_seconds <= schedule.round_seconds + 1e-9).all()
    radio = 4 * (schedule.download_seconds + schedule.upload_seconds)
    assert schedule.joules == pytest.approx(np.array([10, 10, 20]) * schedule.compute_seconds + radio)
    assert (schedule.wasted_seconds <= schedule.busy_seconds + 1e-9).all()
    assert (schedule.wasted_joules <= schedule.joules + 1e-9).all()
    assert (schedule.bytes_down <= inner_rounds * 364).all()
    assert (schedule.bytes_up[schedule.finished] == inner_rounds * 364).all()
    assert schedule.finished.sum() <= (wanted or 3)
    assert not schedule.finished[~np.isnan(never)].any()

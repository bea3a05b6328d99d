"""Updates in flight between server steps, by hand."""

import numpy as np
import pytest

from fedray.adapters import AdapterSpec
from fedray.emulation.in_flight import InFlightUpdates
from fedray.protocol import Outcome, ServerState
from tests.emulation.rounds import PRICING, a_plan, simulate, struck, truth

BASE, LATER = (ServerState(AdapterSpec((1,), (0,), 1.0), np.full(1, value, np.float32)) for value in (0.0, 1.0))


def in_flight(ends: list[float], round_faults: dict | None = None, version: int = 0) -> InFlightUpdates:
    """Three devices of one version that end at these times."""
    plan = a_plan(1, 1, 1)
    schedule = simulate(plan, struck(**round_faults) if round_faults else truth(), PRICING, 0.0)
    made = InFlightUpdates.dispatched(plan.dispatched_from(version), schedule, BASE, 0.0)
    return InFlightUpdates(made.assignments, made.schedule, np.array(ends), made.bases)


def test_updates_arrive_when_their_schedule_does_after_they_began() -> None:
    plan = a_plan(1, 1, 1)
    schedule = simulate(plan, truth(), PRICING, 100.0)
    made = InFlightUpdates.dispatched(plan.dispatched_from(7), schedule, BASE, 100.0)
    assert made.ends == pytest.approx(100 + schedule.end_seconds)
    assert made.bases == {7: BASE}


def test_a_step_happens_with_enough_updates_and_the_rest_stays_in_flight() -> None:
    server_step, left = in_flight([30.0, 10.0, 20.0]).next_server_step(2, 5.0)
    assert server_step.seconds == 20.0
    assert [one.device for one in server_step.plan.assignments] == [1, 2]
    assert server_step.schedule.waiting_seconds.tolist() == [10.0, 0.0]
    assert server_step.schedule.round_seconds == 15.0
    works, idle = server_step.schedule.working_joules, server_step.schedule.idle_watts
    assert server_step.schedule.joules.tolist() == [works[0] + idle[0] * 10.0, works[1]]
    assert [one.device for one in left.assignments] == [0]
    last, none_left = left.next_server_step(2, 20.0)  # fewer than wanted: with all there are
    assert (last.seconds, none_left) == (30.0, None)


def test_of_equals_the_lower_device_is_first() -> None:
    server_step, left = in_flight([10.0, 10.0, 10.0]).next_server_step(1, 0.0)
    assert [one.device for one in server_step.plan.assignments] == [0]
    assert [one.device for one in left.assignments] == [1, 2]


def test_who_failed_until_then_is_done_too_and_sends_nothing() -> None:
    gone = {"vanishes_at": [0.5, 0.5, np.nan]}
    server_step, left = in_flight([5.0, 50.0, 20.0], gone).next_server_step(1, 0.0)
    assert [one.device for one in server_step.plan.assignments] == [0, 2]
    assert server_step.schedule.outcomes == (Outcome.VANISHED, Outcome.FINISHED)
    assert [one.device for one in server_step.schedule.finishing(server_step.plan)] == [2]
    assert [one.device for one in left.assignments] == [1]
    nothing, none_left = left.next_server_step(1, 20.0)
    assert (nothing.seconds, none_left) == (50.0, None)
    assert nothing.schedule.finishing(nothing.plan) == []


def test_versions_arrive_together_and_know_their_base() -> None:
    plan = a_plan(1, 1, 1)
    schedule = simulate(plan, truth(), PRICING, 0.0)
    server_step, left = InFlightUpdates.dispatched(plan.dispatched_from(3), schedule, BASE, 0.0).next_server_step(
        1, 0.0
    )
    first = server_step.plan.assignments[0].device
    again = a_plan(1, 1, 1)
    only = type(again)(tuple(one for one in again.assignments if one.device == first), again.groups)
    again_schedule = simulate(only, truth(), PRICING, 50.0)
    both = left.joined(InFlightUpdates.dispatched(only.dispatched_from(4), again_schedule, LATER, 50.0))
    assert [one.device for one in both.assignments] == [0, 1, 2]
    assert [one.base_version for one in both.assignments] == [4 if device == first else 3 for device in range(3)]
    ends = {one.device: end for one, end in zip(left.assignments, left.ends, strict=True)}
    ends[first] = 50 + simulate(only, truth(), PRICING, 50.0).end_seconds[0]
    assert both.ends.tolist() == [ends[device] for device in range(3)]
    assert both.bases == {3: BASE, 4: LATER}
    everything, none_left = both.next_server_step(3, 50.0)
    assert none_left is None
    assert [(group.id, len(group.devices)) for group in everything.plan.groups] == [(0, 3)]
    assert everything.bases == {3: BASE, 4: LATER}

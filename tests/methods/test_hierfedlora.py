"""HierFedLoRA: groups keep memory and traffic, and learn which choice pays."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedray.methods.hierfedlora import HierFedLoRA, Trial
from fedray.protocol import DeviceReport
from tests.methods.fleets import PRICING, STEPS, build, memory_of, small_boards, views


@settings(deadline=None, max_examples=40)
@given(views(), st.integers(1, 6), st.floats(0.3, 2.0))
def test_hierfedloras_groups_keep_memory_and_traffic(view, groups, budget) -> None:
    method = build("hierfedlora", 20, groups=groups, traffic_budget=budget)
    assert isinstance(method, HierFedLoRA)
    plan = method.plan(view)
    assert len(plan.groups) <= min(groups, len(view.devices))
    whole = PRICING.work(method.adapter(), STEPS)
    exchange = whole.download_bytes + whole.upload_bytes
    memory = dict(zip(view.devices.tolist(), view.memory_bytes, strict=True))
    for group in plan.groups:
        mine = [a for a in plan.assignments if a.group == group.id]
        assert len({a.spec for a in mine}) == 1
        work = PRICING.work_of(mine[0])
        choice = (group.inner_rounds, mine[0].spec.depth)
        assert group.inner_rounds in (1, 2, 4)
        assert (
            choice == (1, 1)
            or group.inner_rounds * (work.download_bytes + work.upload_bytes) <= budget * exchange * 1.001
        )
        assert choice == (1, 1) or all(work.memory_bytes <= memory[a.device] for a in mine)


def report(device: int, loss: float) -> DeviceReport:
    return DeviceReport(device, 0.1, 1.0, 1.0, loss)


def after_trials(trials: dict[int, Trial], before: dict[int, float], now: dict[int, float], **words) -> HierFedLoRA:
    """A method that has seen these losses by device in the last round, and in this one with these trials."""
    method = build("hierfedlora", 20, groups=2, **words)
    assert isinstance(method, HierFedLoRA)
    method.losses, method.trials = dict(before), trials
    method.observe([report(device, loss) for device, loss in now.items()])
    return method


def test_worth_follows_the_drop_against_what_the_first_utility_promised() -> None:
    trials = {0: Trial((1, 6), 10), 1: Trial((1, 6), 30), 2: Trial((4, 6), 20), 3: Trial((4, 6), 20)}
    before = dict.fromkeys(range(4), 2.0)
    method = after_trials(trials, before, {0: 1.8, 1: 1.6, 2: 1.4, 3: 1.0})
    # drops (10 * 0.2 + 30 * 0.4) / 40 = 0.35 and 0.8; first utilities 1 and 4 ** 0.5 = 2; ratios 0.35 and 0.4, mean 0.375
    assert method.worth == pytest.approx({(1, 6): 0.8 + 0.2 * 0.35 / 0.375, (4, 6): 0.8 + 0.2 * 0.4 / 0.375})
    assert method.losses == {0: 1.8, 1: 1.6, 2: 1.4, 3: 1.0}
    assert method.made == {(1, 6): 1, (4, 6): 1}


def test_losses_that_fall_as_promised_teach_nothing() -> None:
    trials = {0: Trial((1, 6), 5), 1: Trial((4, 6), 7)}
    method = after_trials(trials, {0: 2.0, 1: 2.0}, {0: 1.9, 1: 1.8})
    assert method.worth == pytest.approx({(1, 6): 1.0, (4, 6): 1.0})


def test_an_easy_label_mix_is_no_merit_of_a_choice() -> None:
    """Levels differ fourfold, both fall by 0.2: before and after, both choices are worth the same."""
    trials = {0: Trial((1, 6), 10), 1: Trial((2, 3), 10)}
    method = after_trials(trials, {0: 0.5, 1: 2.0}, {0: 0.3, 1: 1.8}, depth_gain=0.0, frequency_gain=0.0)
    assert method.worth == pytest.approx({(1, 6): 1.0, (2, 3): 1.0})


def test_a_device_without_an_earlier_loss_does_not_count() -> None:
    trials = {0: Trial((1, 6), 10), 1: Trial((1, 6), 90), 2: Trial((4, 6), 10)}
    method = after_trials(trials, {0: 2.0, 2: 2.0}, {0: 1.9, 1: 0.1, 2: 1.8})
    assert method.worth == pytest.approx({(1, 6): 1.0, (4, 6): 1.0})
    assert method.losses[1] == 0.1


def test_the_first_round_and_a_round_of_one_choice_teach_nothing() -> None:
    trials = {0: Trial((1, 6), 10), 1: Trial((4, 6), 10)}
    assert after_trials(trials, {}, {0: 1.0, 1: 2.0}).worth == {}
    alone = {0: Trial((4, 6), 10), 1: Trial((4, 6), 10)}
    assert after_trials(alone, {0: 2.0, 1: 2.0}, {0: 1.0, 1: 1.5}).worth == {}


losses = st.lists(st.floats(0.0, 10.0), min_size=6, max_size=6)


@settings(deadline=None)
@given(losses, losses)
def test_where_losses_rise_no_choice_gains_on_one_whose_losses_fell(before, now) -> None:
    """Worth is ordered as the drops are against the first utilities, and a rise counts as no drop at all."""
    choices = [(1, 6), (4, 6), (2, 3)]
    trials = {device: Trial(choices[device % 3], 1 + device) for device in range(6)}
    method = after_trials(trials, dict(enumerate(before)), dict(enumerate(now)))

    def ratio(number: int) -> float:
        mine = [device for device in range(6) if device % 3 == number]
        drop = np.average([before[d] - now[d] for d in mine], weights=[1 + d for d in mine])
        return max(drop, 0.0) / method._first_utility(choices[number])

    ratios = [ratio(number) for number in range(3)]
    worth = [method.worth.get(choice, 1.0) for choice in choices]
    if not any(ratios):
        assert worth == [1.0, 1.0, 1.0]
    assert all(0.8 <= one <= 0.8 + 0.2 * 21 / 5 + 1e-9 for one in worth)  # 21 of weight, at least 5 of it one choice's
    for one in range(3):
        assert ratios[one] > 0 or worth[one] <= 1.0
        for other in range(3):
            assert ratios[one] <= ratios[other] + 1e-12 or worth[one] >= worth[other]


def test_all_losses_rising_leave_the_slow_choice_where_it_was() -> None:
    """A drop below 0 divided by more seconds would be the larger one."""
    view = small_boards()
    method = build("hierfedlora", 6, groups=2, exploration=0.0)
    first = method.plan(view)
    method.observe([report(device, 1.0) for device in range(6)])
    method.plan(replace(view, round=2))
    method.trials = {d: Trial((1, 1) if d < 3 else (4, 6), 10) for d in range(6)}
    method.observe([report(device, 2.0) for device in range(6)])
    assert method.worth == {}
    assert method.plan(replace(view, round=3)).assignments == first.assignments


def test_each_devices_last_loss_survives_a_restart() -> None:
    trials = {0: Trial((1, 6), 10), 1: Trial((4, 6), 10)}
    method = after_trials(trials, {0: 2.0, 1: 2.0}, {0: 1.5, 1: 1.0})
    again = build("hierfedlora", 20, groups=2)
    assert isinstance(again, HierFedLoRA)
    again.load_state_dict(json.loads(json.dumps(method.state_dict())))
    assert (again.losses, again.worth, again.made) == (method.losses, method.worth, method.made)


def test_groups_aggregate_often_where_computing_takes_longer_than_sending() -> None:
    """Defaults: four aggregations are worth 2 of one, so they are made where they less than double the round."""

    def inner_rounds(mbps: float) -> set[int]:
        view = replace(small_boards(), memory_bytes=np.full(6, memory_of(6)), declared_mbps=np.full(6, mbps))
        return {group.inner_rounds for group in build("hierfedlora", 6, groups=2).plan(view).groups}

    assert inner_rounds(100.0) == {4}
    assert inner_rounds(0.001) == {1}


def test_every_inner_round_costs_its_transfers() -> None:
    method = build("hierfedlora", 6)
    assert isinstance(method, HierFedLoRA)
    work = PRICING.work(method.adapter().deepest(3), STEPS)
    computing = work.flops / 1e6
    transfer = 8e-6 * (work.download_bytes + work.upload_bytes) / 10.0
    assert method._seconds(small_boards(), (1, 3)) == pytest.approx([computing + transfer] * 6)
    assert method._seconds(small_boards(), (4, 3)) == pytest.approx([computing + 4 * transfer] * 6)


def test_inner_rounds_may_each_take_all_local_steps() -> None:
    words = {"groups": 2, "frequency_gain": 9.0, "traffic_budget": 4.0, "max_inner_rounds": 2}
    for inner_steps, steps in (("divided", STEPS), ("fixed", 2 * STEPS)):
        plan = build("hierfedlora", 6, inner_steps=inner_steps, **words).plan(small_boards())
        assert {group.inner_rounds for group in plan.groups} == {2}
        assert {a.local_steps for a in plan.assignments} == {steps}

"""HierFedLoRA: groups keep memory and traffic, and learn which choice pays."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedray.methods.hierfedlora import HierFedLoRA
from fedray.protocol import DeviceReport
from tests.methods.fleets import PRICING, STEPS, build, small_boards, views


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


def test_hierfedlora_learns_which_choice_lowers_the_loss() -> None:
    method = build("hierfedlora", 6, groups=2)
    view = small_boards()
    method.plan(view)
    method.current = {0: (1, 6), 1: (1, 6), 2: (2, 3), 3: (2, 3)}
    before = method._utility((1, 6)), method._utility((2, 3))
    method.made = {}
    method.observe([DeviceReport(d, 0.1, 1.0, 1.0, loss) for d, loss in enumerate((1.0, 1.0, 2.0, 2.0))])
    # mean 1.5: the first choice is worth 0.8 + 0.2 * 1.5, the second 0.8 + 0.2 * 0.75
    assert method.worth == pytest.approx({(1, 6): 1.1, (2, 3): 0.95})
    assert before[0] / before[1] < method._utility((1, 6)) / method._utility((2, 3))


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

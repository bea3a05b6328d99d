"""Every method plans every device once, and its state survives."""

import json
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from fedray.adapters import layout_of
from fedray.methods import METHODS
from tests.methods.fleets import PRICING, build, reports, views


@settings(deadline=None, max_examples=25)
@given(st.data(), st.sampled_from(sorted(METHODS)))
def test_every_method_plans_everybody_once_and_goes_on_from_its_state(data, name) -> None:
    """A state that went through JSON leads to the same plans as the one that stayed."""
    method, twin = build(name, 20), build(name, 20)
    view = data.draw(views())
    for round_ in range(1, 4):
        now, before = replace(view, round=round_), json.loads(json.dumps(method.state_dict()))
        plan = method.plan(now)
        assert [a.device for a in plan.assignments] == view.devices.tolist()
        members = sorted(device for group in plan.groups for device in group.devices)
        assert members == view.devices.tolist()
        inner = {group.id: group.inner_rounds for group in plan.groups}
        assert all(a.local_steps % inner[a.group] == 0 for a in plan.assignments)
        assert all(a.device in group.devices for group in plan.groups for a in plan.assignments if a.group == group.id)
        whole = layout_of(PRICING.shape, method.adapter())
        for assignment in plan.assignments:  # what is held is a part of the global adapter
            whole.positions_of(layout_of(PRICING.shape, assignment.spec))
        twin.load_state_dict(before)
        assert twin.plan(now) == plan
        method.observe(data.draw(reports(plan)))

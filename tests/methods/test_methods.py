"""FedIT and LEGEND: what they promise, on every fleet."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedray.costs import Pricing
from fedray.methods import MethodContext
from fedray.methods.base import ParameterError
from fedray.methods.capacity import CapacityEstimate
from fedray.methods.fedit import FedIT, FedITSection
from fedray.methods.legend import Legend, LegendSection, choose_depths, increasing_ranks
from fedray.protocol import DeviceReport, View
from tests.shapes import shape

PRICING = Pricing(shape(layers=6), batch_size=2, sequence_length=16, head="shared")


def context(devices: int = 4) -> MethodContext:
    return MethodContext(PRICING.shape, PRICING, devices, local_steps=3, rounds=10, seed=1)


def view(flops: list[float], memory: float = 1e9, mbps: float = 10.0) -> View:
    count = len(flops)
    return View(
        round=1,
        devices=np.arange(count),
        examples=np.arange(1, count + 1) * 10,
        label_histograms=np.ones((count, 3), np.int64),
        memory_bytes=np.full(count, memory),
        declared_flops_per_second=np.array(flops),
        declared_mbps=np.full(count, mbps),
    )


def legend(devices: int = 4, **words) -> Legend:
    return Legend(LegendSection(name="legend", **words), context(devices))


def depths(plan) -> list[int]:
    return [assignment.spec.depth for assignment in plan.assignments]


def test_fedit_gives_everyone_the_same_adapter_weighted_by_examples() -> None:
    plan = FedIT(FedITSection(name="fedit", rank=4), context()).plan(view([1e6, 2e6, 4e6, 8e6]))
    assert {assignment.spec.ranks for assignment in plan.assignments} == {(4,) * 6}
    assert [assignment.weight for assignment in plan.assignments] == [10, 20, 30, 40]
    assert plan.groups[0].devices == (0, 1, 2, 3)


def test_fedits_ablations() -> None:
    plan = FedIT(FedITSection(name="fedit", depth=2, weights="uniform"), context()).plan(view([1e6] * 4))
    assert depths(plan) == [2] * 4
    assert {assignment.weight for assignment in plan.assignments} == {1}


@settings(deadline=None)
@given(layers=st.integers(1, 40), mean=st.integers(1, 64), share=st.floats(0.01, 1), data=st.data())
def test_ranks_never_fall_towards_the_output_and_spend_the_budget_exactly(layers, mean, share, data) -> None:
    budget = max(layers, int(share * layers * mean))
    least = data.draw(st.integers(1, budget // layers))
    ranks = increasing_ranks(layers, budget, least)
    assert list(ranks) == sorted(ranks)
    assert sum(ranks) == budget
    assert min(ranks) >= least


@settings(deadline=None)
@given(rank=st.integers(1, 64), share=st.floats(0.01, 1), form=st.sampled_from(["increasing", "uniform", "decreasing"]))
def test_legends_ranks_stay_within_their_budget_or_are_refused(rank, share, form) -> None:
    method = legend(rank=rank, rank_budget=share, min_rank=1, ranks=form)
    if share * rank < 1 - 1e-6:
        with pytest.raises(ParameterError, match=r"rank_budget: allowed: at least"):
            method.adapter()
    elif share * rank > 1:
        assert sum(method.adapter().ranks) <= share * 6 * rank + 1e-6


def test_legends_ranks_by_hand() -> None:
    # 48 ranks over 6 layers from 3: slope 2 * (8 - 3) / 5 = 2
    assert increasing_ranks(6, 48, 3) == (3, 5, 7, 9, 11, 13)
    assert legend(rank_budget=1).adapter().ranks == (3, 5, 7, 9, 11, 13)
    assert legend(rank_budget=1, ranks="uniform").adapter().ranks == (8,) * 6
    assert legend(rank_budget=1, ranks="decreasing").adapter().ranks == (13, 11, 9, 7, 5, 3)
    # 0.75 * 48 = 36 from 3: slope 1.2, so 3, 4.2, 5.4, 6.6, 7.8, 9, cut to 34 in all; the top two take one each
    assert legend(rank_budget=0.75).adapter().ranks == (3, 4, 5, 6, 8, 10)
    assert legend(rank_budget=0.75, ranks="uniform").adapter().ranks == (6,) * 6
    # 0.7 * 10 is 7, although 0.7 * 10 * 6 is 41.99999999999999 in floating point
    assert sum(legend(rank=10, rank_budget=0.7).adapter().ranks) == 42
    assert legend(rank_budget=0.7).adapter().scaling == legend(rank_budget=1).adapter().scaling == 2.0


def test_a_least_rank_beyond_the_budget_is_refused_by_name() -> None:
    with pytest.raises(ParameterError, match=r"min_rank: allowed: an integer ≤ 4, rank_budget × rank \(4.8\) rounded"):
        legend(rank_budget=0.6, min_rank=5).adapter()
    assert legend(rank_budget=0.6, min_rank=4).adapter().ranks[0] == 4
    assert legend(rank_budget=0.6, min_rank=5, ranks="uniform").adapter().ranks == (4,) * 6  # has no least rank


def test_slower_devices_train_less_deep() -> None:
    found = depths(legend().plan(view([1e6, 1.5e6, 2e6, 4e6], mbps=1000.0)))
    assert found == sorted(found)
    assert found[0] < found[-1]


def test_depth_is_next_to_the_output_or_to_the_input() -> None:
    deep = legend(depth="fixed").plan(view([1e6] * 4, memory=1e5)).assignments[0].spec
    shallow = legend(depth="fixed", placement="shallow").plan(view([1e6] * 4, memory=1e5)).assignments[0].spec
    assert 1 <= deep.depth < 6
    assert deep.trained[-1] == 5
    assert shallow.trained[0] == 0
    assert shallow.backward_layers == 6


def test_nobody_is_planned_beyond_their_memory() -> None:
    for memory in (6e4, 1e5, 1.5e5, 1e9):
        for assignment in legend(depth="fixed").plan(view([1e6] * 4, memory=memory)).assignments:
            work = PRICING.work(assignment.spec, 3)
            assert work.memory_bytes <= memory or assignment.spec.depth == 1


@st.composite
def fleets(draw):
    """Estimated seconds by device and depth, growing with depth; and the deepest depth memory allows."""
    count, layers = draw(st.integers(1, 12)), draw(st.integers(1, 8))
    per_device = st.floats(0.01, 100) | st.integers(1, 4).map(float)  # integers make ties
    base = np.array(draw(st.lists(per_device, min_size=count, max_size=count)))
    slope = np.array(draw(st.lists(per_device, min_size=count, max_size=count)))
    seconds = base[:, None] + slope[:, None] * np.arange(1, layers + 1)
    deepest = np.array(draw(st.lists(st.integers(1, layers), min_size=count, max_size=count)))
    return seconds, deepest


@settings(deadline=None)
@given(fleets(), st.floats(0, 0.9))
def test_greedy_depths_keep_every_bound_and_stop_where_nothing_helps(fleet, bound) -> None:
    seconds, deepest = fleet
    chosen = choose_depths(seconds, deepest, bound)
    rows = np.arange(len(seconds))
    times = seconds[rows, chosen - 1]
    assert (chosen >= 1).all()
    assert (chosen <= deepest).all()
    reference = max(seconds[rows, deepest - 1].min(), seconds[:, 0].max())
    assert times.max() <= reference * (1 + 1e-12)
    if times.max() - times.mean() > bound * times.max() * (1 + 1e-12):
        assert chosen[times.argmax()] == 1  # cannot be made faster


@settings(deadline=None)
@given(fleets(), st.floats(0, 0.9))
def test_no_device_could_go_deeper_without_ending_the_round_later(fleet, bound) -> None:
    """Why the greedy has one move: wherever a bound stops it, a deeper device would finish last."""
    seconds, deepest = fleet
    chosen = choose_depths(seconds, deepest, bound)
    rows = np.arange(len(seconds))
    room = chosen < deepest
    assert (seconds[rows[room], chosen[room]] >= seconds[rows, chosen - 1].max()).all()


def test_greedy_depths_by_hand() -> None:
    # T_ref = max(min(3, 20), max(1, 1)) = 3, so depths start at 3 and 1; the first does not wait, the second 2 s,
    # 1 s on average: too much. The slowest shrinks to 2 (0.5 s waited of 2), then to 1: no device waits.
    seconds = np.array([[1.0, 2.0, 3.0], [1.0, 10.0, 20.0]])
    assert choose_depths(seconds, np.array([3, 3]), 0.1).tolist() == [1, 1]
    assert choose_depths(seconds, np.array([3, 3]), 0.25).tolist() == [2, 1]
    assert choose_depths(seconds, np.array([3, 3]), 0.5).tolist() == [3, 1]
    # T_ref = max(min(3, 20), max(1, 2.5)) = 3, so depths start at 3 and 1, and the first shrinks to 2. Then the slowest
    # is at depth 1: it cannot be made faster, and the first would take longer than it at depth 3
    late = np.array([[1.0, 2.0, 3.0], [2.5, 9.0, 20.0]])
    assert choose_depths(late, np.array([3, 3]), 0.0).tolist() == [2, 1]


def test_ties_do_not_keep_the_greedy_going() -> None:
    tied = np.array([[1.0, 2.0], [2.0, 4.0], [0.1, 9.0]])
    assert choose_depths(tied, np.array([2, 2, 1]), 0.1).tolist() == [1, 1, 1]


def test_capacity_is_a_moving_average_of_what_devices_reported() -> None:
    capacity = CapacityEstimate(PRICING, devices=2, rho=0.8)
    two = view([1e6, 1e6])
    assert capacity.layer_seconds(two).tolist() == pytest.approx([65536 / 1e6] * 2)
    capacity.observe([DeviceReport(1, 2.0, 5.0, 4.0, 0.0)])
    assert capacity.layer_seconds(two).tolist() == pytest.approx([65536 / 1e6, 2.0])
    capacity.observe([DeviceReport(1, 4.0, 5.0, 8.0, 0.0)])
    assert capacity.layer_seconds(two)[1] == pytest.approx(0.8 * 2 + 0.2 * 4)
    assert capacity.up_mbps(two)[1] == pytest.approx(0.8 * 4 + 0.2 * 8)


def test_a_methods_state_survives_json() -> None:
    import json

    first, second = legend(), legend()
    first.observe([DeviceReport(2, 0.5, 3.0, 4.0, 1.0)])
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    some = view([1e6, 1.5e6, 2e6, 4e6])
    assert first.plan(some) == second.plan(some)
    assert first.plan(some) != legend().plan(some)


def test_a_layer_nobody_held_keeps_its_value() -> None:
    from fedray.adapters import initial_values, layout_of
    from fedray.protocol import ServerState, Update

    method = legend(1)
    spec = method.adapter()
    layout = layout_of(PRICING.shape, spec)
    state = ServerState(spec, initial_values(layout, 0))
    part = layout_of(PRICING.shape, spec.deepest(2))
    fold = method.fold()
    fold.add(Update(0, part, np.full(part.size, 0.25, np.float32)), 3)
    after = method.apply(state, fold.result())
    touched = layout.positions_of(part)
    assert (after.values[touched] == 0.25).all()
    untouched = np.setdiff1d(np.arange(layout.size), touched)
    assert len(untouched)
    assert (after.values[untouched] == state.values[untouched]).all()

"""HierFedLoRA, FedQuad, FedARA, HetLoRA, FedAdapter: what they promise, on every fleet."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedray.adapters import AdapterSpec, initial_values, layout_of
from fedray.aggregation import TripletMean, triplet_numbers
from fedray.costs import Pricing
from fedray.methods import METHODS, Method, MethodContext
from fedray.methods.fedara import FedARA
from fedray.methods.fedquad import FedQuad
from fedray.methods.hetlora import HetLoRA
from fedray.methods.hierfedlora import HierFedLoRA
from fedray.methods.pacing import best_pace
from fedray.protocol import DeviceReport, Quantisation, Selection, ServerState, TripletSelection, Update, View
from tests.shapes import shape

PRICING = Pricing(replace(shape(layers=6), fused_attention=False), batch_size=2, sequence_length=16, head="shared")
STEPS = 4


def build(name: str, devices: int, rounds: int = 20, **words) -> Method:
    context = MethodContext(PRICING.shape, PRICING, devices, local_steps=STEPS, rounds=rounds, seed=1)
    return METHODS[name](METHODS[name].section(name=name, **words), context)


def memory_of(depth: int, quantised: int = 0, bits: int = 4) -> float:
    spec = AdapterSpec((8,) * 6, tuple(range(6)), 2.0).deepest(depth)
    layers = tuple(range(6 - depth, 6 - depth + quantised))
    return PRICING.work(spec, STEPS, Quantisation(layers, bits, 256) if layers else None).memory_bytes


@st.composite
def views(draw) -> View:
    """Any fleet: some boards that hold no layer, some that hold all; speeds and links over two orders of magnitude."""
    count = draw(st.integers(1, 14))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    low, high = memory_of(1), memory_of(6)
    return View(
        round=draw(st.integers(1, 20)),
        devices=np.sort(rng.choice(20, count, replace=False)).astype(np.int64),
        examples=rng.integers(1, 50, count),
        label_histograms=rng.integers(0, 9, (count, 3)),
        memory_bytes=rng.uniform(0.9 * low, 1.1 * high, count),
        declared_flops_per_second=10 ** rng.uniform(5, 7, count),
        declared_mbps=10 ** rng.uniform(-1, 1, count),
    )


@st.composite
def reports(draw, plan) -> list[DeviceReport]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return [
        DeviceReport(a.device, *10 ** rng.uniform(-2, 1, 3), float(rng.uniform(0.1, 2)), _measured(a, rng))
        for a in plan.assignments
        if rng.random() < 0.8
    ]


def _measured(assignment, rng) -> tuple[float, ...]:
    duty = type(assignment.duty).__name__
    wanted = {"GradientNorms": assignment.spec.depth, "TailDecay": 2}.get(duty, 0)
    return tuple(rng.uniform(0, 1, wanted).tolist())


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


@settings(deadline=None, max_examples=60)
@given(views(), st.sampled_from([2, 4, 8]))
def test_fedquad_never_plans_beyond_memory_and_quantises_no_more_than_it_must(view, bits) -> None:
    plan = build("fedquad", 20, bits=bits).plan(view)
    for assignment, memory in zip(plan.assignments, view.memory_bytes, strict=True):
        count = len(assignment.quantisation.layers) if assignment.quantisation else 0
        depth = assignment.spec.depth
        if PRICING.work_of(assignment).memory_bytes > memory:  # not even one quantised layer fits
            assert (depth, count) == (1, 0)
            assert memory_of(1, 1, bits) > memory
            continue
        assert count <= depth
        if count:
            assert memory_of(depth, count - 1, bits) > memory
            assert assignment.quantisation.layers == tuple(range(6 - depth, 6 - depth + count))


def small_boards(count: int = 6) -> View:
    """Boards that hold three layers in floats and all six with quantisation; equally fast."""
    return View(
        round=1,
        devices=np.arange(count),
        examples=np.full(count, 10),
        label_histograms=np.ones((count, 3), np.int64),
        memory_bytes=np.full(count, memory_of(3)),
        declared_flops_per_second=np.full(count, 1e6),
        declared_mbps=np.full(count, 10.0),
    )


def test_quantisation_lets_small_boards_train_deeper() -> None:
    def depth(**words) -> float:
        return np.mean([a.spec.depth for a in build("fedquad", 6, **words).plan(small_boards()).assignments])

    assert memory_of(6, 6) <= memory_of(3)
    assert depth(quantise="none") == 3
    assert depth() == 6


def test_fedquads_utility_follows_the_gradients() -> None:
    method = build("fedquad", 6)
    assert isinstance(method, FedQuad)
    plan = method.plan(small_boards())
    norms = (0.0,) * 5 + (1.0,)  # towards the output: only the last layer's gradient counts
    method.observe([DeviceReport(a.device, 0.1, 1.0, 1.0, 1.0, norms) for a in plan.assignments])
    assert method.norms == pytest.approx([0.8 / 6] * 5 + [0.8 / 6 + 0.2])
    for _ in range(30):
        method.observe([DeviceReport(a.device, 0.1, 1.0, 1.0, 1.0, norms) for a in plan.assignments])
    assert {a.spec.depth for a in method.plan(small_boards()).assignments} == {1}  # deeper is slower and worth nothing


@st.composite
def menus(draw):
    parties, choices = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    seconds = rng.integers(1, 9, (parties, choices)).astype(float)
    seconds[rng.random((parties, choices)) < 0.2] = np.inf
    seconds[:, 0] = np.where(np.isinf(seconds).all(axis=1), 1.0, seconds[:, 0])
    return seconds, rng.uniform(0, 1, (parties, choices))


@settings(deadline=None)
@given(menus(), st.floats(0, 1))
def test_best_pace_is_the_best_of_all_round_times(menu, bound) -> None:
    """Against the definition written out party by party."""
    seconds, gains = menu

    def worth(pick: list[int]) -> tuple[bool, float]:
        taken = [seconds[i, k] for i, k in enumerate(pick)]
        waiting = (max(taken) - np.mean(taken)) / max(taken)
        calm = bool(waiting <= bound + 1e-12)
        return calm, sum(gains[i, k] for i, k in enumerate(pick)) / max(taken) if calm else -waiting

    def pick_within(limit: float) -> list[int]:
        picked = []
        for mine, worths in zip(seconds.tolist(), gains.tolist(), strict=True):
            within = [k for k, time in enumerate(mine) if time <= limit]
            best = max(within, key=lambda k: (worths[k], -mine[k])) if within else int(np.argmin(mine))
            picked.append(best)
        return picked

    scores = [worth(pick_within(limit)) for limit in np.unique(seconds[np.isfinite(seconds)])]
    found = worth(best_pace(seconds, gains, bound).tolist())
    assert found[0] == max(scores)[0]
    assert found[1] == pytest.approx(max(scores)[1])


def test_best_pace_by_hand() -> None:
    # party 0: 1 s for gain 1, 4 s for 2; party 1: 2 s for gain 1, 8 s for 5
    seconds, gains = np.array([[1.0, 4.0], [2.0, 8.0]]), np.array([[1.0, 2.0], [1.0, 5.0]])
    # T = 2: (1, 1) 2 / 2 s; waiting 0.25. T = 4: (2, 1) 3 / 4. T = 8: (2, 5) 7 / 8; waiting 0.25
    assert best_pace(seconds, gains, 0.25).tolist() == [0, 0]
    # T = 4: waiting 1 of 4, also 0.25; with a bound below, the least waiting is taken, the first of the equal ones
    assert best_pace(seconds, gains, 0.1).tolist() == [0, 0]
    assert best_pace(seconds, gains * [1.0, 2.0], 0.25).tolist() == [1, 1]  # 14 / 8 beats 2 / 2


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


def test_hetloras_ranks_follow_declared_speed_and_shrink_where_the_tail_fell() -> None:
    method = build("hetlora", 4, rank=12, min_rank=4)
    assert isinstance(method, HetLoRA)
    view = replace(small_boards(4), declared_flops_per_second=np.array([1e6, 2e6, 3e6, 5e6]))
    assert [a.spec.ranks[0] for a in method.plan(view).assignments] == [4, 6, 8, 12]
    tails = {0: (2.0, 1.0), 1: (2.0, 1.0), 2: (1.0, 2.0), 3: (1.0, 1.0)}
    method.observe([DeviceReport(d, 0.1, 1.0, 1.0, 1.0, tail) for d, tail in tails.items()])
    # floor(0.99 * 6) = 5; the first is at the smallest rank already
    assert [a.spec.ranks[0] for a in method.plan(view).assignments] == [4, 5, 8, 12]
    assert {len(set(a.spec.ranks)) for a in method.plan(view).assignments} == {1}


def test_fedadapter_grows_by_what_paid_in_a_trial() -> None:
    method = build("fedadapter", 6, trial_every=2)
    view = small_boards()

    def losses(deeper: float, wider: float):
        by_size = {(2, 4): deeper, (1, 6): wider}
        return [DeviceReport(d, 0.1, 1.0, 1.0, by_size.get(size, 1.0)) for d, size in method.tried.items()]

    assert {(a.spec.depth, a.spec.ranks[-1]) for a in method.plan(view).assignments} == {(1, 4)}
    method.observe(losses(1.0, 1.0))
    trial = method.plan(replace(view, round=2))
    assert sorted({(a.spec.depth, a.spec.ranks[-1]) for a in trial.assignments}) == [(1, 4), (1, 6), (2, 4)]
    method.observe(losses(0.2, 0.9))
    assert {(a.spec.depth, a.spec.ranks[-1]) for a in method.plan(replace(view, round=3)).assignments} == {(2, 4)}


def votes(method: FedARA, rng: np.random.Generator, devices: int) -> TripletMean:
    """A fold of updates with random values and selections of the planned size."""
    spec = method.adapter()
    layout = layout_of(PRICING.shape, spec)
    count = int(triplet_numbers(layout).max()) + 1
    fold = method.fold()
    for device in range(devices):
        kept = np.zeros(count, np.bool_)
        kept[rng.permutation(count)[: method.keep]] = True
        selection = Selection(kept, rng.random(count).astype(np.float32))
        fold.add(Update(device, layout, rng.normal(0, 0.1, layout.size).astype(np.float32), selection), device + 1)
    return fold


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32 - 1), st.integers(4, 30), st.sampled_from(["top_budget", "threshold"]))
def test_fedaras_masks_only_shrink_and_meet_the_budget(seed, rounds, arbitration) -> None:
    rng = np.random.default_rng(seed)
    method = build("fedara", 6, rounds, rank=6, final_rank=1.5, arbitration=arbitration)
    assert isinstance(method, FedARA)
    state = ServerState(method.adapter(), initial_values(layout_of(PRICING.shape, method.adapter()), 0))
    traffic = np.inf
    for round_ in range(1, rounds + 1):
        plan = method.plan(replace(small_boards(), round=round_))
        assert {a.spec for a in plan.assignments} == {state.spec}
        up = PRICING.work_of(plan.assignments[0]).upload_bytes
        before = method.module_ranks
        state = method.apply(state, votes(method, rng, 6).result())
        assert all(
            now <= then
            for a, b in zip(method.module_ranks, before, strict=True)
            for now, then in zip(a, b, strict=True)
        )
        assert state.values.shape == (layout_of(PRICING.shape, state.spec).size,)
        if arbitration == "top_budget":
            assert sum(map(sum, method.module_ranks)) == method.budget(round_)
            assert up <= traffic
            traffic = up
        else:
            assert sum(map(sum, method.module_ranks)) >= 18  # 1.5 * 12 modules
    assert method.budget(rounds) == 18
    assert build("fedara", 6, rounds, final_rank=1e-3).budget(rounds) == 1


def test_fedaras_schedule_by_hand() -> None:
    method = build("fedara", 6, 100, rank=12)
    assert isinstance(method, FedARA)
    # 12 modules: 144 triplets for 5 rounds, 36 for the last 25; half-way at round 40: 36 + 108 / 8 = 49.5
    assert [method.budget(t) for t in (1, 5, 40, 75, 100)] == [144, 144, 50, 36, 36]
    # download and upload of a round are those before and after its own cut
    mean = np.mean([method.budget(t) for t in range(1, 101)])
    assert 144 / mean == pytest.approx(2.41, abs=0.02)


def test_fedara_keeps_what_has_most_votes_then_the_higher_score_then_the_first() -> None:
    method = build("fedara", 3, 2, rank=1, final_rank=0.25, warmup=0.0, final=0.0)
    assert isinstance(method, FedARA)
    spec = method.adapter()
    layout = layout_of(PRICING.shape, spec)
    method.plan(replace(small_boards(3), round=2))
    assert method.keep == 3
    fold = method.fold()
    for device, chosen in enumerate(([0, 5, 7], [0, 7, 9], [0, 9, 5])):
        kept = np.isin(np.arange(12), chosen)
        scores = np.where(np.arange(12) == 9, 3.0, 1.0).astype(np.float32)
        fold.add(Update(device, layout, np.full(layout.size, device, np.float32), Selection(kept, scores)), 1)
    folded = fold.result()
    assert folded.votes[[0, 5, 7, 9, 1]] == pytest.approx([1, 2 / 3, 2 / 3, 2 / 3, 0])
    state = method.apply(ServerState(spec, np.full(layout.size, -1, np.float32)), folded)
    # 9 has the best score; 5 and 7 share one, and 5 comes first
    kept = [i for i, rank in enumerate(r for row in method.module_ranks for r in row) if rank]
    assert kept == [0, 5, 9]
    after = layout_of(PRICING.shape, state.spec)
    values = [after.tensor(state.values, entry).ravel()[0] for entry in after.entries if entry.factor == "E"]
    assert values == pytest.approx([1.0, 1.0, 1.5])  # means over those who sent it: (0, 1, 2), (0, 2), (1, 2)


def test_a_triplet_that_stays_though_nobody_sent_it_keeps_its_value() -> None:
    method = build("fedara", 3, 2, rank=1, final_rank=0.25, warmup=0.0, final=0.0)
    assert isinstance(method, FedARA)
    spec = method.adapter()
    layout = layout_of(PRICING.shape, spec)
    method.plan(replace(small_boards(3), round=2))
    fold = method.fold()
    kept = np.isin(np.arange(12), [4])
    fold.add(Update(0, layout, np.ones(layout.size, np.float32), Selection(kept, np.ones(12, np.float32))), 1)
    state = method.apply(ServerState(spec, np.full(layout.size, -1, np.float32)), fold.result())
    after = layout_of(PRICING.shape, state.spec)
    values = [after.tensor(state.values, entry).ravel()[0] for entry in after.entries if entry.factor == "E"]
    assert values == [-1.0, -1.0, 1.0]  # 4 was voted for; 0 and 1 come first of the others


def test_what_a_selection_sends_is_priced() -> None:
    spec = AdapterSpec.of_modules(((2, 2),) * 6, 1.0, "svd")
    # 24 triplets of 8 + 8 + 1 floats and a head of 27; 10 are sent with a score each; 24 bits both ways
    work = PRICING.work(spec, 1, None, TripletSelection(10, 0.0, 0.85))
    assert work.download_bytes == 4 * (24 * 17 + 27) + 3
    assert work.upload_bytes == 4 * (10 * 17 + 10 + 27) + 3


def test_an_empty_lowest_layer_makes_a_step_cheaper() -> None:
    full = AdapterSpec.of_modules(((1, 1),) * 6, 1.0, "svd")
    pruned = AdapterSpec.of_modules(((0, 0),) * 2 + ((2, 1),) * 4, 1.0, "svd")
    assert pruned.backward_layers == 4
    layer = 65536
    saved = PRICING.work(full, 1).flops - PRICING.work(pruned, 1).flops
    assert saved == pytest.approx(2 * layer, rel=0.01)
    assert PRICING.work(pruned, 1).memory_bytes < PRICING.work(full, 1).memory_bytes

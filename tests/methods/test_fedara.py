"""FedARA: masks, votes, schedule, and what pruning is worth in the prices."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedray.adapters import AdapterSpec, initial_values, layout_of
from fedray.aggregation import TripletMean, triplet_numbers
from fedray.methods.fedara import FedARA, TripletSelection
from fedray.protocol import Selection, ServerState, Update
from tests.methods.fleets import PRICING, build, small_boards


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
    backward = 81920  # of one layer
    saved = PRICING.work(full, 1).flops - PRICING.work(pruned, 1).flops
    assert saved == pytest.approx(2 * backward, rel=0.01)
    assert PRICING.work(pruned, 1).memory_bytes < PRICING.work(full, 1).memory_bytes


def test_an_empty_module_makes_a_step_cheaper_though_its_layer_stays() -> None:
    """The same triplets in half the modules: less is launched and moved. An even fall of all ranks saves nothing."""
    board = (np.array(1e9), np.array(1e9), 1e-5)

    def seconds(*rows: tuple[int, int]) -> float:
        return float(PRICING.work(AdapterSpec.of_modules(rows * 6, 1.0, "svd"), 1).compute_seconds(*board))

    assert seconds((4, 0)) < 0.9 * seconds((2, 2))
    assert seconds((2, 2)) > 0.95 * seconds((4, 4))


def test_nobody_is_voted_out_in_a_round_without_updates() -> None:
    """All devices out of memory, or all updates refused: the adapter stays, and the next round catches up."""
    method = build("fedara", 3, 2, rank=1, final_rank=0.25, warmup=0.0, final=0.0)
    assert isinstance(method, FedARA)
    state = ServerState(method.adapter(), initial_values(layout_of(PRICING.shape, method.adapter()), 0))
    method.plan(replace(small_boards(3), round=2))
    assert method.apply(state, method.fold().result()) is state
    assert method.adapter() == state.spec
    method.plan(replace(small_boards(3), round=2))
    method.apply(state, votes(method, np.random.default_rng(0), 3).result())
    assert sum(map(sum, method.module_ranks)) == 3

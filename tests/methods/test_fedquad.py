"""FedQuad: memory is kept, quantisation buys depth, utility follows gradients."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedray.methods.fedquad import FedQuad
from fedray.protocol import DeviceReport
from tests.methods.fleets import PRICING, build, memory_of, small_boards, views


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


def test_fedquads_unseen_layers_keep_their_share() -> None:
    """One device trained layers 4 and 5 alone: it divides their 2/6 anew, 3 to 1, and says nothing of the others."""
    method = build("fedquad", 6)
    assert isinstance(method, FedQuad)
    method.held = {0: method.adapter().deepest(2)}
    method.observe([DeviceReport(0, 0.1, 1.0, 1.0, 1.0, (3.0, 1.0))])
    seen = [0.8 / 6 + 0.2 * (2 / 6) * share for share in (3 / 4, 1 / 4)]
    assert method.norms == pytest.approx([1 / 6] * 4 + seen)

"""HetLoRA: ranks by speed, pruned by tails."""

from dataclasses import replace

import numpy as np

from fedray.aggregation import NormWeightedMean
from fedray.methods.hetlora import HetLoRA
from fedray.protocol import DeviceReport
from tests.methods.fleets import build, small_boards


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


def test_hetloras_defaults_have_the_scaling_of_the_other_methods() -> None:
    method, fedit = build("hetlora", 4), build("fedit", 4)
    assert method.adapter() == fedit.adapter()
    assert method.adapter().scaling == 2.0
    view = replace(small_boards(2), declared_flops_per_second=np.array([1e6, 2e6]))
    assert [a.spec.ranks[0] for a in method.plan(view).assignments] == [2, 8]


def test_hetlora_prunes_small_ranks_too() -> None:
    """round(0.99 * 8) is 8: a rule that rounds to the nearest integer would never prune."""
    method = build("hetlora", 1)
    ranks = []
    for _ in range(8):
        ranks.append(method.plan(small_boards(1)).assignments[0].spec.ranks[0])
        method.observe([DeviceReport(0, 0.1, 1.0, 1.0, 1.0, (2.0, 1.0))])
    assert ranks == [8, 7, 6, 5, 4, 3, 2, 2]


def test_hetloras_norm_is_of_the_adapter_or_of_each_module() -> None:
    for norm_of in ("adapter", "module"):
        fold = build("hetlora", 4, norm_of=norm_of).fold()
        assert isinstance(fold, NormWeightedMean)
        assert fold.norm_of == norm_of

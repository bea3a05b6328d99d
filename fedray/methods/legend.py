"""LEGEND (arXiv 2412.20004, IEEE TMC 24(11)): adaptive LoRA depth and rank distribution.

From the paper: LoRA layers near the output with higher ranks there, capacity estimation, a greedy configuration
algorithm (LCD), per-layer aggregation. The rank vector's form and budget, the greedy steps, rho and the waiting bound
are reconstructed: the paper's text could not be had, and every such choice is a parameter below.

A vector that spends the full budget of uniform ranks sends more than they do, because devices hold the layers next to
the output, where ranks are high. On the testbed of `scenarios/papers/legend.yaml` (costs of RoBERTa-base, round 5) it
sends 1.18 times the bytes of uniform ranks; at rank_budget 0.85, the default, 0.98 times, and 0.67 of FedIT's.
"""

from collections.abc import Sequence
from math import floor
from typing import Any, Literal

import numpy as np
from pydantic import Field

from fedray.adapters import AdapterSpec
from fedray.arrays import Floats, Ints
from fedray.costs import Work
from fedray.methods.base import Method, MethodContext, MethodSection, ParameterError, in_one_group
from fedray.methods.capacity import CapacityEstimate
from fedray.protocol import Assignment, DeviceReport, Plan, View
from fedray.scenario.schema import LARGEST, Positive

Depths = Ints

ROUNDING = 1e-9  # so that a product such as 0.7 * 10 counts as the whole number it stands for


class LegendSection(MethodSection):
    """LEGEND: depth per device from estimated capacity, ranks growing towards the output.

    All defaults but the rank are reconstructed.
    """

    name: Literal["legend"] = Field(
        description="Depth per device, ranks growing towards the output (arXiv 2412.20004)."
    )
    rank: Positive = Field(8, description="LoRA rank that lora_alpha is divided by; the mean over layers at most.")
    ranks: Literal["increasing", "uniform", "decreasing"] = Field("increasing", description="Towards the output.")
    rank_budget: float = Field(
        0.85,
        gt=0,
        le=1,
        description="Share of layers × rank that the rank vector may sum to; uniform ranks are rank_budget × rank, "
        "rounded down. Default: the share at which the vector sends as many bytes as uniform ranks of a full budget.",
    )
    min_rank: Positive = Field(3, description="Rank of the layer with the smallest one (at most rank_budget × rank).")
    depth: Literal["adaptive", "fixed"] = Field("adaptive", description="fixed: every device as deep as memory allows.")
    placement: Literal["deep", "shallow"] = Field("deep", description="Tuned layers next to the output or the input.")
    rho: float = Field(0.8, ge=0, lt=1, description="Share of the old value in the moving averages of capacity.")
    waiting_bound: float = Field(
        0.1, ge=0, le=LARGEST, description="Mean waiting aimed at, as a share of the round's time."
    )


class Legend(Method[LegendSection]):
    """Depth per device from estimated capacity; one global rank vector; per-layer averaging."""

    section = LegendSection

    def __init__(self, config: LegendSection, context: MethodContext) -> None:
        super().__init__(config, context)
        self.capacity = CapacityEstimate(context.pricing, context.devices, config.rho)

    def adapter(self) -> AdapterSpec:
        layers = self.context.shape.layers
        ranks = self._rank_vector(layers)
        return AdapterSpec(ranks, tuple(range(layers)), self.config.scaling)

    def plan(self, view: View) -> Plan:
        specs = self._specs_by_depth()
        works = [self.context.pricing.work(spec, self.context.local_steps) for spec in specs]
        deepest = deepest_that_fits(works, view.memory_bytes)
        if self.config.depth == "fixed":
            depths = deepest
        else:
            depths = choose_depths(self.capacity.seconds_of_choices(works, view), deepest, self.config.waiting_bound)
        return in_one_group(
            Assignment(int(device), 0, specs[depth - 1], self.context.local_steps, self.weight(int(examples)))
            for device, depth, examples in zip(view.devices, depths, view.examples, strict=True)
        )

    def observe(self, reports: Sequence[DeviceReport]) -> None:
        self.capacity.observe(reports)

    def state_dict(self) -> dict[str, Any]:
        return self.capacity.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.capacity.load_state_dict(state)

    def _rank_vector(self, layers: int) -> tuple[int, ...]:
        """The rank of every layer, from the input to the output; ParameterError if the budget does not hold it."""
        budget = self.config.rank_budget * self.config.rank
        uniform = floor(budget + ROUNDING)
        if uniform < 1:
            raise ParameterError("rank_budget", f"at least 1 / rank ({1 / self.config.rank:g}): one rank per layer")
        if self.config.ranks == "uniform":
            return (uniform,) * layers
        if self.config.min_rank > uniform:
            raise ParameterError("min_rank", f"an integer ≤ {uniform}, rank_budget × rank ({budget:g}) rounded down")
        ranks = increasing_ranks(layers, floor(budget * layers + ROUNDING), self.config.min_rank)
        return ranks if self.config.ranks == "increasing" else ranks[::-1]

    def _specs_by_depth(self) -> list[AdapterSpec]:
        whole = self.adapter()
        depths = range(1, whole.layers + 1)
        if self.config.placement == "deep":
            return [whole.deepest(depth) for depth in depths]
        return [whole.restricted_to(range(depth)) for depth in depths]


def increasing_ranks(layers: int, budget: int, min_rank: int) -> tuple[int, ...]:
    """r_l = r_0 + slope * l with r_0 = min_rank and sum exactly `budget`, never falling towards the output.

    Fractions are cut. Of the ranks that the cut leaves, the layers nearest the output take one each. One layer alone
    takes the whole budget. `budget` must be at least layers * min_rank.
    """
    slope = 2 * (budget / layers - min_rank) / (layers - 1) if layers > 1 else 0.0
    first = min_rank if layers > 1 else budget
    ranks = [int(first + slope * layer + ROUNDING) for layer in range(layers)]
    left = budget - sum(ranks)
    return tuple(rank + (layer >= layers - left) for layer, rank in enumerate(ranks))


def deepest_that_fits(works: Sequence[Work], memory_bytes: Floats) -> Depths:
    """The largest depth whose memory fits, (participants,); 1 where not even that fits: the device will report it."""
    needed = np.array([work.memory_bytes for work in works])
    depths: Depths = (needed[None, :] <= memory_bytes[:, None]).sum(axis=1)
    return np.maximum(depths, 1)


def choose_depths(seconds: Floats, deepest: Depths, waiting_bound: float) -> Depths:
    """LCD, greedy: a depth per device so that little time is spent waiting.

    `seconds[i, k-1]` is device i's estimated round at depth k and grows with k. Start from the deepest depth within
    T_ref, the larger of the fastest device's round at its full depth and the slowest device's at depth 1. While the
    mean waiting exceeds `waiting_bound` of the round, make the slowest device shallower; stop when it is at depth 1.

    The opposite move, a deeper fastest device, could never act: every device starts as deep as T_ref allows, so one
    layer more takes longer than the round, and a device made shallower was the slowest with that layer.
    """
    rows = np.arange(len(seconds))
    reference = max(seconds[rows, deepest - 1].min(), seconds[:, 0].max())
    within = (seconds <= reference) & (np.arange(seconds.shape[1]) < deepest[:, None])
    depths: Depths = np.maximum(within.sum(axis=1), 1)
    times = seconds[rows, depths - 1]
    while times.max() - times.mean() > waiting_bound * times.max():
        slowest = int(times.argmax())
        if depths[slowest] == 1:
            break
        depths[slowest] -= 1
        times[slowest] = seconds[slowest, depths[slowest] - 1]
    return depths

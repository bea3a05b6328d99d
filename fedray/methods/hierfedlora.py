"""HierFedLoRA (arXiv 2503.21213): near-IID groups, each with its own aggregation frequency and fine-tuning depth.

From the paper: all devices are partitioned into near-IID groups; every group has its own frequency of aggregation
inside the group and its own depth, chosen together. Reconstructed, because the paper's text could not be had: the
grouping's objective, the grid of choices, the utility and how it learns from losses; each is a parameter below or said
in its function.
"""

from collections import defaultdict
from collections.abc import Sequence
from math import log, sqrt
from typing import Any, Literal

import numpy as np
from pydantic import Field

from fedray.adapters import AdapterSpec
from fedray.costs import Work
from fedray.methods.base import Method, MethodContext, MethodSection
from fedray.methods.capacity import CapacityEstimate
from fedray.methods.pacing import best_pace
from fedray.methods.topology import StandingGroups, groups_of
from fedray.protocol import Assignment, DeviceReport, Floats, Ints, Plan, View
from fedray.scenario.schema import LARGEST, Positive

Choice = tuple[int, int]  # aggregations inside the group, depth


class HierFedLoRASection(MethodSection):
    """HierFedLoRA: near-IID groups, each with its own aggregation frequency and depth.

    All defaults but the rank are reconstructed.
    """

    name: Literal["hierfedlora"]
    groups: Positive = Field(8, description="Groups of devices (at most one per device).")
    spread_weight: float = Field(
        0.25, ge=0, le=LARGEST, description="What a spread of speed in a group weighs against divergence."
    )
    max_inner_rounds: Positive = Field(4, description="Aggregations inside a group per round, at most.")
    inner_steps: Literal["divided", "fixed"] = Field(
        "divided", description="divided: inner rounds share training.local_steps; fixed: each takes all of them."
    )
    traffic_budget: float = Field(
        1.0,
        gt=0,
        le=LARGEST,
        description="Bytes of a device per round, as a multiple of one exchange of the whole adapter.",
    )
    waiting_bound: float = Field(
        0.2, ge=0, le=LARGEST, description="Mean waiting of the groups allowed, as a share of the round."
    )
    rho: float = Field(0.8, ge=0, lt=1, description="Share of the old value in the moving averages.")
    depth_gain: float = Field(
        0.5, ge=0, le=10, description="First utility of a choice: depth ** depth_gain, and so on."
    )
    frequency_gain: float = Field(0.25, ge=0, le=10, description="... times inner rounds ** frequency_gain.")
    exploration: float = Field(0.05, ge=0, le=10, description="Weight of the bonus for choices rarely made (UCB).")


class HierFedLoRA(Method[HierFedLoRASection]):
    """Groups stand until estimates move; each round every group takes the frequency and depth worth most per second.

    The worth of a choice is learned: its first utility times a moving average of how much lower than the others' the
    losses of the groups were that made it.
    """

    section = HierFedLoRASection
    forms_groups = True

    def __init__(self, config: HierFedLoRASection, context: MethodContext) -> None:
        super().__init__(config, context)
        self.capacity = CapacityEstimate(context.pricing, context.devices, config.rho)
        self.standing = StandingGroups(config.groups, config.spread_weight)
        self.worth: dict[Choice, float] = {}
        self.made: dict[Choice, int] = {}
        self.current: dict[int, Choice] = {}  # by device, of the round under way

    def adapter(self) -> AdapterSpec:
        layers = self.context.shape.layers
        return AdapterSpec((self.config.rank,) * layers, tuple(range(layers)), self.config.scaling)

    def plan(self, view: View) -> Plan:
        numbers = self.standing.of(view, self._seconds(view, (1, self.context.shape.layers)))
        choices = self.choose(view, numbers)
        whole, steps = self.adapter(), self.context.local_steps
        assignments = []
        for device, number, examples in zip(view.devices, numbers, view.examples, strict=True):
            inner_rounds, depth = choices[number]
            local_steps = steps * (inner_rounds if self.config.inner_steps == "fixed" else 1)
            weight = self.weight(int(examples))
            assignments.append(Assignment(int(device), int(number), whole.deepest(depth), local_steps, weight))
        self.current = {int(device): choices[number] for device, number in zip(view.devices, numbers, strict=True)}
        return Plan(tuple(assignments), groups_of(view.devices, numbers, [inner for inner, _ in choices]))

    def choose(self, view: View, numbers: Ints) -> list[Choice]:
        """A frequency and a depth for every group, by number."""
        grid = self._grid()
        of_device = np.stack([self._seconds(view, choice) for choice in grid], axis=1)
        fits = np.stack([self._work(choice).memory_bytes <= view.memory_bytes for choice in grid], axis=1)
        count = int(numbers.max()) + 1
        seconds = np.stack([of_device[numbers == group].max(axis=0) for group in range(count)])
        able = np.stack([fits[numbers == group].all(axis=0) for group in range(count)])
        able[~able.any(axis=1), grid.index((1, 1))] = True  # who lacks the memory even so will report it
        sizes = np.bincount(numbers, weights=view.examples)
        gains = sizes[:, None] / sizes.sum() * np.array([self._utility(choice) for choice in grid])[None, :]
        chosen = best_pace(np.where(able, seconds, np.inf), gains, self.config.waiting_bound)
        return [grid[index] for index in chosen]

    def observe(self, reports: Sequence[DeviceReport]) -> None:
        self.capacity.observe(reports)
        losses: dict[Choice, list[float]] = defaultdict(list)
        for report in reports:
            if np.isfinite(report.loss):
                losses[self.current[report.device]].append(report.loss)
        if not losses:
            return
        mean = float(np.mean([loss for mine in losses.values() for loss in mine]))
        for choice, mine in losses.items():
            self.made[choice] = self.made.get(choice, 0) + 1
            relative = mean / max(float(np.mean(mine)), 1e-9)  # above 1: lower losses than the others in this round
            self.worth[choice] = self.config.rho * self.worth.get(choice, 1.0) + (1 - self.config.rho) * relative

    def state_dict(self) -> dict[str, Any]:
        return {
            "capacity": self.capacity.state_dict(),
            "groups": self.standing.state_dict(),
            "worth": [[*choice, worth] for choice, worth in self.worth.items()],
            "made": [[*choice, made] for choice, made in self.made.items()],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.capacity.load_state_dict(state["capacity"])
        self.standing.load_state_dict(state["groups"])
        self.worth = {(inner, depth): worth for inner, depth, worth in state["worth"]}
        self.made = {(inner, depth): made for inner, depth, made in state["made"]}

    def _utility(self, choice: Choice) -> float:
        inner_rounds, depth = choice
        share = depth / self.context.shape.layers
        first: float = share**self.config.depth_gain * inner_rounds**self.config.frequency_gain
        bonus = sqrt(log(1 + sum(self.made.values())) / (1 + self.made.get(choice, 0)))
        return first * self.worth.get(choice, 1.0) + self.config.exploration * bonus

    def _grid(self) -> list[Choice]:
        """Frequencies 1, 2, 4, ... by depths, within the traffic budget; one exchange of one layer is always there."""
        steps, layers = self.context.local_steps, self.context.shape.layers
        frequencies = [1]
        while (more := 2 * frequencies[-1]) <= self.config.max_inner_rounds:
            if self.config.inner_steps == "divided" and steps % more:
                break
            frequencies.append(more)
        budget = self.config.traffic_budget * self._bytes((1, layers))
        grid = [(inner, depth) for inner in frequencies for depth in range(1, layers + 1)]
        return [choice for choice in grid if choice == (1, 1) or self._bytes(choice) <= budget * (1 + 1e-9)]

    def _bytes(self, choice: Choice) -> int:
        work = self._work(choice)
        return choice[0] * (work.download_bytes + work.upload_bytes)

    def _work(self, choice: Choice) -> Work:
        inner_rounds, depth = choice
        steps = self.context.local_steps * (inner_rounds if self.config.inner_steps == "fixed" else 1)
        return self.context.pricing.work(self.adapter().deepest(depth), steps)

    def _seconds(self, view: View, choice: Choice) -> Floats:
        return self.capacity.seconds_of_choices([self._work(choice)], view, inner_rounds=choice[0])[:, 0]

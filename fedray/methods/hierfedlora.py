"""HierFedLoRA (arXiv 2503.21213): near-IID groups, each with its own aggregation frequency and fine-tuning depth.

From the paper: all devices are partitioned into near-IID groups; every group has its own frequency of aggregation
inside the group and its own depth, chosen together. Reconstructed, because the paper's text could not be had: the
grouping's objective, the grid of choices, the utility and how it learns from losses; each is a parameter below or said
in its function.

Under the defaults all three parts act. Groups mix labels as the fleet does. A group may exchange the whole adapter
four times a round, so its frequency is limited by seconds, not by bytes. Four aggregations in a round of 16 local steps
are worth 1.5 of one, in a round of 4 steps 1.15: with few steps devices hardly drift apart. Frequency is taken where it
lengthens the round by less than it is worth. Depth falls where a group or its links are slow, by the waiting bound.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, sqrt
from typing import Any, Literal

import numpy as np
from pydantic import Field

from fedray.adapters import AdapterSpec
from fedray.arrays import Floats, Ints
from fedray.costs import Work
from fedray.methods.base import Method, MethodContext, MethodSection
from fedray.methods.capacity import CapacityEstimate
from fedray.methods.round_time import select_round_time
from fedray.methods.topology import StandingGroups, groups_of
from fedray.protocol import Assignment, DeviceReport, Plan, View
from fedray.scenario.schema import LARGEST, Positive

Choice = tuple[int, int]  # aggregations inside the group, depth


@dataclass(frozen=True)
class Trial:
    """What a device did in the current round, and what it weighs in its group."""

    choice: Choice
    weight: int


class HierFedLoRASection(MethodSection):
    """HierFedLoRA: near-IID groups, each with its own aggregation frequency and depth.

    All defaults but the rank are reconstructed.
    """

    name: Literal["hierfedlora"] = Field(
        description="Near-IID groups, each with its own aggregation frequency and depth (arXiv 2503.21213)."
    )
    groups: Positive = Field(8, description="Groups of devices (at most one per device).")
    spread_weight: float = Field(
        0.25, ge=0, le=LARGEST, description="What a spread of speed in a group weighs against divergence."
    )
    max_inner_rounds: Positive = Field(4, description="Aggregations inside a group per round, at most.")
    inner_steps: Literal["divided", "fixed"] = Field(
        "divided", description="divided: inner rounds share training.local_steps; fixed: each takes all of them."
    )
    traffic_budget: float = Field(
        4.0,
        gt=0,
        le=LARGEST,
        description="Bytes of a device per round, as a multiple of one exchange of the whole adapter; below "
        "max_inner_rounds, frequency is bought with depth.",
    )
    waiting_bound: float = Field(
        0.2, ge=0, le=LARGEST, description="Mean waiting of the groups allowed, as a share of the round."
    )
    rho: float = Field(0.8, ge=0, lt=1, description="Share of the old value in the moving averages.")
    depth_gain: float = Field(
        0.5, ge=0, le=10, description="First utility of a choice: (depth / layers) ** depth_gain,"
    )
    drift: float = Field(
        0.05,
        ge=0,
        le=10,
        description="... times (1 + drift * (steps - 1)) with the steps of a round, over the same with those between "
        "two aggregations.",
    )
    exploration: float = Field(0.05, ge=0, le=10, description="Weight of the bonus for choices rarely made (UCB).")


class HierFedLoRA(Method[HierFedLoRASection]):
    """Groups stand until estimates move; each round every group takes the frequency and depth worth most per second.

    What a choice is expected to gain in a round is its first utility times its worth, which is learned from how far the
    losses of those who made it fell (see `observe`). `select_round_time` divides the gains by seconds, once for all
    groups, so what is maximised is the groups' own loss drop per estimated second.
    """

    section = HierFedLoRASection
    forms_groups = True

    def __init__(self, config: HierFedLoRASection, context: MethodContext) -> None:
        super().__init__(config, context)
        self.capacity = CapacityEstimate(context.pricing, context.devices, config.rho)
        self.standing = StandingGroups(config.groups, config.spread_weight)
        self.worth: dict[Choice, float] = {}
        self.made: dict[Choice, int] = {}
        self.losses: dict[int, float] = {}  # by device, of the last round it reported
        self.trials: dict[int, Trial] = {}  # by device, of the current round

    def adapter(self) -> AdapterSpec:
        layers = self.context.shape.layers
        return AdapterSpec((self.config.rank,) * layers, tuple(range(layers)), self.config.scaling)

    def plan(self, view: View) -> Plan:
        numbers = self.standing.of(view, self._seconds(view, (1, self.context.shape.layers)))
        choices = self.choose(view, numbers)
        whole, steps = self.adapter(), self.context.local_steps
        assignments = []
        self.trials = {}
        for device, number, examples in zip(view.devices.tolist(), numbers, view.examples, strict=True):
            inner_rounds, depth = choices[number]
            local_steps = steps * (inner_rounds if self.config.inner_steps == "fixed" else 1)
            weight = self.weight(int(examples))
            assignments.append(Assignment(device, int(number), whole.deepest(depth), local_steps, weight))
            self.trials[device] = Trial(choices[number], weight)
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
        chosen = select_round_time(np.where(able, seconds, np.inf), gains, self.config.waiting_bound)
        return [grid[index] for index in chosen]

    def observe(self, reports: Sequence[DeviceReport]) -> None:
        """Learn what the choices of the round were worth.

        A choice's drop is the weighted mean, over the devices that made it, of their loss in their previous round less
        their loss in this one; it counts as 0 where losses rose. Its worth moves towards (drop / first utility) over
        the weighted mean of that ratio in the round: 1 where losses fell as the first utilities say. Where all made one
        choice, or no loss fell, there is nothing to compare and worth stays.
        """
        self.capacity.observe(reports)
        known = [report for report in reports if np.isfinite(report.loss)]
        drops, weights = self._drops(known)
        self.losses |= {report.device: report.loss for report in known}
        for choice in sorted({self.trials[report.device].choice for report in known}):
            self.made[choice] = self.made.get(choice, 0) + 1
        ratios = {choice: max(drop, 0.0) / self._first_utility(choice) for choice, drop in drops.items()}
        mean = sum(weights[choice] * ratio for choice, ratio in ratios.items()) / max(sum(weights.values()), 1)
        if len(ratios) < 2 or mean <= 0:
            return
        for choice, ratio in ratios.items():
            before = self.worth.get(choice, 1.0)
            self.worth[choice] = self.config.rho * before + (1 - self.config.rho) * ratio / mean

    def _drops(self, reports: Sequence[DeviceReport]) -> tuple[dict[Choice, float], dict[Choice, int]]:
        """The mean drop of loss of every choice made, and the weight of the devices it is the mean of.

        Devices without an earlier loss do not count.
        """
        sums: dict[Choice, float] = {}
        weights: dict[Choice, int] = {}
        for report in reports:
            if report.device in self.losses:
                trial = self.trials[report.device]
                drop = self.losses[report.device] - report.loss
                sums[trial.choice] = sums.get(trial.choice, 0.0) + trial.weight * drop
                weights[trial.choice] = weights.get(trial.choice, 0) + trial.weight
        return {choice: total / weights[choice] for choice, total in sums.items()}, weights

    def state_dict(self) -> dict[str, Any]:
        return {
            "capacity": self.capacity.state_dict(),
            "groups": self.standing.state_dict(),
            "worth": [[*choice, worth] for choice, worth in self.worth.items()],
            "made": [[*choice, made] for choice, made in self.made.items()],
            "losses": {str(device): loss for device, loss in self.losses.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.capacity.load_state_dict(state["capacity"])
        self.standing.load_state_dict(state["groups"])
        self.worth = {(inner, depth): worth for inner, depth, worth in state["worth"]}
        self.made = {(inner, depth): made for inner, depth, made in state["made"]}
        self.losses = {int(device): loss for device, loss in state["losses"].items()}

    def _utility(self, choice: Choice) -> float:
        """What a round with this choice is expected to gain, and a bonus for choices rarely made."""
        bonus = sqrt(log(1 + sum(self.made.values())) / (1 + self.made.get(choice, 0)))
        return self._first_utility(choice) * self.worth.get(choice, 1.0) + self.config.exploration * bonus

    def _first_utility(self, choice: Choice) -> float:
        """1 at full depth and one aggregation; see the parameters depth_gain and drift.

        TREC, Dirichlet 0.1, 16 local steps, two seeds: accuracy after rounds 1 and 2 was 0.64 and 0.89 with four
        aggregations, 0.54 and 0.77 with one. One needs 1.4 rounds for 0.64; a drift of 0.05 says 1.5.
        """
        inner_rounds, depth = choice
        steps, share = self.context.local_steps, depth / self.context.shape.layers
        between = steps if self.config.inner_steps == "fixed" else steps / inner_rounds
        done = between * inner_rounds / steps
        drifted = (1 + self.config.drift * (steps - 1)) / (1 + self.config.drift * (between - 1))
        return done * drifted * float(share**self.config.depth_gain)

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

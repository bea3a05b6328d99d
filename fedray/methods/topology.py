"""Groups for any method: the scenario's `topology` put over a method's plan."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fedray.adapters import AdapterSpec
from fedray.aggregation import Aggregate, Fold
from fedray.arrays import Floats, Ints
from fedray.methods.base import Method
from fedray.methods.capacity import CapacityEstimate
from fedray.methods.grouping import near_iid_groups
from fedray.protocol import DeviceReport, Group, Plan, ServerState, View
from fedray.scenario.schema import Topology
from fedray.seeds import Purpose, generator

RHO = 0.8  # share of the old value in the moving averages of capacity, as LEGEND's
MOVED = 0.25  # devices are grouped anew once their estimated seconds have changed by this share on average


class StandingGroups:
    """Which device is in which group, kept until the participants change or their estimated seconds have moved."""

    def __init__(self, groups: int, spread_weight: float) -> None:
        self.groups = groups
        self.spread_weight = spread_weight
        self.devices: list[int] = []
        self.seconds: list[float] = []
        self.numbers: list[int] = []

    def of(self, view: View, seconds: Floats) -> Ints:
        """The group number of every participant, (participants,)."""
        if view.devices.tolist() != self.devices or _moved(np.array(self.seconds), seconds):
            self.devices, self.seconds = view.devices.tolist(), seconds.tolist()
            self.numbers = near_iid_groups(view.label_histograms, seconds, self.groups, self.spread_weight).tolist()
        return np.array(self.numbers, np.int64)

    def state_dict(self) -> dict[str, Any]:
        return {"devices": self.devices, "seconds": self.seconds, "numbers": self.numbers}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.devices, self.seconds, self.numbers = state["devices"], state["seconds"], state["numbers"]


def _moved(before: Floats, now: Floats) -> bool:
    return bool(np.mean(np.abs(now - before) / np.maximum(before, 1e-12)) > MOVED)


def groups_of(devices: Ints, numbers: Ints, inner_rounds: Sequence[int]) -> tuple[Group, ...]:
    """The groups that have members; `numbers` is (devices,), `inner_rounds` (groups,)."""
    return tuple(
        Group(int(number), tuple(devices[numbers == number].tolist()), inner_rounds[number])
        for number in np.unique(numbers)
    )


class Grouped(Method[Any]):
    """A method whose devices are divided into groups; everything else is the method's own."""

    def __init__(self, method: Method[Any], topology: Topology, groups: int) -> None:
        super().__init__(method.config, method.context)
        self.method = method
        self.topology = topology
        self.groups = groups
        self.capacity = CapacityEstimate(method.context.pricing, method.context.devices, RHO)
        self.standing = StandingGroups(groups, topology.spread_weight)

    def adapter(self) -> AdapterSpec:
        return self.method.adapter()

    def plan(self, view: View) -> Plan:
        plan = self.method.plan(view)
        numbers = self._numbers(view, self._seconds(plan, view))
        assignments = tuple(
            replace(assignment, group=int(number)) for assignment, number in zip(plan.assignments, numbers, strict=True)
        )
        return Plan(assignments, groups_of(view.devices, numbers, [self.topology.inner_rounds] * self.groups))

    def fold(self) -> Fold:
        return self.method.fold()

    def apply(self, state: ServerState, folded: Aggregate) -> ServerState:
        return self.method.apply(state, folded)

    def simulate_apply(self) -> None:
        self.method.simulate_apply()

    def observe(self, reports: Sequence[DeviceReport]) -> None:
        self.capacity.observe(reports)
        self.method.observe(reports)

    def state_dict(self) -> dict[str, Any]:
        return {
            "method": self.method.state_dict(),
            "capacity": self.capacity.state_dict(),
            "groups": self.standing.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.method.load_state_dict(state["method"])
        self.capacity.load_state_dict(state["capacity"])
        self.standing.load_state_dict(state["groups"])

    def _seconds(self, plan: Plan, view: View) -> Floats:
        works = [self.context.pricing.work_of(assignment) for assignment in plan.assignments]
        return self.capacity.round_seconds(works, view)

    def _numbers(self, view: View, seconds: Floats) -> Ints:
        if self.topology.formation == "near-iid":
            return self.standing.of(view, seconds)
        if self.topology.formation == "speed":
            order = np.argsort(seconds, kind="stable")
        else:
            order = generator(self.context.seed, Purpose.GROUPING, view.round).permutation(len(seconds))
        numbers = np.empty(len(order), np.int64)
        numbers[order] = np.arange(len(order)) * min(self.groups, len(order)) // len(order)
        return numbers

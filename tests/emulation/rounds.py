"""Small rounds of three devices for tests: a truth, a plan, faults."""

from dataclasses import replace
from math import inf

import numpy as np

from fedray.adapters import AdapterSpec
from fedray.costs import Pricing
from fedray.emulation import DeviceLimits, RoundTermination, Schedule
from fedray.emulation import simulate as simulate_all
from fedray.environment.links import LinkDirection
from fedray.fleet import Conditions
from fedray.fleet.faults import RoundFaults
from fedray.protocol import Assignment, Group, Plan
from tests.shapes import shape

PRICING = Pricing(shape(), batch_size=2, sequence_length=16, head="shared")
SPEC = AdapterSpec((2, 2, 2, 2), (0, 1, 2, 3), 1.0)
WAIT_FOR_ALL = RoundTermination()


def truth(memory: tuple[float, ...] = (1e9, 1e9, 1e9)) -> Conditions:
    return Conditions(
        flops_per_second=np.array([1e6, 2e6, 4e6]),
        bytes_per_second=np.full(3, 1e12),  # high enough that only arithmetic counts
        launch_seconds=np.zeros(3),
        idle_watts=np.array([1.0, 1.0, 2.0]),
        compute_watts=np.array([10.0, 10.0, 20.0]),
        radio_watts=np.array([4.0, 4.0, 4.0]),
        down=LinkDirection.steady(np.full(3, 0.1), np.array([0.0, 0.0, 0.5])),
        up=LinkDirection.steady(np.full(3, 0.05), np.array([0.0, 0.0, 0.5])),
        cells=np.full(3, -1),
        memory_bytes=np.array(memory),
        round_faults=RoundFaults.none(3),
    )


def simulate(
    plan: Plan,
    conditions: Conditions,
    pricing: Pricing,
    started: float,
    leaves: tuple[float, ...] = (inf, inf, inf),
    charge: tuple[float, ...] = (inf, inf, inf),
    charging: float = 0.0,
    termination: RoundTermination = WAIT_FOR_ALL,
) -> Schedule:
    """With every device online for ever and the server waiting for all, unless said otherwise."""
    count = len(plan.assignments)
    limits = DeviceLimits(np.array(leaves[:count]), np.array(charge[:count]), np.full(count, charging))
    return simulate_all(plan, conditions, pricing, started, limits, termination)


def a_plan(*depths: int) -> Plan:
    assignments = tuple(Assignment(i, 0, SPEC.deepest(depth), 3, 1) for i, depth in enumerate(depths))
    return Plan(assignments, (Group(0, tuple(range(len(depths)))),))


def struck(**columns: object) -> Conditions:
    """The usual truth with some faults."""
    round_faults = {name: np.array(column) if name != "corruptions" else column for name, column in columns.items()}
    return replace(truth(), round_faults=replace(RoundFaults.none(3), **round_faults))

"""Fleets of every kind, and methods to plan for them."""

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from fedray.adapters import AdapterSpec
from fedray.costs import Pricing
from fedray.methods import METHODS, Method, MethodContext
from fedray.protocol import DeviceReport, Quantisation, View
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
    hook = type(assignment.hook).__name__
    wanted = {"GradientNorms": assignment.spec.depth, "TailDecay": 2}.get(hook, 0)
    return tuple(rng.uniform(0, 1, wanted).tolist())


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

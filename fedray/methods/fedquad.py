"""FedQuad (arXiv 2506.01001, IEEE TMC): LoRA depth and activation quantisation per device.

From the paper: every device has a depth, bounded by its compute, and a number of layers whose activations are
quantised, bounded by its memory; feasible and efficient pairs are listed first, then a greedy strategy picks one per
device. Reconstructed, because the paper's text could not be had: which layers are quantised, the scan over round times,
the utility of a depth and the waiting bound; each is a parameter below or said in its function.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import Field

from fedray.adapters import AdapterSpec
from fedray.arrays import Flags, Floats, Ints
from fedray.costs import Work
from fedray.methods.base import Method, MethodContext, MethodSection, ParameterError, in_one_group
from fedray.methods.capacity import CapacityEstimate
from fedray.methods.round_time import select_round_time
from fedray.protocol import Assignment, DeviceReport, LocalHook, Plan, PricedAdapter, Quantisation, View
from fedray.roofline import FLOAT
from fedray.scenario.schema import LARGEST

GROUP_SIZE = 256  # activations sharing one range


class FedQuadSection(MethodSection):
    """FedQuad: depth per device, and as many layers with quantised activations as its memory asks for.

    All defaults but the rank are reconstructed.
    """

    name: Literal["fedquad"] = Field(description="Depth and activation quantisation per device (arXiv 2506.01001).")
    bits: Literal[2, 4, 8] = Field(4, description="Of a quantised activation.")
    quantise: Literal["lowest", "highest", "none"] = Field(
        "lowest", description="Which tuned layers first: those farthest from the output, or nearest; none: ablation."
    )
    rho: float = Field(0.8, ge=0, lt=1, description="Share of the old value in the moving averages.")
    waiting_bound: float = Field(
        0.2, ge=0, le=LARGEST, description="Mean waiting allowed, as a share of the round's time."
    )


@dataclass(frozen=True)
class GradientNorms(LocalHook):
    """A device measures the mean squared norm of every trained layer's gradient, towards the output, and sends it."""

    runner = "fedray.learning.gradient_norms:NormMeter"

    def upload_bytes(self, adapter: PricedAdapter) -> int:
        return FLOAT * adapter.spec.depth


@dataclass(frozen=True)
class Choices:
    """What each device could do: for every depth, the fewest quantised layers that fit its memory, and the seconds.

    All (participants, depths); `quantised` is -1 and `seconds` infinite where the depth does not fit at all.
    """

    quantised: Ints
    seconds: Floats


class FedQuad(Method[FedQuadSection]):
    """Depths as useful per second as possible, each with just enough quantisation to fit."""

    section = FedQuadSection

    def __init__(self, config: FedQuadSection, context: MethodContext) -> None:
        super().__init__(config, context)
        self.capacity = CapacityEstimate(context.pricing, context.devices, config.rho)
        self.norms = np.full(context.shape.layers, 1 / context.shape.layers)
        self.held: dict[int, AdapterSpec] = {}

    def adapter(self) -> AdapterSpec:
        if self.config.bits == 2 and self.config.quantise != "none" and self.context.shape.fused_attention:
            raise ParameterError(
                "bits", "4 or 8, or 2 with model.attention: eager (fused attention's gradients explode)"
            )
        layers = self.context.shape.layers
        return AdapterSpec((self.config.rank,) * layers, tuple(range(layers)), self.config.scaling)

    def plan(self, view: View) -> Plan:
        choices = self.choices(view)
        depths = self._depths(choices)
        specs = [self.adapter().deepest(depth) for depth in range(1, self.context.shape.layers + 1)]
        plan = in_one_group(
            Assignment(
                device=int(device),
                group=0,
                spec=specs[depth - 1],
                local_steps=self.context.local_steps,
                weight=self.weight(int(examples)),
                quantisation=self._quantisation(int(depth), int(max(choices.quantised[row, depth - 1], 0))),
                hook=GradientNorms(),
            )
            for row, (device, depth, examples) in enumerate(zip(view.devices, depths, view.examples, strict=True))
        )
        self.held = {assignment.device: assignment.spec for assignment in plan.assignments}
        return plan

    def choices(self, view: View) -> Choices:
        """The efficient (depth, quantised) pairs of every participant: for each depth the least quantisation."""
        layers, allowed = self.context.shape.layers, self.config.quantise != "none"
        quantised = np.full((len(view.devices), layers), -1)
        seconds = np.full((len(view.devices), layers), np.inf)
        for depth in range(1, layers + 1):
            works = [self._work(depth, count) for count in range((depth if allowed else 0) + 1)]
            fits = np.array([work.memory_bytes for work in works])[None, :] <= view.memory_bytes[:, None]
            least = np.where(fits.any(axis=1), fits.argmax(axis=1), -1)
            times = self.capacity.seconds_of_choices(works, view)[np.arange(len(least)), least]
            quantised[:, depth - 1] = least
            seconds[:, depth - 1] = np.where(least >= 0, times, np.inf)
        return Choices(quantised, seconds)

    def observe(self, reports: Sequence[DeviceReport]) -> None:
        self.capacity.observe(reports)
        sums, counts = np.zeros(len(self.norms)), np.zeros(len(self.norms))
        for report in reports:
            if report.measured and np.isfinite(report.measured).all():
                trained = list(self.held[report.device].trained)
                sums[trained] += report.measured
                counts[trained] += 1
        seen = counts > 0
        if seen.any() and sums.sum() > 0:
            # what the seen layers hold of the whole is divided anew among them
            share = self.norms[seen].sum() * (sums[seen] / counts[seen]) / (sums[seen] / counts[seen]).sum()
            self.norms[seen] = self.config.rho * self.norms[seen] + (1 - self.config.rho) * share

    def state_dict(self) -> dict[str, Any]:
        return {"capacity": self.capacity.state_dict(), "norms": self.norms.tolist()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.capacity.load_state_dict(state["capacity"])
        self.norms = np.array(state["norms"])

    def _depths(self, choices: Choices) -> Ints:
        """A depth per device; 1 where nothing fits: the device will report that it is out of memory."""
        able: Flags = np.asarray(np.isfinite(choices.seconds).any(axis=1))
        depths: Ints = np.ones(len(able), np.int64)
        if able.any():
            utility = np.cumsum(self.norms[::-1])  # of the layers that a depth trains
            gains = np.broadcast_to(utility, choices.seconds[able].shape)
            depths[able] = 1 + select_round_time(choices.seconds[able], gains, self.config.waiting_bound)
        return depths

    def _quantisation(self, depth: int, count: int) -> Quantisation | None:
        layers = self.context.shape.layers
        first = layers - depth if self.config.quantise != "highest" else layers - count
        return Quantisation(tuple(range(first, first + count)), self.config.bits, GROUP_SIZE) if count else None

    def _work(self, depth: int, count: int) -> Work:
        spec, steps = self.adapter().deepest(depth), self.context.local_steps
        return self.context.pricing.work(spec, steps, self._quantisation(depth, count), GradientNorms())

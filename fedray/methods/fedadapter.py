"""FedAdapter-style progressive depth (arXiv 2205.10162), with LoRA in place of its bottleneck adapters.

From the paper: tuning starts at the top layers with a narrow adapter; from time to time groups of devices try the
current, a deeper and a wider adapter side by side, and all go on with the one that pays best. Reconstructed: the steps,
how often there is a trial, and what pays (`best_size`). Its cache of frozen layers' activations is not emulated.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field

from fedray.adapters import AdapterSpec
from fedray.methods.base import Method, MethodContext, MethodSection, ParameterError, in_one_group
from fedray.methods.capacity import CapacityEstimate
from fedray.protocol import Assignment, DeviceReport, Plan, View
from fedray.scenario.schema import Positive

Size = tuple[int, int]  # depth, rank


class FedAdapterSection(MethodSection):
    """FedAdapter-style progressive depth and rank, grown by trials; LoRA in place of bottlenecks."""

    name: Literal["fedadapter"] = Field(description="Progressive depth and rank, grown by trials (arXiv 2205.10162).")
    first_depth: Positive = Field(1, description="Layers tuned at the start, next to the output.")
    first_rank: Positive = Field(4, description="Rank at the start (at most rank).")
    depth_step: Positive = Field(1, description="Layers a trial adds.")
    rank_step: Positive = Field(2, description="Ranks a trial adds.")
    trial_every: Positive = Field(2, description="Rounds between trials.")
    rho: float = Field(0.8, ge=0, lt=1, description="Share of the old value in the moving averages of capacity.")


class FedAdapter(Method[FedAdapterSection]):
    """One size for all, grown by trials in which a third of the devices each tries a size."""

    section = FedAdapterSection

    def __init__(self, config: FedAdapterSection, context: MethodContext) -> None:
        super().__init__(config, context)
        self.capacity = CapacityEstimate(context.pricing, context.devices, config.rho)
        self.size: Size = (config.first_depth, config.first_rank)
        self.last_loss: float | None = None
        self.tried: dict[int, Size] = {}  # by device, of the current round
        self.seconds: dict[Size, float] = {}

    def adapter(self) -> AdapterSpec:
        layers = self.context.shape.layers
        if self.config.first_depth > layers:
            raise ParameterError("first_depth", f"an integer ≤ {layers}, the backbone's layers")
        if self.config.first_rank > self.config.rank:
            raise ParameterError("first_rank", f"an integer ≤ rank ({self.config.rank})")
        return AdapterSpec((self.config.rank,) * layers, tuple(range(layers)), self.config.scaling)

    def plan(self, view: View) -> Plan:
        sizes = self._sizes() if view.round % self.config.trial_every == 0 else [self.size]
        specs = {size: self.adapter().deepest(size[0]).truncated_to(size[1]) for size in sizes}
        works = [self.context.pricing.work(specs[size], self.context.local_steps) for size in sizes]
        longest = self.capacity.seconds_of_choices(works, view).max(axis=0)
        self.seconds = dict(zip(sizes, longest.tolist(), strict=True))
        self.tried = {device: sizes[place % len(sizes)] for place, device in enumerate(view.devices.tolist())}
        return in_one_group(
            Assignment(device, 0, specs[self.tried[device]], self.context.local_steps, self.weight(int(examples)))
            for device, examples in zip(view.devices.tolist(), view.examples, strict=True)
        )

    def observe(self, reports: Sequence[DeviceReport]) -> None:
        self.capacity.observe(reports)
        known = [report for report in reports if np.isfinite(report.loss)]
        if not known:
            return
        if self.last_loss is not None and len(self.seconds) > 1:
            self.size = best_size(self._mean_losses(known), self.seconds, self.last_loss)
        self.last_loss = float(np.mean([report.loss for report in known]))

    def state_dict(self) -> dict[str, Any]:
        return {"capacity": self.capacity.state_dict(), "size": list(self.size), "last_loss": self.last_loss}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.capacity.load_state_dict(state["capacity"])
        depth, rank = state["size"]
        self.size, self.last_loss = (depth, rank), state["last_loss"]

    def _sizes(self) -> list[Size]:
        """The current size, a deeper and a wider one, as far as there are such."""
        depth, rank = self.size
        deeper = (min(depth + self.config.depth_step, self.context.shape.layers), rank)
        wider = (depth, min(rank + self.config.rank_step, self.config.rank))
        return list(dict.fromkeys([self.size, deeper, wider]))

    def _mean_losses(self, reports: Sequence[DeviceReport]) -> dict[Size, float]:
        """The mean loss of each size that a report came from, the current size first."""
        losses: dict[Size, list[float]] = {size: [] for size in self.seconds}
        for report in reports:
            losses[self.tried[report.device]].append(report.loss)
        return {size: float(np.mean(mine)) for size, mine in losses.items() if mine}


def best_size(losses: Mapping[Size, float], seconds: Mapping[Size, float], before: float) -> Size:
    """The size that lowered the loss most per second; if none lowered it, the one with the lowest loss.

    `losses` and `seconds` are those of a round in which each size was tried; `before` is the loss of the round before.
    Of equals the first in `losses` is taken. Seconds do not weigh a rise: the rise divided by them would favour the
    slowest size.
    """
    lowered = [size for size, loss in losses.items() if loss < before]
    if lowered:
        return max(lowered, key=lambda size: (before - losses[size]) / seconds[size])
    return min(losses, key=lambda size: losses[size])

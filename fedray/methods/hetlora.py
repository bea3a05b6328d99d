"""HetLoRA (arXiv 2401.06432): every device its own rank, which it prunes itself.

From the paper: heterogeneous ranks; truncation on the way down, zero-padding on the way up; aggregation weighted by the
norm of the update; rank self-pruning with a penalty on the tail. Reconstructed: how first ranks follow from declared
speed, the penalty's strength, that pruning ends at min_rank, and what the norm is taken of: the paper writes it for one
matrix, so `norm_of` has both readings. Ranks are pruned to floor(prune * rank): rounding 0.99 * rank to the nearest
integer would never prune a rank of 50 or less.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor
from typing import Any, Literal

import numpy as np
from pydantic import Field

from fedray.adapters import AdapterSpec, layout_of
from fedray.aggregation import Fold, NormOf, NormWeightedMean
from fedray.methods.base import Method, MethodContext, MethodSection, ParameterError, in_one_group
from fedray.protocol import Assignment, DeviceReport, LocalHook, Plan, View
from fedray.scenario.schema import LARGEST, Positive


class HetLoRASection(MethodSection):
    """HetLoRA: a rank per device, which it prunes itself; aggregation weighted by norm."""

    name: Literal["hetlora"] = Field(description="A LoRA rank per device (arXiv 2401.06432).")
    weights: Literal["norm"] = Field("norm", description="By the norm of its product B A.")  # type: ignore[assignment]
    norm_of: NormOf = Field(
        "adapter",
        description="adapter: one weight per update, from all its modules; module: each module weighs by its own norm.",
    )
    aggregation: Literal["zero-pad"] = Field("zero-pad", description="Ranks that a device does not hold count as zero.")
    rank: Positive = Field(8, description="The largest rank, of the fastest devices and of the global adapter.")
    min_rank: Positive = Field(2, description="The smallest rank, of the slowest devices.")
    prune: float = Field(0.99, gt=0, le=1, description="A device whose tail fell goes on with floor(prune * rank).")
    tail_strength: float = Field(
        5e-3, ge=0, le=LARGEST, description="Weight of the penalty on the tail (reconstructed)."
    )


@dataclass(frozen=True)
class TailDecay(LocalHook):
    """A device adds strength * sum over modules of |B tail| |A tail| to its loss; the tail is what lies beyond `keep`
    ranks. It measures that sum before and after training. None of it is priced.
    """

    runner = "fedray.learning.tail_decay:TailTrainer"

    keep: int
    strength: float


class HetLoRA(Method[HetLoRASection]):
    """Ranks by declared speed at first, then by what devices report of their tails."""

    section = HetLoRASection

    def __init__(self, config: HetLoRASection, context: MethodContext) -> None:
        super().__init__(config, context)
        self.ranks: dict[int, int] = {}

    def adapter(self) -> AdapterSpec:
        if self.config.min_rank > self.config.rank:
            raise ParameterError("min_rank", f"an integer ≤ rank ({self.config.rank})")
        layers = self.context.shape.layers
        return AdapterSpec((self.config.rank,) * layers, tuple(range(layers)), self.config.scaling)

    def plan(self, view: View) -> Plan:
        whole = self.adapter()
        self.ranks = first_ranks(view, self.config.min_rank, self.config.rank) | self.ranks
        return in_one_group(
            Assignment(
                device=device,
                group=0,
                spec=whole.truncated_to(self.ranks[device]),
                local_steps=self.context.local_steps,
                weight=1,  # the fold weighs by norm
                hook=TailDecay(self._pruned(self.ranks[device]), self.config.tail_strength),
            )
            for device in view.devices.tolist()
        )

    def fold(self) -> Fold:
        return NormWeightedMean(layout_of(self.context.shape, self.adapter()), self.config.norm_of)

    def observe(self, reports: Sequence[DeviceReport]) -> None:
        for report in reports:
            if report.measured:
                before, after = report.measured
                if after < before:
                    self.ranks[report.device] = self._pruned(self.ranks[report.device])

    def state_dict(self) -> dict[str, Any]:
        return {"ranks": {str(device): rank for device, rank in self.ranks.items()}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.ranks = {int(device): rank for device, rank in state["ranks"].items()}

    def _pruned(self, rank: int) -> int:
        return max(self.config.min_rank, floor(self.config.prune * rank))


def first_ranks(view: View, min_rank: int, max_rank: int) -> dict[int, int]:
    """A rank per participant, growing with its declared speed from min_rank to max_rank (which all have if all are
    equally fast), rounded down.
    """
    speed = view.declared_flops_per_second
    reach = np.ptp(speed)
    place = (speed - speed.min()) / reach if reach else np.ones(len(speed))
    ranks = min_rank + np.floor(place * (max_rank - min_rank) + 1e-9).astype(np.int64)
    return dict(zip(view.devices.tolist(), ranks.tolist(), strict=True))

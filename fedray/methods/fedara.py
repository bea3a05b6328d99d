"""FedARA (arXiv 2501.14406, IEEE TC): SVD adaptation, dynamic rank allocation, rank-based module pruning.

From the paper: truncated-SVD adaptation against heterogeneous data; critical ranks found progressively; inactive
modules removed. Reconstructed, because the paper's text could not be had, with AdaLoRA as the guide: importance, the
schedule of the budget, votes and arbitration; each choice is a parameter below. Importance starts anew in every local
training, as optimiser state does. Its learning rate is that of FedSVD, which says why.

Under the defaults ranks fall from the first twentieth of the rounds on, and traffic with them. Seconds fall only where
whole modules go: a little with each, and most where the lowest layers lose their last one. LoRA on query and value
alone leaves little to go; on all six linear modules of a layer most modules can go.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import Any, Literal

import numpy as np
from pydantic import Field

from fedray.adapters import AdapterSpec, Layout, layout_of
from fedray.aggregation import Aggregate, Fold, TripletAggregate, TripletMean, triplet_numbers
from fedray.arrays import Flags
from fedray.methods.base import MethodContext, ParameterError
from fedray.methods.fedsvd import SVDMethod, SVDSection
from fedray.protocol import LocalHook, Plan, PricedAdapter, ServerState, View
from fedray.roofline import FLOAT
from fedray.scenario.schema import LARGEST, Positive


class FedARASection(SVDSection):
    """FedARA: SVD adapters whose ranks shrink by the devices' votes, until whole modules are gone.

    All defaults are reconstructed. The schedule spans the rounds of the run: one given more rounds later keeps what it
    has until the longer schedule falls below it.
    """

    name: Literal["fedara"] = Field(
        description="SVD adapters whose ranks shrink by the devices' votes (arXiv 2501.14406)."
    )
    aggregation: Literal["holders"] = Field(
        "holders", description="A triplet's mean is over the devices that selected it."
    )
    rank: Positive = Field(12, description="Rank of every module at the start; it stays in the scaling.")
    lora_alpha: float = Field(24.0, gt=0, le=LARGEST, description="Scaling is lora_alpha / rank: 2, as of all methods.")
    final_rank: float = Field(3.0, gt=0, le=LARGEST, description="Mean rank of the modules at the end (at most rank).")
    warmup: float = Field(0.05, ge=0, lt=1, description="Share of the rounds before ranks are taken away.")
    final: float = Field(0.25, ge=0, lt=1, description="Share of the rounds, the last ones, at the final rank.")
    arbitration: Literal["top_budget", "threshold"] = Field(
        "top_budget",
        description="top_budget: the budget's triplets with most votes; threshold: those with half the votes or more.",
    )
    smoothing: float = Field(0.85, ge=0, lt=1, description="Share of the old value in the averages of importance.")
    orthogonality: float = Field(
        0.0, ge=0, le=LARGEST, description="Weight of the orthogonality penalty (AdaLoRA: 0.1)."
    )


@dataclass(frozen=True)
class TripletSelection(LocalHook):
    """A device selects the `keep` most important of all triplets (A row, E entry, B column) it holds.

    `orthogonality` weighs mean(|A A^T - I|, |B^T B - I|) over the modules in the loss; `smoothing` is the share of the
    old value in the moving averages of importance. It sends what it selected, a bit per triplet, and each one's score,
    and receives a bit per triplet.
    """

    runner = "fedray.learning.triplet_selection:TripletSelector"

    keep: int
    orthogonality: float
    smoothing: float

    def download_bytes(self, adapter: PricedAdapter) -> int:
        return _mask_bytes(adapter.down)

    def upload_bytes(self, adapter: PricedAdapter) -> int:
        """The server only knows how many triplets come, not which: they are priced at the mean size of those held,
        exact where all target modules have one shape.
        """
        held = _held_triplets(adapter.up)
        share = min(1.0, adapter.stretched(self.keep) / max(held, 1))
        floats = round(adapter.up.lora_size * share) - adapter.up.lora_size
        return FLOAT * (floats + round(held * share)) + _mask_bytes(adapter.up)


class FedARA(SVDMethod[FedARASection]):
    """Every round the devices vote which triplets stay; what lost is gone from state, training and traffic for good.

    The adapter is kept compact: a module's surviving triplets fill its first ranks, and a module or layer without any
    is not there.
    """

    section = FedARASection
    keeps_layout = False

    def __init__(self, config: FedARASection, context: MethodContext) -> None:
        super().__init__(config, context)
        self.module_ranks = ((config.rank,) * len(context.shape.targets),) * context.shape.layers
        self.keep = _triplets(self.module_ranks)

    def adapter(self) -> AdapterSpec:
        if self.config.final_rank > self.config.rank:
            raise ParameterError("final_rank", f"a number ≤ rank ({self.config.rank})")
        if self.config.warmup + self.config.final >= 1:
            raise ParameterError("final", f"below 1 - warmup ({1 - self.config.warmup:g})")
        return AdapterSpec.of_modules(self.module_ranks, self.config.scaling, "svd")

    def plan(self, view: View) -> Plan:
        self.keep = min(self.budget(view.round), _triplets(self.module_ranks))
        hook = TripletSelection(self.keep, self.config.orthogonality, self.config.smoothing)
        return self.uniform_plan(view, self.adapter(), hook)

    def budget(self, round_: int) -> int:
        """How many triplets are left after a round: all, then a cubic fall, then the final mean rank."""
        modules = len(self.module_ranks) * len(self.module_ranks[0])
        rounds = self.context.rounds
        first, last = self.config.rank * modules, self._final_triplets
        begins, ends = self.config.warmup * rounds, (1 - self.config.final) * rounds
        gone = min(max((round_ - begins) / (ends - begins), 0.0), 1.0)
        return round(last + (first - last) * (1 - gone) ** 3)

    def fold(self) -> Fold:
        return TripletMean(layout_of(self.context.shape, self.adapter()))

    def apply(self, state: ServerState, folded: Aggregate) -> ServerState:
        if not isinstance(folded, TripletAggregate):
            raise TypeError("FedARA aggregates what TripletMean folds")
        if not folded.votes.any():  # no update arrived, so there are no votes and no pruning
            return state
        kept = self._arbitrate(folded)
        numbers = triplet_numbers(layout_of(self.context.shape, state.spec))
        values = np.where(folded.held, folded.values, state.values)
        self.module_ranks = _counted(kept, state.spec, len(self.context.shape.targets))
        return ServerState(self.adapter(), values[np.append(kept, True)[numbers]])

    def simulate_apply(self) -> None:
        modules = len(self.module_ranks) * len(self.module_ranks[0])
        even, left = divmod(self.keep, modules)
        flat = [even + (module >= modules - left) for module in range(modules)]
        targets = len(self.module_ranks[0])
        self.module_ranks = tuple(tuple(flat[at : at + targets]) for at in range(0, modules, targets))

    def state_dict(self) -> dict[str, Any]:
        return {"module_ranks": [list(row) for row in self.module_ranks]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.module_ranks = tuple(tuple(row) for row in state["module_ranks"])

    @property
    def _final_triplets(self) -> int:
        """What is left in the end, at least one: an adapter of nothing is none."""
        return max(1, round(self.config.final_rank * len(self.module_ranks) * len(self.module_ranks[0])))

    def _arbitrate(self, folded: TripletAggregate) -> Flags:
        """Which triplets stay, (triplets,); ties of votes go by the mean score, then to the first."""
        ranking = np.lexsort((-folded.scores, -folded.votes))
        keep = self.keep
        if self.config.arbitration == "threshold":
            keep = max(int((folded.votes >= 0.5).sum()), min(self._final_triplets, len(ranking)))
        kept = np.zeros(len(ranking), np.bool_)
        kept[ranking[:keep]] = True
        return kept


def _held_triplets(layout: Layout) -> int:
    """How many (A row, E entry, B column) triplets an adapter has."""
    return sum(entry.size for entry in layout.entries if entry.factor == "E")


def _mask_bytes(layout: Layout) -> int:
    """A bit per triplet."""
    return ceil(_held_triplets(layout) / 8)


def _triplets(module_ranks: tuple[tuple[int, ...], ...]) -> int:
    return sum(map(sum, module_ranks))


def _counted(kept: Flags, spec: AdapterSpec, targets: int) -> tuple[tuple[int, ...], ...]:
    """How many triplets of every module are left."""
    ranks = [spec.target_ranks(layer, targets) for layer in range(spec.layers)]
    ends = np.cumsum([0, *(rank for row in ranks for rank in row)])
    left = [int(kept[start:end].sum()) for start, end in pairwise(ends)]
    return tuple(tuple(left[at : at + targets]) for at in range(0, len(left), targets))

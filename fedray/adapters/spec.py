"""What a backbone offers LoRA, and what an adapter makes of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Literal

Form = Literal["lora", "svd"]
LoraFactor = Literal["A", "E", "B"]


@dataclass(frozen=True)
class LoraTarget:
    """A linear module that every layer has and that carries LoRA; `name` is its path inside the layer."""

    name: str
    in_features: int
    out_features: int


@dataclass(frozen=True)
class HeadTensor:
    """A tensor of the classification head; `name` as in the model's state."""

    name: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True)
class BackboneShape:
    """The architecture as costs and layouts see it; layer 0 is next to the input, layer `layers` - 1 to the output."""

    name: str
    layers: int
    hidden: int
    heads: int
    layer_prefix: str  # module path of the layer list, for example backbone.encoder.layer
    linears: tuple[tuple[int, int], ...]  # (in, out) features of one layer's linear modules
    activation_units: float  # floats per token and hidden unit that one tunable layer keeps for backward, masks too
    parameters: int  # of the whole backbone, embeddings included, head excluded
    targets: tuple[LoraTarget, ...]
    head: tuple[HeadTensor, ...]
    fused_attention: bool = True
    mask_units: float = 0.0  # of activation_units, those of dropout masks, which are never quantised
    dropout: float = 0.0  # in local training
    entry_linears: tuple[tuple[int, int], ...] = ()  # of linears: those that a layer's input enters, normed or not

    @property
    def inner(self) -> int:
        """The width between the feed-forward modules."""
        return max(out for _, out in self.linears)


@dataclass(frozen=True)
class AdapterSpec:
    """Which layers carry an adapter, at which rank, and which of them are trained.

    `ranks[l]` is layer l's rank on every target module, 0 where it carries none; `trained` lists the trained layers
    in ascending order; the forward pass is y = Wx + scaling * B(Ax) on every layer (peft: alpha = scaling * rank).
    Where the modules of a layer differ, `module_ranks[l][t]` is the rank of its t-th target and `ranks[l]` the highest.
    The form `svd` puts a diagonal between the factors: y = Wx + scaling * B diag(E) (Ax).
    Factors in `fixed` keep their initial values on all layers. They are neither trained nor sent in either direction:
    every device draws them from the run's seed.
    """

    ranks: tuple[int, ...]
    trained: tuple[int, ...]
    scaling: float
    module_ranks: tuple[tuple[int, ...], ...] | None = None
    form: Form = "lora"
    fixed: tuple[LoraFactor, ...] = ()

    @staticmethod
    def of_modules(module_ranks: Sequence[Sequence[int]], scaling: float, form: Form = "lora") -> "AdapterSpec":
        """An adapter given by the rank of every target module of every layer; layers without any are not trained."""
        ranks = tuple(max(row) for row in module_ranks)
        trained = tuple(layer for layer, rank in enumerate(ranks) if rank)
        return AdapterSpec(ranks, trained, scaling, tuple(tuple(row) for row in module_ranks), form)

    def __post_init__(self) -> None:
        if any(rank < 0 for rank in self.ranks):
            raise ValueError(f"ranks must not be negative: {self.ranks}")
        if any(not 0 <= layer < len(self.ranks) or not self.ranks[layer] for layer in self.trained):
            raise ValueError(f"trained layers {self.trained} must carry an adapter, ranks {self.ranks}")
        if list(self.trained) != sorted(set(self.trained)):
            raise ValueError(f"trained layers must ascend: {self.trained}")
        if self.module_ranks is not None and self.ranks != tuple(max(row) for row in self.module_ranks):
            raise ValueError(f"ranks {self.ranks} must be the highest of each layer's modules {self.module_ranks}")

        if self.trained and {"A", "B"} <= set(self.fixed):
            raise ValueError("A and B cannot both be fixed: nothing would be trained")

    @property
    def trained_factors(self) -> tuple[LoraFactor, ...]:
        """A and B without those that are fixed."""
        factors: tuple[LoraFactor, ...] = ("A", "B")
        return tuple(factor for factor in factors if factor not in self.fixed)

    @property
    def layers(self) -> int:
        return len(self.ranks)

    @property
    def depth(self) -> int:
        """Number of trained layers."""
        return len(self.trained)

    @property
    def backward_layers(self) -> int:
        """Layers that back-propagation passes through: from the output to the lowest trained one."""
        return self.layers - self.trained[0] if self.trained else 0

    def target_ranks(self, layer: int, targets: int) -> tuple[int, ...]:
        """The rank of each of a layer's target modules."""
        return self.module_ranks[layer] if self.module_ranks is not None else (self.ranks[layer],) * targets

    @property
    def trained_ranks(self) -> tuple[float, ...]:
        """Ranks of the trained layers, towards the output; the mean over a layer's modules where they differ."""
        if self.module_ranks is None:
            return tuple(self.ranks[layer] for layer in self.trained)
        return tuple(sum(self.module_ranks[layer]) / len(self.module_ranks[layer]) for layer in self.trained)

    def restricted_to(self, layers: range) -> "AdapterSpec":
        """The same adapter on these layers only: elsewhere the bare backbone (`below_depth: backbone`)."""
        kept = [layer for layer in layers if self.ranks[layer]]
        ranks = tuple(rank if layer in layers else 0 for layer, rank in enumerate(self.ranks))
        modules = self.module_ranks and tuple(
            row if layer in layers else (0,) * len(row) for layer, row in enumerate(self.module_ranks)
        )
        return replace(self, ranks=ranks, trained=tuple(kept), module_ranks=modules)

    def truncated_to(self, rank: int) -> "AdapterSpec":
        """The same adapter with no layer above a rank; LoRA of one rank per layer only."""
        return replace(self, ranks=tuple(min(rank, mine) for mine in self.ranks))

    def stretched_to(self, layers: int) -> "AdapterSpec":
        """The adapter as an architecture of `layers` layers would carry it (a cost twin).

        Layer j there takes the rank and the part of layer j * L // layers here, so that every layer here stands for an
        equal run of layers there, and depth keeps its share of the whole.
        """
        standing_for = [layer * self.layers // layers for layer in range(layers)]
        return replace(
            self,
            ranks=tuple(self.ranks[layer] for layer in standing_for),
            trained=tuple(j for j, layer in enumerate(standing_for) if layer in self.trained),
            module_ranks=self.module_ranks and tuple(self.module_ranks[layer] for layer in standing_for),
        )

    def deepest(self, depth: int) -> "AdapterSpec":
        """The same adapter on the `depth` layers next to the output."""
        return self.restricted_to(range(self.layers - depth, self.layers))

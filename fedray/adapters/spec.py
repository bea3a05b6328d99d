"""What a backbone offers LoRA, and what an adapter makes of it."""

from dataclasses import dataclass, replace
from math import prod


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
    layer_parameters: int  # weights of the linear modules of one layer
    activation_units: float  # floats per token and hidden unit that one tunable layer keeps for backward
    parameters: int  # of the whole backbone, embeddings included, head excluded
    targets: tuple[LoraTarget, ...]
    head: tuple[HeadTensor, ...]


@dataclass(frozen=True)
class AdapterSpec:
    """Which layers carry an adapter, at which rank, and which of them are trained.

    `ranks[l]` is layer l's rank on every target module, 0 where it carries none; `trained` lists the trained layers
    in ascending order; the forward pass is y = Wx + scaling * B(Ax) on every layer (peft: alpha = scaling * rank).
    """

    ranks: tuple[int, ...]
    trained: tuple[int, ...]
    scaling: float

    def __post_init__(self) -> None:
        if any(rank < 0 for rank in self.ranks):
            raise ValueError(f"ranks must not be negative: {self.ranks}")
        if any(not 0 <= layer < len(self.ranks) or not self.ranks[layer] for layer in self.trained):
            raise ValueError(f"trained layers {self.trained} must carry an adapter, ranks {self.ranks}")
        if list(self.trained) != sorted(set(self.trained)):
            raise ValueError(f"trained layers must ascend: {self.trained}")

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

    @property
    def trained_ranks(self) -> tuple[int, ...]:
        """Ranks of the trained layers, towards the output."""
        return tuple(self.ranks[layer] for layer in self.trained)

    def restricted_to(self, layers: range) -> "AdapterSpec":
        """The same adapter on these layers only: elsewhere the bare backbone (`below_depth: backbone`)."""
        kept = [layer for layer in layers if self.ranks[layer]]
        ranks = tuple(rank if layer in layers else 0 for layer, rank in enumerate(self.ranks))
        return replace(self, ranks=ranks, trained=tuple(kept))

    def deepest(self, depth: int) -> "AdapterSpec":
        """The same adapter on the `depth` layers next to the output."""
        return self.restricted_to(range(self.layers - depth, self.layers))

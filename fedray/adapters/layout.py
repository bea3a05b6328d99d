"""Where each tensor of an adapter lies in one flat float32 buffer: LoRA by layer, then the head."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fedray.adapters.spec import AdapterSpec, BackboneShape
from fedray.arrays import Ints

Factor = Literal["A", "E", "B", "head"]


@dataclass(frozen=True)
class Entry:
    """One tensor: LoRA factor A (rank x in), B (out x rank) or E (rank, the diagonal of form `svd`) of a module, or a
    tensor of the head (layer None)."""

    module: str
    layer: int | None
    factor: Factor
    shape: tuple[int, ...]
    offset: int

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def span(self) -> slice:
        return slice(self.offset, self.offset + self.size)


@dataclass(frozen=True)
class Layout:
    """The entries of a buffer, in order and without gaps.

    Layouts are keys of caches that are asked once per device: equal ones of a process are mostly one object, also after
    pickling, and the hash does not visit the entries.
    """

    entries: tuple[Entry, ...]

    def __hash__(self) -> int:
        return hash((len(self.entries), self.entries[-1].offset if self.entries else 0))

    def __reduce__(self) -> tuple[Callable[[tuple[Entry, ...]], "Layout"], tuple[tuple[Entry, ...]]]:
        return _interned, (self.entries,)

    @property
    def size(self) -> int:
        """Floats in the buffer."""
        return self.entries[-1].span.stop if self.entries else 0

    @property
    def lora_size(self) -> int:
        """Floats before the head."""
        return sum(entry.size for entry in self.entries if entry.factor != "head")

    def tensor(self, buffer: NDArray[np.float32], entry: Entry) -> NDArray[np.float32]:
        """A view of one entry."""
        return buffer[entry.span].reshape(entry.shape)

    def only(self, keep: Callable[[Entry], bool]) -> "Layout":
        """The layout of the entries that `keep` says yes to, without gaps."""
        kept: list[Entry] = []
        for entry in filter(keep, self.entries):
            kept.append(replace(entry, offset=kept[-1].span.stop if kept else 0))
        return _interned(tuple(kept))

    def positions_of(self, part: "Layout") -> Ints:
        """For each float of `part`, its place in this buffer.

        A part with a smaller rank takes the first rows of A and the first columns of B (zero-padding and truncation
        in the sense of HetLoRA). KeyError if the part has a tensor this layout lacks.
        """
        return _positions(self, part)


@lru_cache(maxsize=1024)
def _interned(entries: tuple[Entry, ...]) -> Layout:
    return Layout(entries)


@lru_cache(maxsize=256)
def _positions(whole: Layout, part: Layout) -> Ints:
    places = {(entry.module, entry.factor): entry for entry in whole.entries}
    pieces = []
    for entry in part.entries:
        home = places[entry.module, entry.factor]
        grid = np.arange(home.span.start, home.span.stop).reshape(home.shape)
        pieces.append(grid[tuple(slice(extent) for extent in entry.shape)].ravel())
    positions = np.concatenate(pieces) if pieces else np.empty(0, np.int64)
    positions.flags.writeable = False
    return positions


@lru_cache(maxsize=1024)
def layout_of(shape: BackboneShape, spec: AdapterSpec) -> Layout:
    """The layout of an adapter with its head."""
    entries: list[Entry] = []
    offset = 0

    def place(module: str, layer: int | None, factor: Factor, extents: tuple[int, ...]) -> None:
        nonlocal offset
        entries.append(Entry(module, layer, factor, extents, offset))
        offset += entries[-1].size

    for layer in range(spec.layers):
        for target, rank in zip(shape.targets, spec.target_ranks(layer, len(shape.targets)), strict=True):
            if not rank:
                continue
            module = f"{shape.layer_prefix}.{layer}.{target.name}"
            place(module, layer, "A", (rank, target.in_features))
            if spec.form == "svd":
                place(module, layer, "E", (rank,))
            place(module, layer, "B", (target.out_features, rank))
    for tensor in shape.head:
        place(tensor.name, None, "head", tensor.shape)
    return _interned(tuple(entries))


@lru_cache(maxsize=1024)
def download_layout(shape: BackboneShape, spec: AdapterSpec, head_travels: bool) -> Layout:
    """What a device receives: every LoRA tensor it holds but fixed ones, and the head if it travels."""
    return layout_of(shape, spec).only(lambda e: head_travels if e.layer is None else e.factor not in spec.fixed)


@lru_cache(maxsize=1024)
def upload_layout(shape: BackboneShape, spec: AdapterSpec, head_travels: bool) -> Layout:
    """What a device sends: the LoRA tensors it trained, and the head if it travels."""
    return layout_of(shape, spec).only(
        lambda e: head_travels if e.layer is None else e.layer in spec.trained and e.factor not in spec.fixed
    )

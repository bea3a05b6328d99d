"""Activation quantisation (FedQuad, arXiv 2506.01001): what a layer saves for backward is held as 2, 4 or 8-bit codes.

The forward pass is not touched: output and loss keep their bits. Only gradients below see the noise, and stochastic
rounding leaves each saved value unbiased. Codes and groups follow the activation-compressed training libraries.

Fused attention (SDPA) recomputes its softmax from noisy queries and keys with the exact logsumexp of the forward pass,
so noise is exponentiated: at 2 bits gradients explode (benchmarks/quantisation.py); eager attention stays bounded.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from weakref import WeakKeyDictionary, WeakValueDictionary

import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.hooks import RemovableHandle

from fedray.learning.saved_tensors import Exact, SavedTensors, restored, storages

BITS = (2, 4, 8)
GROUP_SIZE = 256


@dataclass(frozen=True, eq=False)
class Packed:
    """A tensor as codes: uint8 (groups, group_size * bits / 8); each group's float32 minimum and step (groups, 1)."""

    codes: torch.Tensor
    minimum: torch.Tensor
    step: torch.Tensor
    shape: torch.Size
    dtype: torch.dtype

    @property
    def nbytes(self) -> int:
        return self.codes.nbytes + self.minimum.nbytes + self.step.nbytes


@dataclass(frozen=True)
class Quantiser:
    """Packs floats into codes of 2, 4 or 8 bits, in groups of `group_size` consecutive values (a multiple of 8)."""

    bits: int = 4
    group_size: int = GROUP_SIZE

    def __post_init__(self) -> None:
        if self.bits not in BITS:
            raise ValueError(f"bits is one of {BITS}, not {self.bits}")
        if self.group_size < 8 or self.group_size % 8:
            raise ValueError(f"group_size is a multiple of 8, not {self.group_size}")

    @property
    def levels(self) -> int:
        """The highest code: a group's maximum."""
        return (1 << self.bits) - 1

    def nbytes(self, count: int) -> int:
        """What `count` values take when packed; the last group is held whole."""
        return math.ceil(count / self.group_size) * (self.group_size * self.bits // 8 + 8)

    def pack(self, tensor: torch.Tensor, generator: torch.Generator) -> Packed:
        """Codes of a floating tensor of any shape, rounded up or down at random so that the mean is the value.

        A group with a value that is not finite, or whose range overflows float32, comes back as NaN throughout: a
        broken activation must not return as a plausible one. The noise has 16 bits: a value's mean is exact to 2⁻¹⁷
        of a step.
        """
        flat = tensor.detach().reshape(-1).to(torch.float32)
        if missing := -flat.numel() % self.group_size:
            flat = torch.cat([flat, flat[-1:].expand(missing)])  # a value of the group leaves its range as it is
        groups = flat.view(flat.numel() // self.group_size, self.group_size)
        minimum = groups.amin(1, keepdim=True)
        step = (groups.amax(1, keepdim=True) - minimum) / self.levels
        values = (groups - minimum).div_(step).add_(_uniform(groups, generator)).clamp_(max=self.levels)
        # 0/0 of a constant group and whatever is broken becomes 0, for a cast of NaN is undefined; a step that is
        # infinite or NaN makes NaN of that 0; for the rest, the cast truncates, which above 0 is floor
        codes = values.nan_to_num_(0.0).to(torch.uint8)
        return Packed(self._squeeze(codes), minimum, step, tensor.shape, tensor.dtype)

    def unpack(self, packed: Packed) -> torch.Tensor:
        """The tensor in its shape (contiguous) and dtype, each value within one step of what was packed."""
        values = self._spread(packed.codes).mul_(packed.step).add_(packed.minimum)
        return values.view(-1)[: packed.shape.numel()].to(packed.dtype).view(packed.shape)

    def _squeeze(self, codes: torch.Tensor) -> torch.Tensor:
        """(groups, group_size) to bytes: a group's first part in the low bits, the next above it, and so on."""
        parts = codes.view(len(codes), 8 // self.bits, self.group_size * self.bits // 8)
        squeezed = parts[:, 0].clone()
        for place in range(1, parts.shape[1]):
            squeezed |= parts[:, place] << place * self.bits
        return squeezed

    def _spread(self, squeezed: torch.Tensor) -> torch.Tensor:
        """Bytes to codes as float32 (groups, group_size)."""
        parts = torch.empty((len(squeezed), 8 // self.bits, squeezed.shape[1]), device=squeezed.device)
        for place in range(parts.shape[1]):
            parts[:, place] = (squeezed >> place * self.bits) & self.levels
        return parts.view(len(squeezed), self.group_size)


def _uniform(like: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Uniform in (0, 1), 65,536 values symmetric about a half; drawn four at a time, a third of the time of `rand`."""
    words = torch.empty(like.numel() // 4, dtype=torch.int64, device=generator.device)
    words.random_(-(2**63), None, generator=generator)
    return words.view(torch.int16).to(like.device, torch.float32).mul_(2**-16).add_(0.5 + 2**-17).view(like.shape)


@dataclass(frozen=True, eq=False)
class _Coded:
    """A saved tensor as a view of packed memory, which other saved tensors may share."""

    packed: Packed
    quantiser: Quantiser
    shape: torch.Size
    stride: tuple[int, ...]

    def restore(self) -> torch.Tensor:
        return self.quantiser.unpack(self.packed).as_strided(self.shape, self.stride)


@dataclass(frozen=True)
class _Memory:
    """Which values of a storage a tensor shows, and in which version."""

    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype
    version: int


class QuantisedActivations:
    """Around one forward pass: tensors that the given layers save for backward are held packed.

    Backward may run inside or after. Left as they are: integers; whatever needs no gradient (masks, layer-norm
    statistics, attention's logsumexp, and of the lowest tuned layer its input and what its frozen modules make of it);
    anything in the storage of a parameter or buffer, since weights are saved as transposed views of it; and what would
    not become smaller. Memory that several operations save is packed once, whatever their views of it.

    Parameters
    ----------
    layers
        modules whose forward calls are covered; nothing changes outside them.
    parameters
        the model's parameters and buffers.
    generator
        the only source of the rounding; on CUDA use one of that device, or noise is drawn on the CPU and copied.
    """

    def __init__(
        self,
        layers: Sequence[nn.Module],
        quantiser: Quantiser,
        parameters: Iterable[torch.Tensor],
        generator: torch.Generator,
    ) -> None:
        self.layers = layers
        self.quantiser = quantiser
        self.generator = generator
        self.saved_tensors = SavedTensors()
        self._parameters = storages(parameters)
        # by storage, not by address: once packed, an activation is freed and its address taken by the next
        self._known: WeakKeyDictionary[torch.UntypedStorage, WeakValueDictionary[_Memory, Packed]] = WeakKeyDictionary()
        self._running: list[tuple[nn.Module, saved_tensors_hooks]] = []
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> "QuantisedActivations":
        for layer in self.layers:
            self._handles.append(layer.register_forward_pre_hook(self._begin))
            self._handles.append(layer.register_forward_hook(self._end, always_call=True))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        while self._handles:
            self._handles.pop().remove()
        while self._running:  # left open by an interrupt, for which torch calls no hook
            self._running.pop()[1].__exit__()

    def _begin(self, layer: nn.Module, arguments: object) -> None:
        hooks = saved_tensors_hooks(self._save, restored)
        hooks.__enter__()
        self._running.append((layer, hooks))

    def _end(self, layer: nn.Module, arguments: object, output: object) -> None:
        if self._running and self._running[-1][0] is layer:  # not so if another hook failed before ours began
            self._running.pop()[1].__exit__()

    def _save(self, tensor: torch.Tensor) -> Exact | _Coded:
        storage = tensor.untyped_storage()
        if (
            not tensor.is_floating_point()
            or not tensor.requires_grad
            or storage.data_ptr() in self._parameters
            or self.quantiser.nbytes(tensor.numel()) >= tensor.nbytes
        ):
            return self.saved_tensors.keep(tensor)
        values, stride = _values(tensor)
        memory = _Memory(int(values.storage_offset()), values.shape, values.stride(), values.dtype, tensor._version)
        known = self._known.setdefault(storage, WeakValueDictionary())
        packed = known.get(memory)
        if packed is None:
            packed = known[memory] = self.quantiser.pack(values, self.generator)
            self.saved_tensors.packed.add(packed)
        return _Coded(packed, self.quantiser, tensor.shape, stride)


def _values(tensor: torch.Tensor) -> tuple[torch.Tensor, tuple[int, ...]]:
    """What to pack of a tensor, and the stride by which it shows the unpacked values.

    A tensor that fills its piece of memory in any order is packed in the order of memory: so a permuted view, a
    flattened one and the tensor itself are one. Any other (a slice, an expanded one) is packed in its own order.
    """
    tensor = tensor.detach()
    expected = 1
    for stride, extent in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if extent > 1:
            if stride != expected:
                return tensor, torch.empty(tensor.shape, device="meta").stride()
            expected *= extent
    return tensor.as_strided((tensor.numel(),), (1,)), tensor.stride()

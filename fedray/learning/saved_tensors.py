"""What autograd keeps between forward and backward, and how many bytes that is."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol
from weakref import WeakSet

import torch
from torch.autograd.graph import saved_tensors_hooks


class Saved(Protocol):
    """A tensor saved for backward, in whatever form."""

    def restore(self) -> torch.Tensor:
        """The tensor."""
        ...


class Weighed(Protocol):
    """Something that knows its bytes."""

    @property
    def nbytes(self) -> int: ...


@dataclass(frozen=True, eq=False)
class Exact:
    """A saved tensor left as it is; detached, because a node that holds its own output would never be freed."""

    tensor: torch.Tensor
    version: int

    def restore(self) -> torch.Tensor:
        if self.tensor._version != self.version:  # autograd leaves this check to hooks
            raise RuntimeError("a tensor saved for backward was changed in place before backward")
        return self.tensor


class SavedTensors:
    """What autograd holds now: exact tensors and packed memory, by weak references, so that the graph alone owns it."""

    def __init__(self) -> None:
        self.exact: WeakSet[Exact] = WeakSet()
        self.packed: WeakSet[Weighed] = WeakSet()

    def keep(self, tensor: torch.Tensor) -> Exact:
        exact = Exact(tensor.detach(), tensor._version)
        self.exact.add(exact)
        return exact


class Packing(Protocol):
    """Hooks into layers that keep some of what they save packed, and say what they hold."""

    saved_tensors: SavedTensors

    def __enter__(self) -> object: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class MeasureSaved:
    """Around one forward pass: what its saved tensors hold, by unique storage, with codes, minima and steps.

    Parameters and buffers, which would be there anyway, are not counted. `quantised`, if given, is entered with it.
    """

    def __init__(self, parameters: Iterable[torch.Tensor], quantised: Packing | None = None) -> None:
        self._parameters = storages(parameters)
        self._quantised = quantised
        self._outside = SavedTensors()
        self._hooks = saved_tensors_hooks(self._outside.keep, restored)

    def __enter__(self) -> "MeasureSaved":
        self._hooks.__enter__()
        if self._quantised is not None:
            self._quantised.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._quantised is not None:
            self._quantised.__exit__(kind, error, traceback)
        self._hooks.__exit__()

    @property
    def nbytes(self) -> int:
        """What is held now; ask before backward, while the graph lives, so that no storage is counted twice."""
        records = [self._outside, self._quantised.saved_tensors] if self._quantised else [self._outside]
        kept = [exact.tensor.untyped_storage() for record in records for exact in record.exact]
        kept_bytes = {storage.data_ptr(): storage.nbytes() for storage in kept}
        packed = sum(packed.nbytes for record in records for packed in record.packed)
        return packed + sum(size for pointer, size in kept_bytes.items() if pointer not in self._parameters)


def held_bytes(
    forward: Callable[[], torch.Tensor],
    parameters: Iterable[torch.Tensor],
    quantised: Packing | None = None,
) -> int:
    """Bytes that saved tensors hold when a forward pass is over."""
    with MeasureSaved(parameters, quantised) as kept_tensors:
        output = forward()
    kept = kept_tensors.nbytes
    del output  # not before: the graph has to live until then
    return kept


def restored(saved: Saved) -> torch.Tensor:
    """The second of autograd's hooks."""
    return saved.restore()


def storages(tensors: Iterable[torch.Tensor]) -> frozenset[int]:
    """Where the memory of tensors begins, by which saved views of it are known."""
    return frozenset(tensor.untyped_storage().data_ptr() for tensor in tensors)

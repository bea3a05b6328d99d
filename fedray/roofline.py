"""Kernels and how long they take: each does its arithmetic and moves its bytes, whichever takes longer."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from fedray.arrays import Floats

FLOAT = 4  # bytes of a float32


@dataclass(frozen=True)
class Kernel:
    """One launch: operations and bytes."""

    flops: float
    bytes: float


@dataclass(frozen=True)
class Kernels:
    """Numbers of launches of each kernel; adds and scales like a vector."""

    counts: tuple[tuple[Kernel, float], ...] = ()

    @staticmethod
    def of(kernels: Iterable[Kernel]) -> "Kernels":
        return Kernels(tuple(Counter(kernels).items()))

    def __add__(self, other: "Kernels") -> "Kernels":
        total = dict(self.counts)
        for kernel, count in other.counts:
            total[kernel] = total.get(kernel, 0) + count
        return Kernels(tuple(total.items()))

    def __mul__(self, times: float) -> "Kernels":
        return Kernels(tuple((kernel, count * times) for kernel, count in self.counts) if times else ())

    @property
    def flops(self) -> float:
        """Operations of all launches."""
        return sum(count * kernel.flops for kernel, count in self.counts)

    def seconds(self, flops_per_second: Floats, bytes_per_second: Floats, launch_seconds: Floats) -> Floats:
        """The roofline, elementwise over devices: a kernel takes as long as its arithmetic or its memory traffic,
        whichever is longer, and its launch besides (Williams et al., CACM 52(4), 2009).
        """
        total = launch_seconds * sum(count for _, count in self.counts)
        for kernel, count in self.counts:
            total = total + count * np.maximum(kernel.flops / flops_per_second, kernel.bytes / bytes_per_second)
        return total


def product(rows: int, inside: int, out: int) -> Kernel:
    """A matrix product (rows x inside) (inside x out)."""
    return Kernel(2.0 * rows * inside * out, FLOAT * float(rows * inside + inside * out + rows * out))

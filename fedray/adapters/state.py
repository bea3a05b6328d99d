"""The first values of an adapter, and the same adapter in plain form."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fedray.adapters.layout import Layout, layout_of
from fedray.adapters.spec import AdapterSpec, BackboneShape
from fedray.seeds import Purpose, generator

SVD_SPREAD = 0.02  # standard deviation of A and B in form `svd` (AdaLoRA's)

Buffer = NDArray[np.float32]


def initial_values(layout: Layout, run_seed: int) -> Buffer:
    """A kaiming-uniform, B zero (peft's default, so the adapted model starts as the backbone); head as torch's Linear.

    Both uniform draws are U(-1/sqrt(in), 1/sqrt(in)); a head vector (bias) takes the width of the matrix before it.
    With a diagonal E it is E that starts at zero, and A and B are normal with standard deviation 0.02.
    """
    buffer = np.zeros(layout.size, np.float32)
    lora = generator(run_seed, Purpose.ADAPTER)
    head = generator(run_seed, Purpose.HEAD)
    diagonal = {entry.module for entry in layout.entries if entry.factor == "E"}
    head_width = 1
    for entry in layout.entries:
        if entry.module in diagonal:
            if entry.factor != "E":
                buffer[entry.span] = lora.normal(0.0, SVD_SPREAD, entry.size).astype(np.float32)
            continue
        if entry.factor == "B":
            continue
        width = entry.shape[-1]
        if entry.factor == "head":
            head_width = width = width if len(entry.shape) > 1 else head_width
        bound = 1 / np.sqrt(width)
        draw = (head if entry.factor == "head" else lora).uniform(-bound, bound, entry.size)
        buffer[entry.span] = draw.astype(np.float32)
    return buffer


def as_lora(shape: BackboneShape, spec: AdapterSpec, values: Buffer) -> tuple[AdapterSpec, Buffer]:
    """An adapter of form `svd` as LoRA: the diagonal goes into B, the product stays the same to the bit."""
    if spec.form == "lora":
        return spec, values
    whole, plain = layout_of(shape, spec), layout_of(shape, replace(spec, form="lora"))
    diagonals = {entry.module: whole.tensor(values, entry) for entry in whole.entries if entry.factor == "E"}
    kept = [entry for entry in whole.entries if entry.factor != "E"]
    buffer = np.empty(plain.size, np.float32)
    for before, after in zip(kept, plain.entries, strict=True):
        tensor = whole.tensor(values, before)
        buffer[after.span] = (tensor * diagonals[after.module] if after.factor == "B" else tensor).ravel()
    return replace(spec, form="lora"), buffer

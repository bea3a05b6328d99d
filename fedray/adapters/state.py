"""The first values of an adapter."""

import numpy as np
from numpy.typing import NDArray

from fedray.adapters.layout import Layout
from fedray.seeds import Purpose, generator


def initial_values(layout: Layout, run_seed: int) -> NDArray[np.float32]:
    """A kaiming-uniform, B zero (peft's default, so the adapted model starts as the backbone); head as torch's Linear.

    Both uniform draws are U(-1/sqrt(in), 1/sqrt(in)); a head vector (bias) takes the width of the matrix before it.
    """
    buffer = np.zeros(layout.size, np.float32)
    lora = generator(run_seed, Purpose.ADAPTER)
    head = generator(run_seed, Purpose.HEAD)
    head_width = 1
    for entry in layout.entries:
        if entry.factor == "B":
            continue
        width = entry.shape[-1]
        if entry.factor == "head":
            head_width = width = width if len(entry.shape) > 1 else head_width
        bound = 1 / np.sqrt(width)
        draw = (head if entry.factor == "head" else lora).uniform(-bound, bound, entry.size)
        buffer[entry.span] = draw.astype(np.float32)
    return buffer

"""Which LoRA tensors exist: the backbone's shape, adapter specs, flat layouts and buffers. No torch."""

from fedray.adapters.layout import Entry, Layout, layout_of
from fedray.adapters.spec import AdapterSpec, BackboneShape, HeadTensor, LoraTarget
from fedray.adapters.state import initial_values

__all__ = [
    "AdapterSpec",
    "BackboneShape",
    "Entry",
    "HeadTensor",
    "Layout",
    "LoraTarget",
    "initial_values",
    "layout_of",
]

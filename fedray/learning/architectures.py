"""Architectures known by name without any download: enough of a configuration to price them (cost twins)."""

from collections.abc import Mapping
from typing import Any

# facts from the config.json that each model is published with
_ROBERTA = {"model_type": "roberta", "vocab_size": 50265, "max_position_embeddings": 514, "type_vocab_size": 1}
_BERT = {"model_type": "bert", "vocab_size": 30522, "max_position_embeddings": 512, "type_vocab_size": 2}
_BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
_LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}

ARCHITECTURES: Mapping[str, Mapping[str, Any]] = {
    "roberta-base": _ROBERTA | _BASE,
    "roberta-large": _ROBERTA | _LARGE,
    "bert-base": _BERT | _BASE,
    "bert-large": _BERT | _LARGE,
}

"""The model a run trains: a frozen backbone and a classification head."""

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.initialization import no_init_weights
from transformers.modeling_outputs import SequenceClassifierOutput

from fedray.learning.tokens import padding_token

# one thread per process: two spin against each other, and bits may depend on their number; every model is built here
torch.set_num_threads(1)

# plain numbers by which transformers' modules call functional dropout (attention reads them where it is fused)
DROPOUT_NUMBERS = frozenset({"attention_dropout", "attn_dropout", "dropout", "dropout_prob", "hidden_dropout"})
NORM = 8.0  # pooled vectors get this length, so that one head learning rate suits any backbone

Weights = Mapping[str, NDArray[np.float32]]
Pooling = Literal["mean", "native"]
Attention = Literal["sdpa", "eager"]


@dataclass(frozen=True)
class Recipe:
    """What rebuilds the model's modules in any process; weights travel apart."""

    config_json: str
    pooling: Pooling
    labels: int
    attention: Attention = "sdpa"
    dropout: float = 0.0  # of attention probabilities and hidden states, in train mode only

    def config(self) -> PretrainedConfig:
        """The backbone's configuration for this many labels."""
        values = json.loads(self.config_json)
        return AutoConfig.for_model(values.pop("model_type"), **values, num_labels=self.labels)


class MeanPoolingClassifier(nn.Module):
    """logits = Linear(8 · m / |m|), m the mean of the last hidden states over the tokens of the text."""

    base_model_prefix = "backbone"

    def __init__(self, backbone: PreTrainedModel, labels: int) -> None:
        super().__init__()
        self.config = backbone.config
        self.backbone = backbone
        self.classifier = nn.Linear(backbone.config.hidden_size, labels)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor | None = None
    ) -> SequenceClassifierOutput:
        """Token ids and mask (batch, tokens) to logits (batch, labels)."""
        types = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        hidden = self.backbone(input_ids=input_ids, attention_mask=attention_mask, **types).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * mask).sum(1) / mask.sum(1)
        return SequenceClassifierOutput(logits=self.classifier(NORM * nn.functional.normalize(mean, dim=-1)))


def build(recipe: Recipe) -> nn.Module:
    """The modules in evaluation mode, where dropout does nothing: the backbone's weights undefined, the head's zero."""
    config = recipe.config()
    # an architecture without fused attention (DeBERTa) has its own way and refuses to be asked for one
    attention = {"attn_implementation": "eager"} if recipe.attention == "eager" else {}
    with no_init_weights():
        if recipe.pooling == "mean":
            model: nn.Module = MeanPoolingClassifier(AutoModel.from_config(config, **attention), recipe.labels)
        else:
            model = AutoModelForSequenceClassification.from_config(config, **attention)
    for tensor in head_state(model).values():
        tensor.data.zero_()
    set_dropout(model, recipe.dropout)
    return model.eval().requires_grad_(False)


def set_dropout(model: nn.Module, probability: float) -> None:
    """Give every dropout of a model one probability: modules, and numbers that attention and layers pass on themselves.

    Configurations name it differently (hidden_dropout_prob, attention_dropout, dropout_rate), so it is set where it is
    used. A pretrained configuration's own probabilities are replaced.
    """
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = probability
        for name in DROPOUT_NUMBERS & vars(module).keys():
            if isinstance(getattr(module, name), float | int):
                setattr(module, name, probability)


def load_weights(model: nn.Module, weights: Weights) -> nn.Module:
    """The model with its backbone's tensors in place of undefined memory: views of the arrays, shared, not copied.

    The arrays may be read-only (they may live in Ray's object store); frozen weights are never written. ValueError
    if a tensor is missing or unknown.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        tensors = {name: torch.from_numpy(array) for name, array in weights.items()}
    missing, unexpected = model.load_state_dict(tensors, strict=False, assign=True)
    if unexpected or set(missing) != set(head_state(model)):
        raise ValueError(f"weights do not fit the model: missing {missing}, unexpected {unexpected}")
    return model.requires_grad_(False)


def configuration(location: str) -> PretrainedConfig:
    """A model's configuration; one without a padding token (LLaMA) pads with its end-of-text token."""
    config = AutoConfig.from_pretrained(location, trust_remote_code=False)
    if config.pad_token_id is None:
        config.pad_token_id = padding_token(tokenizer_of(location))
    return config


def tokenizer_of(location: str) -> PreTrainedTokenizerBase:
    """A model's tokenizer; no remote code runs."""
    return AutoTokenizer.from_pretrained(location, trust_remote_code=False)


def load_classifier(location: str, labels: int, pooling: Pooling = "mean") -> nn.Module:
    """A pretrained backbone under a fresh head: what `PeftModel.from_pretrained` puts a run's adapter on.

    `location` is a folder or a hub name; only safetensors are read and no remote code runs.
    """
    options = {"use_safetensors": True, "trust_remote_code": False, "dtype": torch.float32}
    config = configuration(location)
    config.num_labels = labels
    if pooling == "mean":
        model: nn.Module = MeanPoolingClassifier(AutoModel.from_pretrained(location, config=config, **options), labels)
    else:
        model = AutoModelForSequenceClassification.from_pretrained(location, config=config, **options)
    return model.eval().requires_grad_(False)


def head_state(model: nn.Module) -> dict[str, nn.Parameter]:
    """The head: every parameter outside the backbone, by name."""
    backbone = f"{model.base_model_prefix}."
    return {name: tensor for name, tensor in model.named_parameters() if not name.startswith(backbone)}


def layer_list(model: nn.Module, layers: int) -> tuple[str, nn.ModuleList]:
    """The path and the list of the backbone's layers; ValueError if there is no list of that length."""
    for path, module in model.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) == layers:
            return path, module
    raise ValueError(f"it has no list of {layers} layers (shared or nested layers are not supported)")

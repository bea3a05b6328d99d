"""How much a tunable layer keeps for backward: counted on two real layers of the architecture."""

from dataclasses import replace

import numpy as np
import torch

from fedray.adapters import AdapterSpec, BackboneShape, layout_of
from fedray.learning.adapted import AdaptedModel
from fedray.learning.classifier import Recipe, build
from fedray.learning.saved import held_bytes
from fedray.learning.tokens import Batch

RANK = 8  # LoRA's own activations are a per cent or two of a layer's


def activation_units(recipe: Recipe, shape: BackboneShape, sequence_length: int) -> float:
    """Floats per token and hidden unit that one more tunable layer keeps (the attention in use, no dropout).

    Counted, because attention kernels differ from the formulas: saved bytes at depth 2 less those at depth 1, by unique
    storage and without parameters, which would be kept anyway.
    """
    config = recipe.config()
    config.num_hidden_layers = 2
    small = replace(recipe, config_json=config.to_json_string(use_diff=False))
    spec = AdapterSpec((RANK, RANK), (0, 1), 1.0)
    model = AdaptedModel(build(small), replace(shape, layers=2), spec)
    ids = torch.zeros((1, sequence_length), dtype=torch.int64)
    batch = Batch({"input_ids": ids, "attention_mask": torch.ones_like(ids)}, torch.zeros(1, dtype=torch.int64))
    one_layer = saved_bytes(model, spec, batch) - saved_bytes(model, spec.deepest(1), batch)
    return one_layer / (4 * sequence_length * shape.hidden)


def saved_bytes(model: AdaptedModel, spec: AdapterSpec, batch: Batch) -> int:
    """Bytes that a forward pass with an adapter keeps for backward, by unique storage, without parameters."""
    model.take_up(spec, np.zeros(layout_of(model.shape, spec).size, np.float32))
    return held_bytes(lambda: model.logits(batch), [*model.peft.parameters(), *model.peft.buffers()])

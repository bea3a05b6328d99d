"""How much a tunable layer keeps for backward: counted on two real layers of the architecture."""

from dataclasses import dataclass, replace
from weakref import WeakSet

import numpy as np
import torch
from torch.autograd.graph import saved_tensors_hooks

from fedray.adapters import AdapterSpec, BackboneShape, layout_of
from fedray.learning.adapted import AdaptedModel
from fedray.learning.classifier import Recipe, build
from fedray.learning.saved_tensors import Exact, SavedTensors, restored, storages
from fedray.learning.tokens import Batch

RANK = 8  # LoRA's own activations are a per cent or two of a layer's


@dataclass(frozen=True)
class LayerCounts:
    """Floats per token and hidden unit that one more tunable layer keeps, and `masks`, those that need no gradient.

    Masks are dropout's (PyTorch holds them as float32 on CPUs, as one byte on CUDA) and the statistics of norms.
    `entry_linears` are the (in, out) features of the modules that a layer's input enters: where the layer is the lowest
    trained one, they compute no gradient of it.
    """

    total: float
    masks: float
    entry_linears: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class SavedBytes:
    """Bytes that a forward pass keeps for backward, by unique storage; `masks` of them need no gradient."""

    total: int
    masks: int


def count_layer(recipe: Recipe, shape: BackboneShape, sequence_length: int) -> LayerCounts:
    """What one more tunable layer keeps, with the attention and the dropout in use, and what its input enters.

    Counted, because attention kernels differ from the formulas: saved bytes at depth 2 less those at depth 1, without
    parameters, which would be kept anyway.
    """
    config = recipe.config()
    config.num_hidden_layers = 2
    small = replace(recipe, config_json=config.to_json_string(use_diff=False))
    spec = AdapterSpec((RANK, RANK), (0, 1), 1.0)
    model = AdaptedModel(build(small), replace(shape, layers=2), spec)
    ids = torch.zeros((1, sequence_length), dtype=torch.int64)
    batch = Batch({"input_ids": ids, "attention_mask": torch.ones_like(ids)}, torch.zeros(1, dtype=torch.int64))
    two, one = (saved_bytes(model, spec.deepest(depth), batch) for depth in (2, 1))
    unit = 4 * sequence_length * shape.hidden
    return LayerCounts((two.total - one.total) / unit, (two.masks - one.masks) / unit, _entry_linears(model, batch))


def _entry_linears(model: AdaptedModel, batch: Batch) -> tuple[tuple[int, int], ...]:
    """The linear modules of the lowest trained layer of a model whose input needs no gradient, LoRA's left out."""
    entered: list[tuple[int, int]] = []

    def note(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        if isinstance(module, torch.nn.Linear) and not inputs[0].requires_grad:
            entered.append((module.in_features, module.out_features))

    hooks = [
        module.register_forward_pre_hook(note)
        for path, module in model.layers[-1].named_modules()
        if isinstance(module, torch.nn.Linear) and "lora_" not in path
    ]
    model.logits(batch)
    for hook in hooks:
        hook.remove()
    return tuple(entered)


def saved_bytes(model: AdaptedModel, spec: AdapterSpec, batch: Batch) -> SavedBytes:
    """What a training step's forward pass with an adapter keeps for backward, parameters and buffers not counted."""
    model.load_adapter(spec, np.zeros(layout_of(model.shape, spec).size, np.float32))
    own = storages([*model.peft.parameters(), *model.peft.buffers()])
    saved_tensors = SavedTensors()
    graded: WeakSet[Exact] = WeakSet()

    def save(tensor: torch.Tensor) -> Exact:
        exact = saved_tensors.keep(tensor)
        if tensor.requires_grad:
            graded.add(exact)
        return exact

    with model.with_dropout(np.random.default_rng(0)), saved_tensors_hooks(save, restored):
        output = model.logits(batch)
    # what lives now: of what was saved and dropped meanwhile, another tensor may have the address
    storages_kept = [exact.tensor.untyped_storage() for exact in saved_tensors.exact]
    kept = {one.data_ptr(): one.nbytes() for one in storages_kept if one.data_ptr() not in own}
    with_gradient = {exact.tensor.untyped_storage().data_ptr() for exact in graded}
    del output  # not before: while the graph lives, no storage takes another's address
    masks = sum(size for address, size in kept.items() if address not in with_gradient)
    return SavedBytes(sum(kept.values()), masks)

"""Floating-point operations of a local step. A multiply-add counts as two."""

from fedray.adapters import AdapterSpec, BackboneShape

FROZEN_BACKWARD = 1.0  # gradient of the input only: as much as the forward pass
FULL_BACKWARD = 2.0  # gradients of input and weights (full fine-tuning)
QUANTISING = 0.2  # packing and unpacking a layer's activations, in forward passes of the layer (reconstructed: 0.1-0.3)


def layer_forward_flops(shape: BackboneShape, batch_size: int, sequence_length: int) -> float:
    """One layer's forward pass: its linear modules, and the two attention products (scores, values)."""
    tokens = batch_size * sequence_length
    return 2.0 * tokens * shape.layer_parameters + 4.0 * tokens * sequence_length * shape.hidden


def lora_parameters(shape: BackboneShape, spec: AdapterSpec, layer: int) -> int:
    """Weights of one layer's LoRA (the diagonal of form `svd` is left out: a thousandth)."""
    ranks = spec.target_ranks(layer, len(shape.targets))
    return sum(rank * (t.in_features + t.out_features) for t, rank in zip(shape.targets, ranks, strict=True))


def step_flops(
    shape: BackboneShape, spec: AdapterSpec, batch_size: int, sequence_length: int, quantised_layers: int = 0
) -> float:
    """One LoRA step: forward through all layers, backward from the output to the lowest trained layer, LoRA, head.

    The backbone is frozen, so backward costs as much as forward (the gradient of its inputs only); LoRA branches and
    the head are trained and cost twice their forward. Embedding look-ups are no arithmetic.
    """
    layer = layer_forward_flops(shape, batch_size, sequence_length)
    backbone = layer * (shape.layers + FROZEN_BACKWARD * spec.backward_layers + QUANTISING * quantised_layers)
    per_weight = 2.0 * batch_size * sequence_length
    held = per_weight * sum(lora_parameters(shape, spec, layer) for layer in range(spec.layers))
    trained = per_weight * sum(lora_parameters(shape, spec, layer) for layer in spec.trained)
    return backbone + held + FULL_BACKWARD * trained + 3.0 * head_forward_flops(shape, batch_size)


def full_fine_tuning_flops(shape: BackboneShape, depth: int, batch_size: int, sequence_length: int) -> float:
    """One step of full fine-tuning of the top `depth` layers: what published step times were measured on."""
    layer = layer_forward_flops(shape, batch_size, sequence_length)
    return layer * (shape.layers + FULL_BACKWARD * depth) + 3.0 * head_forward_flops(shape, batch_size)


def head_forward_flops(shape: BackboneShape, batch_size: int) -> float:
    """The classification head, once per text."""
    weights = sum(tensor.shape[0] * tensor.shape[1] for tensor in shape.head if len(tensor.shape) == 2)
    return 2.0 * batch_size * weights

"""What a local step asks of a device: its kernels, each with the arithmetic it does and the bytes it moves.

A multiply-add counts as two operations; everything is float32. A kernel reads its operands from memory once and writes
its result once. Operations per kernel are exact for the linear modules, attention and LoRA; how many bytes the
element-wise part of a layer moves is reconstructed from the sequence of its operations in PyTorch without fusion.
"""

from collections.abc import Sequence

from fedray.adapters import AdapterSpec, BackboneShape
from fedray.adapters.spec import LoraFactor
from fedray.roofline import FLOAT, Kernel, Kernels, product

QUANTISING = 0.2  # packing and unpacking a layer's activations, in forward passes of the layer (reconstructed: 0.1-0.3)
ADAM_TRAFFIC = 7  # floats moved per trained weight: weight, gradient and two moments read, all but the gradient written


def layer_forward(shape: BackboneShape, batch_size: int, sequence_length: int) -> Kernels:
    """One layer's forward pass."""
    tokens = batch_size * sequence_length
    linears = [product(tokens, *linear) for linear in shape.linears]
    attention = _attention(shape, batch_size, sequence_length)
    dropout = _dropout(shape, batch_size, sequence_length)
    return Kernels.of([*linears, *attention, *_elementwise_forward(shape, tokens), *dropout])


def layer_backward(shape: BackboneShape, batch_size: int, sequence_length: int) -> Kernels:
    """One frozen layer's backward pass: gradients of inputs only. Both operands of an attention product are inputs."""
    tokens = batch_size * sequence_length
    linears = [product(tokens, *linear) for linear in shape.linears]
    attention = 2 * _attention(shape, batch_size, sequence_length)
    dropout = _dropout(shape, batch_size, sequence_length)
    return Kernels.of([*linears, *attention, *_elementwise_backward(shape, tokens), *dropout])


def backward(shape: BackboneShape, layers: int, batch_size: int, sequence_length: int) -> Kernels:
    """The backward pass through the `layers` layers next to the output; nothing needs the gradient of their input."""
    if not layers:
        return Kernels()
    inputs = Kernels.of(product(batch_size * sequence_length, *linear) for linear in shape.entry_linears)
    return layer_backward(shape, batch_size, sequence_length) * layers + inputs * -1


def layer_forward_flops(shape: BackboneShape, batch_size: int, sequence_length: int) -> float:
    """Operations of one layer's forward pass."""
    return layer_forward(shape, batch_size, sequence_length).flops


def step_kernels(
    shape: BackboneShape, spec: AdapterSpec, batch_size: int, sequence_length: int, quantised_layers: int = 0
) -> Kernels:
    """One LoRA step: forward through all layers, backward from the output to the lowest trained layer, LoRA, head.

    LoRA branches and the head are trained and cost twice their forward in backward. Embedding look-ups are left out.
    """
    tokens = batch_size * sequence_length
    forward = layer_forward(shape, batch_size, sequence_length) * (shape.layers + QUANTISING * quantised_layers)
    step = forward + backward(shape, spec.backward_layers, batch_size, sequence_length)
    for layer in range(spec.layers):
        ranks = spec.target_ranks(layer, len(shape.targets))
        branches = [
            _lora(tokens, target.in_features, target.out_features, rank)
            for target, rank in zip(shape.targets, ranks, strict=True)
            if rank
        ]
        for branch in branches:
            step += branch * (3 if layer in spec.trained else 1)
        if layer in spec.trained and spec.fixed:
            step += _fixed_gradients(shape, spec, ranks, tokens) * -1
    trained = sum(lora_weights(shape, spec, layer, spec.trained_factors) for layer in spec.trained)
    return step + _update(trained) + head_step(shape, batch_size)


def _fixed_gradients(shape: BackboneShape, spec: AdapterSpec, ranks: Sequence[int], tokens: int) -> Kernels:
    """The products that would give the gradients of a layer's fixed factors: as large as those of their forward."""
    products = {
        "A": [product(tokens, t.in_features, rank) for t, rank in zip(shape.targets, ranks, strict=True) if rank],
        "B": [product(tokens, rank, t.out_features) for t, rank in zip(shape.targets, ranks, strict=True) if rank],
    }
    return Kernels.of(kernel for factor in spec.fixed for kernel in products.get(factor, []))


def full_fine_tuning_kernels(shape: BackboneShape, depth: int, batch_size: int, sequence_length: int) -> Kernels:
    """One step of full fine-tuning of the top `depth` layers: what published step times were measured on."""
    tokens = batch_size * sequence_length
    weights = Kernels.of(product(tokens, *linear) for linear in shape.linears)
    updates = Kernels.of(Kernel(0.0, FLOAT * ADAM_TRAFFIC * inside * out) for inside, out in shape.linears)
    forward = layer_forward(shape, batch_size, sequence_length) * shape.layers
    passed = backward(shape, depth, batch_size, sequence_length)
    return forward + passed + (weights + updates) * depth + head_step(shape, batch_size)


def head_step(shape: BackboneShape, batch_size: int) -> Kernels:
    """The classification head, once per text, forward and twice backward, and its update."""
    matrices = [tensor.shape for tensor in shape.head if len(tensor.shape) == 2]
    weights = sum(tensor.size for tensor in shape.head)
    return Kernels.of(product(batch_size, inside, out) for out, inside in matrices) * 3 + _update(weights)


def lora_weights(
    shape: BackboneShape, spec: AdapterSpec, layer: int, factors: Sequence[LoraFactor] = ("A", "B")
) -> int:
    """Weights of these factors of one layer's LoRA (the diagonal of form `svd` is left out: a thousandth)."""
    ranks = spec.target_ranks(layer, len(shape.targets))
    return sum(
        rank * (("A" in factors) * target.in_features + ("B" in factors) * target.out_features)
        for target, rank in zip(shape.targets, ranks, strict=True)
    )


def _attention(shape: BackboneShape, batch_size: int, sequence_length: int) -> list[Kernel]:
    """Scores, softmax, values: fused into one kernel, or with the (sequence x sequence) scores going through memory."""
    tokens = batch_size * sequence_length
    flops = 4.0 * tokens * sequence_length * shape.hidden
    if shape.fused_attention:
        return [Kernel(flops, FLOAT * 4.0 * tokens * shape.hidden)]
    scores = float(shape.heads * batch_size * sequence_length**2)
    product = Kernel(flops / 2, FLOAT * (2.0 * tokens * shape.hidden + scores))
    passing = Kernel(0.0, FLOAT * 2 * scores)  # scaling, mask, softmax: read and written each time
    return [product, product, passing, passing, passing]


def _elementwise_forward(shape: BackboneShape, tokens: int) -> list[Kernel]:
    """Two residual sums (two read, one written), two norms and the activation (one read, one written)."""
    hidden, inner = float(tokens * shape.hidden), float(tokens * shape.inner)
    residual, norm = Kernel(0.0, FLOAT * 3 * hidden), Kernel(0.0, FLOAT * 2 * hidden)
    return [residual, residual, norm, norm, Kernel(0.0, FLOAT * 2 * inner)]


def _elementwise_backward(shape: BackboneShape, tokens: int) -> list[Kernel]:
    """Norms and activation read their gradient and their input; where two paths meet, gradients are summed."""
    hidden, inner = float(tokens * shape.hidden), float(tokens * shape.inner)
    norm, meeting = Kernel(0.0, FLOAT * 3 * hidden), Kernel(0.0, FLOAT * 3 * hidden)
    return [norm, norm, meeting, meeting, Kernel(0.0, FLOAT * 3 * inner)]


def _dropout(shape: BackboneShape, batch_size: int, sequence_length: int) -> list[Kernel]:
    """Of the probabilities and of two hidden vectors, if there is dropout in training.

    Forward the values are read, and they and their mask written; backward the gradient and the mask are read, and the
    gradient written.
    """
    if not shape.dropout:
        return []
    scores = float(shape.heads * batch_size * sequence_length**2)
    hidden = float(batch_size * sequence_length * shape.hidden)
    return [Kernel(0.0, FLOAT * 3 * values) for values in (scores, hidden, hidden)]


def _lora(tokens: int, inside: int, out: int, rank: int) -> Kernels:
    """y + scaling * B (A x): two thin products, a scaling and a sum."""
    width = float(tokens * out)
    scaled, added = Kernel(0.0, FLOAT * 2 * width), Kernel(0.0, FLOAT * 3 * width)
    return Kernels.of([product(tokens, inside, rank), product(tokens, rank, out), scaled, added])


def _update(weights: int) -> Kernels:
    """AdamW over `weights` weights."""
    return Kernels.of([Kernel(0.0, float(FLOAT * ADAM_TRAFFIC * weights))])

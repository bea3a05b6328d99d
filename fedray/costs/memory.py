"""Training memory in bytes, float32: M(d, a) for d tunable layers, a of them with quantised activations (FedQuad).

With dropout a layer keeps more floats (the attention probabilities before and after it) and its masks. PyTorch holds a
mask as float32 on CPUs, where `activation_units` are counted, and as one byte on CUDA: there a layer of unfused
attention takes up to a sixth less than this says.
"""

from fedray.adapters import AdapterSpec, BackboneShape
from fedray.costs.kernels import lora_weights
from fedray.protocol import Quantisation
from fedray.roofline import FLOAT

ADAM_COPIES = 4  # weight, gradient, two moments
EXACT_UNITS = 2.0  # of the lowest tuned layer: its input and its frozen key need no gradient and are never packed


def layer_activation_bytes(shape: BackboneShape, batch_size: int, sequence_length: int) -> float:
    """What one tunable layer keeps between forward and backward; `activation_units` were counted on real layers."""
    return shape.activation_units * batch_size * sequence_length * shape.hidden * FLOAT


def in_flight_bytes(shape: BackboneShape, batch_size: int, sequence_length: int) -> float:
    """What a step holds at its peak beside what is kept: one layer's inner activation before and after its function.

    Counted at the allocator for BERT and RoBERTa layers: 8.0 hidden vectors a token, both ways, at any depth, batch and
    attention (7.0 with dropout; 10 for unfused attention over 480 tokens).
    """
    return 2.0 * shape.inner * batch_size * sequence_length * FLOAT


def quantised_share(bits: int, group_size: int) -> float:
    """What is left of a float32 activation: its code, and a share of its group's two float32."""
    return (bits + 64 / group_size) / 32


def training_memory_bytes(
    shape: BackboneShape,
    spec: AdapterSpec,
    batch_size: int,
    sequence_length: int,
    quantisation: Quantisation | None = None,
) -> float:
    """M0 + d (m_act + m_lora) - a (m_act - m_quantised), and of the lowest tuned layer what stays exact. Masks do.

    M0: the frozen weights, the head with its optimiser state, and what is in flight. Every layer that back-propagation
    passes keeps its activations, trained or not. A fixed factor needs no gradient and no moments; the activations are
    counted as if it were trained, which is an upper bound.
    """
    activation = layer_activation_bytes(shape, batch_size, sequence_length)
    head = sum(tensor.size for tensor in shape.head) * ADAM_COPIES * FLOAT
    fixed = shape.parameters * FLOAT + head + in_flight_bytes(shape, batch_size, sequence_length)
    trained = sum(lora_weights(shape, spec, layer, spec.trained_factors) for layer in spec.trained)
    fixed_factors = sum(lora_weights(shape, spec, layer, spec.fixed) for layer in spec.trained)
    lora = ADAM_COPIES * FLOAT * trained + FLOAT * fixed_factors
    saved = 0.0
    if quantisation:
        share = quantised_share(quantisation.bits, quantisation.group_size)
        floats = activation * (1 - shape.mask_units / shape.activation_units)
        packed = len(quantisation.layers) * floats
        if spec.trained and spec.trained[0] in quantisation.layers:
            packed -= min(activation * EXACT_UNITS / shape.activation_units, floats)
        saved = packed * (1 - share)
    return fixed + spec.backward_layers * activation + lora - saved


def full_fine_tuning_memory_bytes(
    shape: BackboneShape, depth: int, batch_size: int, sequence_length: int, dropout: bool = True
) -> float:
    """Full fine-tuning of the top `depth` layers with AdamW on CUDA: what published peaks were measured on.

    Per token a tuned layer keeps 16 hidden vectors (its input, queries, keys, values, context, two sums and the normed
    one, the inner activation before and after its function), and the attention probabilities of every head; with
    dropout the probabilities again, and masks of one byte each (two hidden vectors, one row of probabilities per head).
    """
    scores = shape.heads * sequence_length / shape.hidden  # in hidden vectors
    floats = 8 + 2 * shape.inner / shape.hidden + (2 if dropout else 1) * scores
    masks = (2 + scores) / FLOAT if dropout else 0.0
    activation = (floats + masks) * batch_size * sequence_length * shape.hidden * FLOAT
    weights = depth * sum(inside * out for inside, out in shape.linears) + sum(tensor.size for tensor in shape.head)
    return shape.parameters * FLOAT + weights * (ADAM_COPIES - 1) * FLOAT + depth * activation

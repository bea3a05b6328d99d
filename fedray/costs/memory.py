"""Training memory in bytes, float32: M(d, a) for d tunable layers, a of them with quantised activations (FedQuad)."""

from fedray.adapters import AdapterSpec, BackboneShape
from fedray.costs.kernels import FLOAT, lora_weights
from fedray.protocol import Quantisation

ADAM_COPIES = 4  # weight, gradient, two moments
EXACT_UNITS = 2.0  # of the lowest tuned layer: its input and its frozen key need no gradient and are never packed


def layer_activation_bytes(shape: BackboneShape, batch_size: int, sequence_length: int) -> float:
    """What one tunable layer keeps between forward and backward; `activation_units` were counted on real layers."""
    return shape.activation_units * batch_size * sequence_length * shape.hidden * FLOAT


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
    """M0 + d (m_act + m_lora) - a (m_act - m_quantised), and of the lowest tuned layer what stays exact.

    M0: the frozen weights, the head with its optimiser state, and one layer's activations in flight. Every layer that
    back-propagation passes keeps its activations, trained or not.
    """
    activation = layer_activation_bytes(shape, batch_size, sequence_length)
    head = sum(tensor.size for tensor in shape.head) * ADAM_COPIES * FLOAT
    fixed = shape.parameters * FLOAT + head + activation
    lora = ADAM_COPIES * FLOAT * sum(lora_weights(shape, spec, layer) for layer in spec.trained)
    saved = 0.0
    if quantisation:
        share = quantised_share(quantisation.bits, quantisation.group_size)
        packed = len(quantisation.layers) * activation
        if spec.trained and spec.trained[0] in quantisation.layers:
            packed -= activation * min(EXACT_UNITS / shape.activation_units, 1.0)
        saved = packed * (1 - share)
    return fixed + spec.backward_layers * activation + lora - saved

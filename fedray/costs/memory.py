"""Training memory in bytes, float32: M(d, a) for d tunable layers, a of them with quantised activations (FedQuad)."""

from fedray.adapters import AdapterSpec, BackboneShape

FLOAT = 4
ADAM_COPIES = 4  # weight, gradient, two moments
QUANTISED_BITS = 4
QUANTISED_GROUP = 256  # floats sharing one minimum and maximum (two float32)


def layer_activation_bytes(shape: BackboneShape, batch_size: int, sequence_length: int) -> float:
    """What one tunable layer keeps between forward and backward; `activation_units` were counted on real layers."""
    return shape.activation_units * batch_size * sequence_length * shape.hidden * FLOAT


def lora_bytes(shape: BackboneShape, rank: int) -> float:
    """Weight, gradient and optimiser moments of one layer's LoRA."""
    return ADAM_COPIES * FLOAT * rank * sum(t.in_features + t.out_features for t in shape.targets)


def training_memory_bytes(
    shape: BackboneShape, spec: AdapterSpec, batch_size: int, sequence_length: int, quantised_layers: int
) -> float:
    """M0 + d (m_act + m_lora) - a (m_act - m_quantised).

    M0: the frozen weights, the head with its optimiser state, and one layer's activations in flight. Every layer that
    back-propagation passes keeps its activations, trained or not.
    """
    activation = layer_activation_bytes(shape, batch_size, sequence_length)
    quantised = activation * (QUANTISED_BITS + 64 / QUANTISED_GROUP) / 32
    head = sum(tensor.size for tensor in shape.head) * ADAM_COPIES * FLOAT
    fixed = shape.parameters * FLOAT + head + activation
    lora = sum(lora_bytes(shape, rank) for rank in spec.trained_ranks)
    return fixed + spec.backward_layers * activation + lora - quantised_layers * (activation - quantised)

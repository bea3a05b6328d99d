"""FedProx and FFA-LoRA of the outside package, on a real model, against a plain reading of the definitions."""

import numpy as np
import pytest
import torch

from fedray.adapters import AdapterSpec, initial_values, layout_of
from fedray.learning.adapted import AdaptedModel
from fedray.learning.classifier import build, load_weights
from fedray.learning.hooks import hook_for
from fedray.scenario.schema import Optimiser
from tests.learning.conftest import batches, train

LORA = AdapterSpec((4, 4), (0, 1), 2.0)
UPPER = LORA.deepest(1)
FFA = AdapterSpec((4, 4), (0, 1), 2.0, fixed=("A",))


def a_model(backbone, spec=LORA) -> AdaptedModel:
    return AdaptedModel(load_weights(build(backbone.recipe), backbone.weights()), backbone.shape, spec)


def start(backbone, spec, seed: int = 0) -> np.ndarray:
    return initial_values(layout_of(backbone.shape, spec), seed)


def test_fedprox_penalty_and_gradient_by_hand(outside, backbone) -> None:
    """Every float of an upper layer's LoRA moved by 0.5 from what was received: mu/2 * n * 0.25, and mu * 0.5 each."""
    from fedray_fedprox.fedprox import ProximalTerm

    model = a_model(backbone)
    layout = model.load_adapter(UPPER, start(backbone, UPPER))
    runner = hook_for(ProximalTerm(mu=0.2), model, layout)
    assert runner.penalty().item() == 0.0
    lora, _ = model.trainable()
    with torch.no_grad():
        for parameter in lora:
            parameter += 0.5
    floats = 2 * 4 * (384 + 384)  # query and value of one layer of MiniLM at rank 4
    penalty = runner.penalty()
    assert penalty.item() == pytest.approx(0.2 / 2 * floats * 0.25, rel=1e-6)
    penalty.backward()
    for parameter in lora:
        assert torch.allclose(parameter.grad, torch.full_like(parameter, 0.2 * 0.5))
    assert runner.memory_bytes() == 4 * floats


def test_fedprox_stays_nearer_to_what_it_received_and_at_mu_0_is_plain_training(outside, backbone, tokens) -> None:
    from fedray_fedprox.fedprox import ProximalTerm

    values, model = start(backbone, LORA), a_model(backbone)
    lora = slice(layout_of(backbone.shape, LORA).lora_size)

    def moved(hook) -> np.ndarray:
        return train(model, LORA, values, tokens, batches(4), Optimiser(), True, hook=hook).values

    plain, none, strong = moved(None), moved(ProximalTerm(0.0)), moved(ProximalTerm(100.0))
    assert none.tobytes() == plain.tobytes()
    distances = [np.linalg.norm(one[lora] - values[lora]) for one in (strong, plain)]
    assert distances[0] < 0.8 * distances[1]


def test_ffa_lora_trains_b_alone_as_if_a_had_no_gradient(outside, backbone, tokens) -> None:
    """Oracle: the first step moves every B as plain LoRA does, because B starts at zero and A gets no gradient then."""
    model, values = a_model(backbone, FFA), start(backbone, FFA)
    layout = layout_of(backbone.shape, FFA)
    trained = train(model, FFA, values, tokens, batches(3), Optimiser(), True)
    for entry in layout.entries:
        same = layout.tensor(trained.values, entry).tobytes() == layout.tensor(values, entry).tobytes()
        assert same == (entry.factor == "A"), entry
    first = train(model, FFA, values, tokens, batches(1), Optimiser(weight_decay=0.0), True).values
    plain = train(a_model(backbone), LORA, values, tokens, batches(1), Optimiser(weight_decay=0.0), True).values
    assert first.tobytes() == plain.tobytes()

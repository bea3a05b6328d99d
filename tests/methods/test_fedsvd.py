"""FedSVD: why its learning rate is not LoRA's."""

import numpy as np
import pytest

from fedray.adapters.state import SVD_SPREAD
from fedray.methods import METHODS
from fedray.methods.fedsvd import FedSVDSection

WIDTH, RANK, SCALING, RATE, STEPS = 384, 8, 2.0, 1e-3, 20


def norms_of_change(rate: float, svd: bool) -> np.ndarray:
    """|dW| after every step of one square module under a constant gradient of W, each entry moved by `rate` a step."""
    rng = np.random.default_rng(0)
    gradient = rng.normal(size=(WIDTH, WIDTH))
    if svd:
        a, b = (rng.normal(0, SVD_SPREAD, extents) for extents in ((RANK, WIDTH), (WIDTH, RANK)))
        e = np.zeros(RANK)
    else:
        a, b, e = rng.uniform(-1, 1, (RANK, WIDTH)) / np.sqrt(WIDTH), np.zeros((WIDTH, RANK)), np.ones(RANK)
    norms = []
    for _ in range(STEPS):
        along_a, along_b = e[:, None] * (b.T @ gradient), (gradient @ a.T) * e
        along_e = ((b.T @ gradient) * a).sum(axis=1)
        a, b = a - rate * np.sign(along_a), b - rate * np.sign(along_b)
        e = e - rate * np.sign(along_e) * svd
        norms.append(np.linalg.norm(SCALING * (b * e) @ a))
    return np.array(norms)


def test_at_its_multiplier_the_svd_form_moves_weights_as_far_as_lora() -> None:
    lora = norms_of_change(RATE, svd=False)
    multiplier = FedSVDSection(name="fedsvd").learning_rate_multiplier
    ratios = norms_of_change(multiplier * RATE, svd=True) / lora
    assert (ratios[11:] > 0.5).all()  # from the twelfth step on
    assert (ratios < 2).all()
    assert (norms_of_change(RATE, svd=True) < 0.03 * lora).all()  # at LoRA's own rate nothing happens


@pytest.mark.parametrize("name", sorted(METHODS))
def test_only_svd_adapters_ask_for_another_learning_rate(name) -> None:
    expected = 5.0 if name in ("fedsvd", "fedara") else 1.0
    assert METHODS[name].section(name=name).learning_rate_multiplier == expected


@pytest.mark.parametrize("name", sorted(METHODS))
def test_defaults_scale_the_adapter_equally(name) -> None:
    assert METHODS[name].section(name=name).scaling == 2.0

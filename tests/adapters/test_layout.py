"""Every float of an adapter has one place."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedray.adapters import AdapterSpec, as_lora, download_layout, initial_values, layout_of, upload_layout
from tests.shapes import shape

SHAPE = shape(layers=4, hidden=8, labels=3)


@st.composite
def specs(draw) -> AdapterSpec:
    ranks = tuple(draw(st.lists(st.integers(0, 5), min_size=4, max_size=4)))
    trained = tuple(layer for layer in range(4) if ranks[layer] and draw(st.booleans()))
    return AdapterSpec(ranks, trained, 2.0)


@given(specs())
def test_entries_fill_the_buffer_without_gaps(spec) -> None:
    layout = layout_of(SHAPE, spec)
    covered = [position for entry in layout.entries for position in range(entry.span.start, entry.span.stop)]
    assert covered == list(range(layout.size))
    # two square modules of width 8 with A and B: 32 floats per rank; head 3 x 8 + 3
    assert layout.size == 32 * sum(spec.ranks) + 27
    assert layout.lora_size == 32 * sum(spec.ranks)


@given(specs())
def test_a_device_receives_what_it_holds_and_sends_what_it_trained(spec) -> None:
    assert download_layout(SHAPE, spec, head_travels=True).size == 32 * sum(spec.ranks) + 27
    assert download_layout(SHAPE, spec, head_travels=False).size == 32 * sum(spec.ranks)
    assert upload_layout(SHAPE, spec, head_travels=True).size == 32 * sum(spec.trained_ranks) + 27
    assert upload_layout(SHAPE, spec, head_travels=False).size == 32 * sum(spec.trained_ranks)


@given(specs(), st.integers(0, 4))
def test_what_is_cut_out_of_a_buffer_is_the_same_tensor(spec, depth) -> None:
    whole, part = layout_of(SHAPE, spec), layout_of(SHAPE, spec.deepest(depth))
    buffer = np.arange(whole.size, dtype=np.float32)
    cut = buffer[whole.positions_of(part)]
    homes = {(entry.module, entry.factor): entry for entry in whole.entries}
    for entry in part.entries:
        assert (part.tensor(cut, entry) == whole.tensor(buffer, homes[entry.module, entry.factor])).all()


def test_depth_counts_from_the_output() -> None:
    spec = AdapterSpec((3, 5, 7, 9), (0, 1, 2, 3), 1.0)
    assert spec.deepest(2).ranks == (0, 0, 7, 9)
    assert spec.deepest(2).trained == (2, 3)
    assert spec.deepest(2).backward_layers == 2
    assert spec.restricted_to(range(2)).backward_layers == 4


def test_impossible_specs_are_refused() -> None:
    with pytest.raises(ValueError, match="must carry"):
        AdapterSpec((0, 4), (0,), 1.0)
    with pytest.raises(ValueError, match="negative"):
        AdapterSpec((-1, 4), (1,), 1.0)
    with pytest.raises(ValueError, match="ascend"):
        AdapterSpec((4, 4), (1, 0), 1.0)


def test_an_adapter_starts_as_the_backbone_and_follows_the_seed() -> None:
    layout = layout_of(SHAPE, AdapterSpec((2, 2, 2, 2), (0, 1, 2, 3), 1.0))
    values = initial_values(layout, 5)
    for entry in layout.entries:
        tensor = layout.tensor(values, entry)
        assert (tensor == 0).all() if entry.factor == "B" else np.abs(tensor).max() <= 1 / np.sqrt(8)
    assert (initial_values(layout, 5) == values).all()
    assert (initial_values(layout, 6) != values).any()


def test_an_svd_adapter_has_a_diagonal_between_its_factors_and_only_what_is_left() -> None:
    spec = AdapterSpec.of_modules(((0, 0), (2, 0), (1, 3), (0, 1)), 1.0, "svd")
    assert (spec.ranks, spec.trained, spec.backward_layers) == ((0, 2, 3, 1), (1, 2, 3), 3)
    assert spec.trained_ranks == (1.0, 2.0, 0.5)
    layout = layout_of(shape(), spec)
    found = [(e.module.removeprefix("encoder.layer."), e.factor, e.shape) for e in layout.entries[:6]]
    assert found == [
        ("1.query", "A", (2, 8)),
        ("1.query", "E", (2,)),
        ("1.query", "B", (8, 2)),
        ("2.query", "A", (1, 8)),
        ("2.query", "E", (1,)),
        ("2.query", "B", (8, 1)),
    ]
    assert layout.lora_size == 7 * 17
    assert spec.restricted_to(range(2, 4)).module_ranks == ((0, 0), (0, 0), (1, 3), (0, 1))
    with pytest.raises(ValueError, match="highest"):
        AdapterSpec((1, 1), (0, 1), 1.0, ((2, 0), (1, 1)))


def test_svd_factors_start_small_and_its_product_at_zero() -> None:
    layout = layout_of(shape(hidden=64), AdapterSpec.of_modules(((8, 8),) * 4, 1.0, "svd"))
    values = initial_values(layout, 3)
    for entry in layout.entries:
        tensor = layout.tensor(values, entry)
        if entry.factor == "E":
            assert (tensor == 0).all()
        elif entry.factor != "head":
            assert tensor.std() == pytest.approx(0.02, rel=0.2)


def test_as_lora_keeps_the_product() -> None:
    spec = AdapterSpec.of_modules(((0, 0), (2, 0), (1, 3), (0, 1)), 1.0, "svd")
    layout = layout_of(shape(), spec)
    values = np.random.default_rng(0).normal(size=layout.size).astype(np.float32)
    plain_spec, plain = as_lora(shape(), spec, values)
    factors = {(e.module, e.factor): layout.tensor(values, e) for e in layout.entries}
    lora = layout_of(shape(), plain_spec)
    mine = {(e.module, e.factor): lora.tensor(plain, e) for e in lora.entries}
    for module in {module for module, factor in factors if factor == "A"}:
        product = factors[module, "B"] @ np.diag(factors[module, "E"]) @ factors[module, "A"]
        np.testing.assert_allclose(mine[module, "B"] @ mine[module, "A"], product, rtol=1e-4, atol=1e-6)
    assert as_lora(shape(), plain_spec, plain)[1] is plain


def test_a_stretched_adapter_keeps_depth_and_budget_in_proportion() -> None:
    spec = AdapterSpec((3, 5, 7), (0, 1, 2), 1.0)
    assert spec.stretched_to(6).ranks == (3, 3, 5, 5, 7, 7)
    assert spec.deepest(1).stretched_to(6).trained == (4, 5)
    assert spec.stretched_to(5).ranks == (3, 3, 5, 5, 7)
    assert spec.stretched_to(3) == spec
    uneven = AdapterSpec.of_modules(((0, 0), (2, 1)), 1.0, "svd")
    assert uneven.stretched_to(4).module_ranks == ((0, 0), (0, 0), (2, 1), (2, 1))

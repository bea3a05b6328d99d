"""Every float of an adapter has one place."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedray.adapters import AdapterSpec, download_layout, initial_values, layout_of, upload_layout
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

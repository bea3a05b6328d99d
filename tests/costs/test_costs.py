"""Prices against hand-worked numbers, against torch's own counter, and against published measurements."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.cost_model import TX2_SECONDS, reproduce
from fedray.adapters import AdapterSpec, layout_of
from fedray.costs import Pricing, compute_seconds, fit_throughput, joules, transfer_seconds
from fedray.costs.flops import step_flops
from fedray.fleet import load_catalogue
from fedray.protocol import GradientNorms, Quantisation, TripletSelection
from tests.shapes import shape

FULL = AdapterSpec((2, 2, 2, 2), (0, 1, 2, 3), 1.0)


def test_flops_of_a_step_by_hand() -> None:
    # b 2, S 16: 32 tokens; a layer: 2*32*768 + 4*32*16*8 = 49152 + 16384 = 65536
    # LoRA of a layer, rank 2: 2*32*2*(16+16) = 4096; head: 2*2*24 = 96
    # depth 2: forward 4 layers, backward 2, LoRA forward and twice backward on 2 layers, head three times
    expected = 65536 * (4 + 2) + 4096 * 2 + 2 * 4096 * 2 + 3 * 96
    assert step_flops(shape(), FULL.deepest(2), batch_size=2, sequence_length=16) == expected


def test_memory_by_hand() -> None:
    pricing = Pricing(shape(), batch_size=2, sequence_length=16, head="shared")
    activation = 11 * 2 * 16 * 8 * 4
    fixed = 1000 * 4 + 27 * 16 + activation
    lora = 16 * 2 * 32
    assert pricing.work(FULL.deepest(3), 1).memory_bytes == fixed + 3 * (activation + lora)
    quantised = activation * (4 + 64 / 256) / 32
    assert pricing.work(FULL.deepest(3), 1, Quantisation((1, 2), 4, 256)).memory_bytes == pytest.approx(
        fixed + 3 * (activation + lora) - (2 - 2 / 11) * (activation - quantised)  # of layer 1, 2 of 11 units stay
    )
    assert pricing.work(FULL.deepest(3), 1, Quantisation((2, 3), 4, 256)).memory_bytes == pytest.approx(
        fixed + 3 * (activation + lora) - 2 * (activation - quantised)
    )


def test_bytes_are_those_of_the_tensors_that_travel() -> None:
    spec = FULL.deepest(2)
    for head, floats in (("shared", 128 + 27), ("local", 128), ("frozen", 128)):
        work = Pricing(shape(), 2, 16, head).work(spec, 3)
        assert (work.download_bytes, work.upload_bytes) == (4 * floats, 4 * floats)


def test_seconds_and_joules_by_hand() -> None:
    assert compute_seconds(np.array([1e9]), np.array([4]), np.array([5e8]), np.array([0.01])) == pytest.approx([2.04])
    # a megabyte at 8 Mb/s takes a second
    assert transfer_seconds(np.array([1e6]), np.array([8.0]), 0.05) == pytest.approx([1.05])
    assert joules(np.array([2.0]), np.array([15.0]), np.array([3.0]), np.array([4.0])) == pytest.approx([42.0])


def test_layer_passes_turn_a_layer_second_into_the_compute_time() -> None:
    work = Pricing(shape(), 2, 16, "shared").work(FULL.deepest(2), 5)
    layer_flops = 65536
    assert work.layer_passes * (layer_flops / 1e9) == pytest.approx(work.flops / 1e9)


@pytest.mark.parametrize("depth", [1, 3, 6])
def test_flops_agree_with_torchs_counter(depth, scenario) -> None:
    """Oracle: torch counts the operations of a real step of the real model."""
    from fedray.learning.adapted import AdaptedModel
    from fedray.learning.backbone import find_backbone
    from fedray.learning.classifier import build, load_weights
    from fedray.learning.tokens import Batch

    backbone = find_backbone(scenario(), labels=12)
    spec = AdapterSpec((8,) * 6, tuple(range(6)), 2.0)
    model = AdaptedModel(load_weights(build(backbone.recipe), backbone.weights()), backbone.shape, spec)
    model.take_up(spec.deepest(depth), np.zeros(layout_of(backbone.shape, spec.deepest(depth)).size, np.float32))
    ids = torch.randint(1000, 2000, (4, 32))
    batch = Batch({"input_ids": ids, "attention_mask": torch.ones_like(ids)}, torch.zeros(4, dtype=torch.int64))
    with FlopCounterMode(display=False) as counter:
        torch.nn.functional.cross_entropy(model.logits(batch), batch.labels).backward()
    counted = counter.get_total_flops()
    assert step_flops(backbone.shape, spec.deepest(depth), 4, 32) == pytest.approx(counted, rel=0.06)


def test_published_step_times_of_a_tx2_are_reproduced_at_every_depth() -> None:
    """BERT-base, full fine-tuning, b 4, S 256, by number of trained layers; one throughput, one overhead."""
    rows, _, _ = reproduce(TX2_SECONDS)
    assert len(rows) == 13
    assert max(abs(row.error) for row in rows) < 0.10


def test_the_published_step_times_are_those_of_the_source(shared: Path) -> None:
    measured = json.loads((shared / "devices" / "measured_training.json").read_text())
    (fedadapter,) = (entry for name, entry in measured.items() if name.startswith("FedAdapter"))
    assert tuple(fedadapter["tx2_full_ft_topd_s"]) == TX2_SECONDS


def test_the_catalogues_tx2_has_the_fitted_throughput() -> None:
    _, throughput, overhead = reproduce(TX2_SECONDS)
    profile = load_catalogue().profiles["jetson-tx2"]
    assert profile.flops_per_second("MAXN") == pytest.approx(throughput, rel=0.01)
    assert profile.step_overhead_ms / 1000 == pytest.approx(overhead, abs=1e-3)


def test_a_fit_finds_what_made_the_numbers() -> None:
    flops = np.array([1e9, 2e9, 5e9])
    fit = fit_throughput(flops, flops / 4e8 + 0.3)
    assert fit.flops_per_second == pytest.approx(4e8)
    assert fit.overhead_seconds == pytest.approx(0.3)


def test_a_fit_never_finds_a_negative_overhead() -> None:
    flops = np.array([1e9, 2e9, 5e9])
    assert fit_throughput(flops, flops / 4e8 - 0.3).overhead_seconds == 0


def test_a_twin_is_priced_in_its_own_layers_and_steps() -> None:
    """Four layers stand for eight: depth 3 for 6, layer 1 for 2 and 3; five of its steps for two of ours."""
    twin = replace(shape(layers=8, hidden=16), targets=shape(hidden=16).targets)
    stand_in = Pricing(twin, 2, 16, "shared", steps_scale=2.5)
    eight = AdapterSpec((2,) * 8, tuple(range(8)), 1.0)
    own = Pricing(twin, 2, 16, "shared")
    priced = stand_in.work(FULL.deepest(3), 2, Quantisation((1, 2), 4, 256), GradientNorms())
    assert priced == own.work(eight.deepest(6), 5, Quantisation((2, 3, 4, 5), 4, 256), GradientNorms())
    assert priced.upload_bytes == 4 * (6 * 2 * 2 * 32 + 3 * 16 + 3) + 4 * 6  # a norm per layer
    svd = AdapterSpec.of_modules(((2, 2),) * 4, 1.0, "svd")
    selected = stand_in.work(svd, 2, None, TripletSelection(4, 0.0, 0.85))
    assert selected.upload_bytes == 4 * (8 * 33 + 8 + 3 * 16 + 3) + 4  # 8 of 32 triplets, and 32 bits


def test_a_selection_is_never_priced_above_what_is_held() -> None:
    spec = AdapterSpec.of_modules(((1, 0),) * 4, 1.0, "svd")
    pricing = Pricing(shape(), 2, 16, "local")
    assert pricing.work(spec, 1, None, TripletSelection(9, 0.0, 0.85)).upload_bytes == 4 * (4 * 17 + 4) + 1

"""Prices against hand-worked numbers, against torch's own counter, and against published measurements."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.cost_model import (
    ORIN_NANO,
    TX2_SECONDS,
    WHOLE_MODEL_SECONDS,
    half_precision_errors,
    phone_rows,
    product_rows,
    training_rows,
)
from benchmarks.depth import full_spec, random_roberta
from benchmarks.memory import FULL_PEAK_GB, published_fit, saved_row
from fedray.adapters import AdapterSpec, layout_of
from fedray.costs import Pricing, joules, transfer_seconds
from fedray.costs.kernels import lora_weights, step_kernels
from fedray.costs.memory import full_fine_tuning_memory_bytes
from fedray.methods.fedara import TripletSelection
from fedray.methods.fedquad import GradientNorms
from fedray.protocol import LocalHook, Quantisation
from fedray.roofline import Kernel, Kernels
from tests.shapes import shape

pytestmark = pytest.mark.model

FULL = AdapterSpec((2, 2, 2, 2), (0, 1, 2, 3), 1.0)


def test_flops_of_a_step_by_hand() -> None:
    # b 2, S 16: 32 tokens; a layer: 2*32*768 + 4*32*16*8 = 49152 + 16384; backward 49152 + 2*16384 = 81920
    # LoRA of a layer, rank 2: 2*32*2*(16+16) = 4096; head: 2*2*24 = 96
    # depth 2: forward 4 layers, backward 2, LoRA forward and twice backward on 2 layers, head three times
    expected = 65536 * 4 + 81920 * 2 + 3 * 4096 * 2 + 3 * 96
    assert step_kernels(shape(), FULL.deepest(2), batch_size=2, sequence_length=16).flops == expected


def test_a_kernel_takes_its_arithmetic_or_its_traffic_whichever_is_longer_and_its_launch() -> None:
    busy, fed = Kernel(2e9, 1e6), Kernel(1e9, 4e6)
    kernels = Kernels.of([busy, busy]) + Kernels.of([fed]) * 0.5
    # at 1 GFLOP/s and 1 MB/s: 2 s of arithmetic each, 4 s of traffic half, 2.5 launches; at 4 MB/s the traffic is 1 s
    at = kernels.seconds(np.array([1e9, 1e9]), np.array([1e6, 4e6]), np.array([0.1, 0.0]))
    assert at == pytest.approx([2 + 2 + 4 / 2 + 0.25, 2 + 2 + 1 / 2])
    assert kernels.flops == 4.5e9


def test_quantising_costs_a_fifth_of_a_forward_pass_per_layer() -> None:
    plain, packed = (step_kernels(shape(), FULL, 2, 16, layers) for layers in (0, 3))
    assert packed.flops - plain.flops == pytest.approx(3 * 65536 / 5)


def test_lora_that_is_held_but_not_trained_costs_its_forward_pass_only() -> None:
    """Below the depth layers keep their LoRA: 4096 once, where a trained layer pays three times."""
    held = AdapterSpec((2, 2, 2, 2), (3,), 1.0)
    assert step_kernels(shape(), held, 2, 16).flops == 65536 * 4 + 81920 + 4096 * (3 + 3) + 3 * 96


def test_nothing_needs_the_gradient_of_what_enters_the_lowest_trained_layer() -> None:
    """Queries, keys and values are computed from it: 3 of 6 products of 2 * 32 * 64 are left out, once."""
    entered = replace(shape(), entry_linears=((8, 8),) * 3)
    for depth in (1, 4):
        spared = (
            step_kernels(shape(), FULL.deepest(depth), 2, 16).flops
            - step_kernels(entered, FULL.deepest(depth), 2, 16).flops
        )
        assert spared == 3 * 2 * 32 * 64


def test_dropout_reads_and_writes_probabilities_and_two_hidden_vectors_both_ways() -> None:
    """Heads 2, b 2, S 16: 1024 probabilities, 256 hidden floats; three floats each, forward 4 times, backward twice."""
    plain, dropped = (step_kernels(replace(shape(), dropout=p), FULL.deepest(2), 2, 16) for p in (0.0, 0.1))
    moved = [sum(count * kernel.bytes for kernel, count in step.counts) for step in (plain, dropped)]
    assert moved[1] - moved[0] == 4 * 3 * (1024 + 2 * 256) * (4 + 2)


def test_masks_are_kept_as_they_are_when_activations_are_quantised() -> None:
    """Of 11 units 4 are masks: 7 are packed, and of the lowest tuned layer 5."""
    pricing = Pricing(replace(shape(), mask_units=4.0), 2, 16, "shared")
    unit = 2 * 16 * 8 * 4
    spared = 1 - (4 + 64 / 256) / 32
    plain = pricing.work(FULL.deepest(2), 1).memory_bytes
    for layers, units in (((3,), 7), ((2, 3), 7 + 5)):
        packed = pricing.work(FULL.deepest(2), 1, Quantisation(layers, 4, 256)).memory_bytes
        assert plain - packed == pytest.approx(units * unit * spared)


def test_memory_of_full_fine_tuning_by_hand() -> None:
    """b 2, S 16: scores are 2 * 16 / 8 = 4 hidden vectors; 8 + 8 + 2 * 4 floats and 6 mask bytes per hidden unit."""
    kept = (24 + 6 / 4) * 2 * 16 * 8 * 4
    weights = 4 * 64 + 2 * 256
    assert full_fine_tuning_memory_bytes(shape(), 0, 2, 16) == 4 * 1000 + 12 * 27
    assert full_fine_tuning_memory_bytes(shape(), 3, 2, 16) == 4 * 1000 + 12 * (3 * weights + 27) + 3 * kept
    without = full_fine_tuning_memory_bytes(shape(), 3, 2, 16, dropout=False)
    assert without == 4 * 1000 + 12 * (3 * weights + 27) + 3 * 20 * 2 * 16 * 8 * 4


def test_an_update_moves_seven_floats_per_trained_weight() -> None:
    """Depth 1 of 2 layers held: 64 LoRA weights are updated, and the head's 27."""
    moved = {kernel.bytes for kernel, _ in step_kernels(shape(), FULL.deepest(1), 2, 16).counts if not kernel.flops}
    assert {4.0 * 7 * 64, 4.0 * 7 * 27} <= moved


def test_memory_by_hand() -> None:
    pricing = Pricing(shape(), batch_size=2, sequence_length=16, head="shared")
    activation = 11 * 2 * 16 * 8 * 4
    fixed = 1000 * 4 + 27 * 16 + 2 * 32 * 2 * 16 * 4  # weights, head, the inner activation twice
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
    # a megabyte at 8 Mb/s takes a second
    assert transfer_seconds(np.array([1e6]), np.array([8.0]), 0.05) == pytest.approx([1.05])
    # 10 s at 2 W, of which 2 s computing at 15 W in all and 3 s of radio at 4 W beside: 20 + 2 * 13 + 12
    seconds, watts = np.array([10.0, 2.0, 3.0]), np.array([2.0, 15.0, 4.0])
    powered, compute, transfer = seconds[:, None]
    assert joules(powered, watts[[0]], compute, watts[[1]], transfer, watts[[2]]) == pytest.approx([58.0])


def test_layer_passes_turn_a_layer_second_into_the_compute_time() -> None:
    work = Pricing(shape(), 2, 16, "shared").work(FULL.deepest(2), 5)
    layer_flops = 65536
    assert work.layer_passes * (layer_flops / 1e9) == pytest.approx(work.flops / 1e9)


class MovedBytes(TorchDispatchMode):
    """Counts what every operator reads and writes; views move nothing, a look-up does not read its whole table."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        view = any(value.alias_info and not value.alias_info.is_write for value in func._schema.returns)
        if not view and func.overloadpacket.__name__ not in ("empty", "empty_like", "embedding"):
            tensors = [leaf for leaf in tree_leaves((out, args, kwargs)) if isinstance(leaf, torch.Tensor)]
            self.total += sum(x.numel() * x.element_size() for x in tensors if x.is_floating_point())
        return out


@pytest.mark.parametrize("depth", [1, 3, 6])
def test_flops_and_bytes_agree_with_torch(depth, scenario) -> None:
    """Oracle: torch counts operations and moved bytes of a real step of the real model, all but the optimiser's."""
    from fedray.learning.adapted import AdaptedModel
    from fedray.learning.backbone import find_backbone
    from fedray.learning.classifier import build, load_weights
    from fedray.learning.tokens import Batch

    backbone = find_backbone(scenario("schema_version: 1\ntask: {max_length: 64}\n"), labels=12)
    spec = AdapterSpec((8,) * 6, tuple(range(6)), 2.0)
    mine = spec.deepest(depth)
    model = AdaptedModel(load_weights(build(backbone.recipe), backbone.weights()), backbone.shape, spec)
    model.load_adapter(mine, np.zeros(layout_of(backbone.shape, mine).size, np.float32))
    ids = torch.randint(1000, 2000, (4, 32))
    batch = Batch({"input_ids": ids, "attention_mask": torch.ones_like(ids)}, torch.zeros(4, dtype=torch.int64))
    with MovedBytes() as moved, FlopCounterMode(display=False) as counter:
        torch.nn.functional.cross_entropy(model.logits(batch), batch.labels).backward()
    step = step_kernels(backbone.shape, mine, 4, 32)
    updated = 4 * 7 * (sum(lora_weights(backbone.shape, mine, layer) for layer in mine.trained) + 12 * 385)
    assert step.flops == pytest.approx(counter.get_total_flops(), rel=0.03)
    assert sum(count * kernel.bytes for kernel, count in step.counts) - updated == pytest.approx(moved.total, rel=0.01)


def test_published_rows_that_were_not_fitted_are_predicted() -> None:
    """Every training step within 10 %, but a board of another family (Jetson Nano, Maxwell) priced as Pascal."""
    rows = [row for row in training_rows() if not row.fitted]
    assert len(rows) == 15
    errors = {row.what: abs(row.error) for row in rows}
    assert errors.pop("Jetson Nano, BERT-base, whole model") < 0.25
    assert max(errors.values()) < 0.10


def test_the_families_have_the_fitted_numbers() -> None:
    fitted = [row for row in [*training_rows(), *product_rows(), *phone_rows()] if row.fitted]
    assert len(fitted) == 6
    for row in fitted:
        assert abs(row.error) < 0.005, row.what


def test_the_published_rows_are_those_of_the_source(shared: Path) -> None:
    measured = json.loads((shared / "devices" / "measured_training.json").read_text())
    (fedadapter,) = (entry for name, entry in measured.items() if name.startswith("FedAdapter"))
    assert tuple(fedadapter["tx2_full_ft_topd_s"]) == TX2_SECONDS
    assert fedadapter["full_model_s_per_batch"] == WHOLE_MODEL_SECONDS
    (products,) = (entry for name, entry in measured.items() if name.startswith("branes-ai"))
    for mode, (gflops, gbs) in ORIN_NANO.items():
        named = products[mode.removesuffix("_SUPER")]
        assert (named["fp32_gflops"], named["copy_gbs"]) == (gflops, gbs)


def test_published_peaks_of_full_fine_tuning_are_predicted_from_those_of_adapters() -> None:
    """Two numbers come from the adapters' rows; gradients and moments of the tuned layers come from the formula."""
    fit = published_fit()
    errors = [row.error for row in fit.rows]
    assert abs(fit.slope_error) < 0.06
    assert max(map(abs, errors)) < 0.13
    assert abs(np.median(errors)) < 0.06


@pytest.mark.parametrize(("attention", "dropout"), [("sdpa", 0.0), ("eager", 0.1)])
def test_memory_of_real_steps_is_what_torch_counts(attention, dropout) -> None:
    model = random_roberta(2, 64, attention, dropout)
    for batch_size in (4, 16):
        for depth in (2, 1):
            row = saved_row("", model, full_spec(2).deepest(depth), batch_size)
            assert abs(row.error) < 0.03, (batch_size, depth)


def test_the_published_peaks_are_those_of_the_source(shared: Path) -> None:
    measured = json.loads((shared / "devices" / "measured_training.json").read_text())
    (fedadapter,) = (entry for name, entry in measured.items() if name.startswith("FedAdapter"))
    assert tuple(fedadapter["peak_memory_gb_bert_full_ft_topd"]) == FULL_PEAK_GB


def test_half_precision_products_that_nothing_was_fitted_to_come_out_right_in_the_middle(shared: Path) -> None:
    for table, bound in (("orin_nano_linear.csv", 0.15), ("orin_nano_matmul.csv", 0.25)):
        assert abs(np.median(half_precision_errors(shared / "devices" / table))) < bound


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


@dataclass(frozen=True)
class Costly(LocalHook):
    """A hook with a price of every kind, per trained float."""

    def download_bytes(self, adapter) -> int:
        return adapter.down.size

    def upload_bytes(self, adapter) -> int:
        return -adapter.up.lora_size

    def step_kernels(self, adapter) -> Kernels:
        return Kernels.of([Kernel(7.0 * adapter.up.lora_size, 0.0)])

    def memory_bytes(self, adapter) -> float:
        return float(adapter.stretched(5))


def test_a_hook_adds_its_own_price_to_that_of_the_assignment() -> None:
    """Two of four layers, rank 2 on two modules of 8 x 8: 128 LoRA floats, and 27 of the head; a twin of eight."""
    spec = FULL.deepest(2)
    pricing = Pricing(shape(), 2, 16, "shared")
    plain, priced = pricing.work(spec, 3), pricing.work(spec, 3, None, Costly())
    assert priced.download_bytes - plain.download_bytes == 128 + 27
    assert priced.upload_bytes - plain.upload_bytes == -128
    assert priced.flops - plain.flops == 3 * 7 * 128
    assert priced.layer_passes > plain.layer_passes
    assert priced.memory_bytes - plain.memory_bytes == 5
    twin = Pricing(shape(layers=8), 2, 16, "shared")
    assert twin.work(spec, 3, None, Costly()).memory_bytes - twin.work(spec, 3).memory_bytes == 10
    assert pricing.work(spec, 3, None, LocalHook()) == plain

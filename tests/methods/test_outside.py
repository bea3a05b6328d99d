"""What the methods of the outside package plan, and their prices by hand."""

import re
from dataclasses import replace

import numpy as np
import pytest

from fedray.adapters import download_layout, initial_values, layout_of, upload_layout
from fedray.aggregation import PerTensorMean
from fedray.costs import Pricing
from fedray.costs.kernels import lora_weights
from fedray.methods import MethodContext, known_method
from fedray.methods.registry import section_name
from fedray.protocol import ServerState, Update
from fedray.roofline import Kernel, Kernels, product
from tests.conftest import PROJECT
from tests.methods.fleets import PRICING, small_boards
from tests.outside_package import SOURCE
from tests.shapes import shape

TINY = Pricing(shape(), batch_size=2, sequence_length=16, head="shared")  # 4 layers, query and value of 8 x 8


def build(name: str, pricing: Pricing = TINY, **words):
    method = known_method(name)
    section = method.section(name=section_name(method.section), **words)
    return method(section, MethodContext(pricing.shape, pricing, 6, local_steps=3, rounds=5, seed=1))


def test_fedprox_price_by_hand(outside) -> None:
    """Rank 2: 16 LoRA tensors of 16 floats. Each of 4 kernels a tensor, 5 operations and 9 floats moved per weight."""
    method = build("fedprox", rank=2, mu=0.3)
    (assignment, *_) = method.plan(small_boards()).assignments
    plain, priced = TINY.work(assignment.spec, 3), TINY.work_of(assignment)
    added = priced.step + plain.step * -1
    count = sum(launches for _, launches in added.counts)
    moved = sum(launches * kernel.bytes for kernel, launches in added.counts)
    assert (count, added.flops, moved) == (16 * 4, 256 * 5, 256 * 9 * 4)
    assert priced.memory_bytes - plain.memory_bytes == 256 * 4
    assert (priced.download_bytes, priced.upload_bytes) == (plain.download_bytes, plain.upload_bytes)
    seconds = added.seconds(np.array([1e3]), np.array([1e9]), np.array([0.5]))
    assert seconds == pytest.approx([256 * 5 / 1e3 + 64 * 0.5], rel=1e-3)


def test_ffa_lora_sends_b_both_ways_and_spares_what_a_would_cost(outside) -> None:
    """Rank 2: 8 B of 16 floats and the head's 27 travel. No product for A's gradient, no update and no moments of A."""
    method = build("ffa-lora", rank=2)
    spec = method.adapter()
    plain, fixed = TINY.work(replace(spec, fixed=()), 3), TINY.work(spec, 3)
    assert (fixed.download_bytes, fixed.upload_bytes) == (4 * (128 + 27), 4 * (128 + 27))
    assert plain.upload_bytes == 4 * (256 + 27)
    gradients = Kernels.of([product(32, 8, 2)]) * 8
    updates = Kernels.of([Kernel(0.0, 4.0 * 7 * 256)]) + Kernels.of([Kernel(0.0, 4.0 * 7 * 128)]) * -1
    spared = {kernel: count for kernel, count in (plain.step + fixed.step * -1).counts if count}
    assert spared == dict((gradients + updates).counts)
    assert plain.memory_bytes - fixed.memory_bytes == 4 * 128 * 3  # gradient and two moments
    assert lora_weights(TINY.shape, spec, 0) == lora_weights(TINY.shape, spec, 0, ("A",)) * 2


def test_ffa_lora_aggregates_b_exactly_and_never_touches_a(outside) -> None:
    method = build("ffa-lora", PRICING, rank=2, aggregation="zero-pad")
    spec = method.adapter()
    layout, sent = layout_of(PRICING.shape, spec), upload_layout(PRICING.shape, spec, True)
    assert {entry.factor for entry in sent.entries} == {"B", "head"}
    assert download_layout(PRICING.shape, spec, False) == upload_layout(PRICING.shape, spec, False)
    state = ServerState(spec, initial_values(layout, 1))
    fold = method.fold()
    assert isinstance(fold, PerTensorMean)
    for device, value in ((0, 1.0), (1, 2.0)):
        fold.add(Update(device, sent, np.full(sent.size, value, np.float32)), 1)
    after = method.apply(state, fold.result())
    for entry in layout.entries:
        tensor = layout.tensor(after.values, entry)
        expected = layout.tensor(state.values, entry) if entry.factor == "A" else np.full(entry.shape, 1.5)
        assert np.array_equal(tensor, expected), entry


def test_both_factors_cannot_be_fixed(outside) -> None:
    with pytest.raises(ValueError, match="A and B cannot both be fixed"):
        replace(build("ffa-lora").adapter(), fixed=("A", "B"))


def test_the_page_shows_the_code_of_the_package() -> None:
    page = (PROJECT / "docs/methods/own-method.md").read_text()
    blocks = re.findall(r"```python\n# (\S+)\n(.*?)```", page, re.DOTALL)
    assert [name for name, _ in blocks] == ["fedray_fedprox/fedprox.py", "fedray_fedprox/proximal.py"]
    for name, code in blocks:
        assert code.strip() in (SOURCE / name).read_text()

"""The memory model against a published table of peaks, and against torch's own count of real LoRA steps.

    python benchmarks/memory.py

- FedAdapter (MobiCom 23; UbiquitousLearning/FedAdapter@492f81fca4, exps_data/draw-cost-memory.py): peak GB of BERT-base
  with the top d = 0..12 layers tuned in full, and with adapters in them and the weights frozen. The script says neither
  board nor batch; the seconds beside it are of 4 texts of 256 tokens on a Jetson TX2. At 4 texts the activations of a
  layer would be 80 MB, and the published slopes (336 MB in full, 227 MB with adapters) could not be reached by any
  formula; both fit 13 texts. So two numbers are fitted, to rows of the adapters alone: the batch, and what is held
  beside the weights at depth 0 (CUDA context, framework). All rows of full fine-tuning are predicted from them, with
  the weights, gradients and moments that they hold and adapters do not. Depth 12 tunes the embeddings, too.
- Torch: what autograd saves in a real step, by unique storage, with the frozen weights and the trained ones' copies;
  and for some, the allocator's peak over forward and backward pass, which has what is in flight besides.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile
from transformers import BertConfig

from benchmarks.depth import embedded_model, full_spec, random_batch, random_roberta
from fedray.adapters import AdapterSpec, BackboneShape, layout_of
from fedray.costs.memory import ADAM_COPIES, full_fine_tuning_memory_bytes, in_flight_bytes, training_memory_bytes
from fedray.learning.activations import saved_bytes
from fedray.learning.adapted import AdaptedModel
from fedray.learning.backbone import describe
from fedray.learning.classifier import Recipe
from fedray.roofline import FLOAT

FULL_PEAK_GB = (1.2, 1.5, 1.7, 2.0, 2.3, 2.8, 3.2, 3.5, 3.9, 4.1, 4.3, 4.7, 5.3)
ADAPTER_PEAK_GB = (1.2, 1.3, 1.3, 1.6, 1.8, 2.1, 2.4, 2.5, 2.7, 3.1, 3.3, 3.5, 3.8)
TOKENS = 256
COUNTED_TOKENS = 64
COUNTED_BATCHES = (4, 16)


@dataclass(frozen=True)
class MemoryRow:
    """Bytes that were measured or counted, and the model's."""

    what: str
    measured: float
    modelled: float

    @property
    def error(self) -> float:
        return self.modelled / self.measured - 1


@dataclass(frozen=True)
class PublishedFit:
    """The numbers fitted to the published adapters, and the rows of full fine-tuning predicted from them."""

    batch_size: int
    offset_bytes: float
    rows: tuple[MemoryRow, ...]

    @property
    def slope_error(self) -> float:
        """Of what one more layer takes, depths 0 to 11."""
        measured, modelled = (
            float(np.polyfit(range(12), [getattr(row, name) for row in self.rows[:12]], 1)[0])
            for name in ("measured", "modelled")
        )
        return modelled / measured - 1


def adapter_layer_bytes(shape: BackboneShape, batch_size: int) -> float:
    """What a layer of frozen weights with two bottleneck adapters keeps, dropout included, on CUDA.

    Queries, keys, values, two sums and the inner activation before its function, the adapters' inputs; the
    probabilities twice; masks of a byte.
    """
    scores = shape.heads * TOKENS / shape.hidden
    floats = 5 + shape.inner / shape.hidden + 2 + 2 * scores
    return (floats + (2 + scores) / FLOAT) * batch_size * TOKENS * shape.hidden * FLOAT


def published_fit() -> PublishedFit:
    """Batch and offset from the adapters' rows (least squares through depth 0), and the predictions."""
    config = BertConfig()
    shape = describe(
        "bert-base", Recipe(config.to_json_string(use_diff=False), "native", 2), config, ("query",), TOKENS
    )
    depths = np.arange(13)
    rises = (np.array(ADAPTER_PEAK_GB) - ADAPTER_PEAK_GB[0]) * 1e9
    batch = round(float(depths @ rises / (depths @ depths)) / adapter_layer_bytes(shape, 1))
    offset = ADAPTER_PEAK_GB[0] * 1e9 - full_fine_tuning_memory_bytes(shape, 0, batch, TOKENS)
    embeddings = shape.parameters - shape.layers * sum(inside * out for inside, out in shape.linears)
    rows = []
    for depth, peak in enumerate(FULL_PEAK_GB):
        modelled = offset + full_fine_tuning_memory_bytes(shape, depth, batch, TOKENS)
        if depth == shape.layers:
            modelled += embeddings * (ADAM_COPIES - 1) * FLOAT
        rows.append(MemoryRow(f"BERT-base, top {depth} layers in full", peak * 1e9, modelled))
    return PublishedFit(batch, offset, tuple(rows))


def counted_rows() -> Iterator[MemoryRow]:
    """Real steps of MiniLM and of three layers of RoBERTa-base: full depth and depth 1."""
    for attention in ("sdpa", "eager"):
        for dropout in (0.0, 0.1):
            models = (
                ("MiniLM-L6", embedded_model(full_spec(6), attention, dropout)),
                ("RoBERTa-base x 3", random_roberta(3, COUNTED_TOKENS, attention, dropout)),
            )
            for name, model in models:
                for batch_size in COUNTED_BATCHES:
                    for depth in (model.shape.layers, 1):
                        spec = full_spec(model.shape.layers).deepest(depth)
                        what = f"{name}, {attention}, dropout {dropout:g}, {batch_size} x 64, depth {depth}"
                        yield saved_row(what, model, spec, batch_size)
                    if batch_size == COUNTED_BATCHES[-1]:
                        yield peak_row(f"{name}, {attention}, dropout {dropout:g}, {batch_size} x 64, peak", model)


def saved_row(what: str, model: AdaptedModel, spec: AdapterSpec, batch_size: int) -> MemoryRow:
    """Frozen weights, the trained ones with gradients and moments, and what the forward pass saved."""
    saved = saved_bytes(model, spec, random_batch(batch_size, COUNTED_TOKENS)).total
    in_flight = in_flight_bytes(model.shape, batch_size, COUNTED_TOKENS)
    modelled = training_memory_bytes(model.shape, spec, batch_size, COUNTED_TOKENS) - in_flight
    return MemoryRow(what, resident_bytes(model, spec) + saved, modelled)


def peak_row(what: str, model: AdaptedModel) -> MemoryRow:
    """The most that is allocated in a step at full depth with the largest batch, and what stays from step to step."""
    spec, batch_size = full_spec(model.shape.layers), COUNTED_BATCHES[-1]
    model.load_adapter(spec, np.zeros(layout_of(model.shape, spec).size, np.float32))
    for parameter in (parameter for group in model.trainable() for parameter in group):
        parameter.grad = torch.zeros_like(parameter)  # counted as resident
    batch = random_batch(batch_size, COUNTED_TOKENS)
    watched = profile(activities=[ProfilerActivity.CPU], profile_memory=True)
    with model.with_dropout(np.random.default_rng(0)), watched:
        torch.nn.functional.cross_entropy(model.logits(batch), batch.labels).backward()
    results: Any = watched.profiler and watched.profiler.kineto_results  # torch's stubs lack nbytes
    events = (event for event in results.events() if event.name() == "[memory]")
    changes = [event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())]
    peak = float(np.cumsum(changes).max())
    modelled = training_memory_bytes(model.shape, spec, batch_size, COUNTED_TOKENS)
    return MemoryRow(what, resident_bytes(model, spec) + peak, modelled)


def resident_bytes(model: AdaptedModel, spec: AdapterSpec) -> float:
    """What stays from step to step: frozen weights, and the adapter with its gradients and two moments."""
    return float(model.frozen_bytes + ADAM_COPIES * FLOAT * layout_of(model.shape, spec).size)


def report() -> None:
    """Print both tables."""
    fit = published_fit()
    print(f"fitted to adapters: {fit.batch_size} texts of {TOKENS}, {fit.offset_bytes / 1e9:.2f} GB beside the weights")
    print(f"{'peak memory':58}{'published':>11}{'model':>10}{'error':>8}")
    for row in fit.rows:
        print(f"{row.what:58}{row.measured / 1e9:8.2f} GB{row.modelled / 1e9:7.2f} GB{row.error:+8.1%}")
    print(f"one more layer: {fit.slope_error:+.1%}")
    print(f"\n{'memory of a LoRA step':58}{'counted':>11}{'model':>10}{'error':>8}")
    for row in counted_rows():
        print(f"{row.what:58}{row.measured / 1e6:8.1f} MB{row.modelled / 1e6:7.1f} MB{row.error:+8.1%}")


if __name__ == "__main__":
    report()

"""What depth saves on the machine that really trains: CPU seconds of a step by depth, against the cost model's ratios.

    python benchmarks/depth.py [--repeats 15]

MiniLM-L6 at 8 and 16 texts of 64 tokens and a randomly initialised RoBERTa-base (12 layers) at 4 texts, LoRA rank 8 on
query and value, one thread. Depths take turns, so that all meet the same noise; seconds are CPU seconds, the median of
the turns and their quartiles, and a ratio is the median of the turns' ratios to full depth. The model has this
machine's own rates (products, copies, launches), measured in CPU seconds too, and no factor: only ratios are compared.

The C library is told to keep freed memory, as CUDA's caching allocator does. Otherwise what a step saved for backward
is given back to the system after it, and touching it anew costs deeper steps up to a tenth of their time.
"""

import argparse
import ctypes
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from transformers import RobertaConfig

from fedray.adapters import AdapterSpec, initial_values, layout_of
from fedray.costs.kernels import step_kernels
from fedray.learning.activations import saved_bytes
from fedray.learning.adapted import AdaptedModel
from fedray.learning.backbone import describe, find_backbone
from fedray.learning.calibration import measured_speed
from fedray.learning.classifier import Recipe, build, load_weights
from fedray.learning.tokens import Batch
from fedray.scenario import load_scenario

BATCH_SIZE, TOKENS = 8, 48  # what benchmarks/pruning.py measures with
MALLOC_KEEPS = {-1: 2**31 - 1, -2: 2**29, -3: 2**31 - 1}  # mallopt: trim threshold, top pad, mmap threshold


@dataclass(frozen=True)
class DepthRow:
    """CPU seconds of a step at a depth: median and quartiles; and its ratio to full depth, measured and modelled."""

    depth: int
    seconds: float
    quartiles: tuple[float, float]
    measured: float
    modelled: float
    saved_bytes: int

    @property
    def error(self) -> float:
        return self.modelled / self.measured - 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    report(parser.parse_args().repeats)


def report(repeats: int) -> None:
    """Measure and print every case."""
    torch.set_num_threads(1)
    keep_memory()
    for title, model, batch, depths in cases():
        rows = depth_rows(model, batch, depths, repeats)
        print(f"{title}: CPU s a step (quartiles)   of full depth   model  error  kept for backward")
        for row in rows:
            low, high = row.quartiles
            print(
                f"  depth {row.depth:2}  {row.seconds:8.3f} ({low:.3f}-{high:.3f}){row.measured:16.3f}"
                f"{row.modelled:8.3f}{row.error:+7.1%}{row.saved_bytes / 1e6:9.1f} MB"
            )
        measured, modelled = (slope(rows, name) for name in ("measured", "modelled"))
        print(f"  slope per layer: measured {measured:.4f}, model {modelled:.4f} ({modelled / measured - 1:+.1%})")


def cases() -> Iterator[tuple[str, AdaptedModel, Batch, tuple[int, ...]]]:
    """Title, model, batch and depths of every measurement."""
    minilm = embedded_model(full_spec(6))
    for texts in (8, 16):
        yield f"MiniLM-L6, {texts} x 64", minilm, random_batch(texts, 64), (1, 2, 3, 4, 5, 6)
    yield "RoBERTa-base, random, 4 x 64", random_roberta(12, 64), random_batch(4, 64), (1, 3, 6, 9, 12)


def depth_rows(model: AdaptedModel, batch: Batch, depths: Sequence[int], repeats: int) -> list[DepthRow]:
    """One row per depth, in the order given; the last is what ratios are to."""
    specs = [full_spec(model.shape.layers).deepest(depth) for depth in depths]
    taken = all_step_seconds(model, specs, batch, repeats)
    speed = measured_speed(torch.device("cpu"), time.thread_time)
    texts, tokens = batch.inputs["input_ids"].shape
    modelled = [speed.seconds(step_kernels(model.shape, spec, texts, tokens)) for spec in specs]
    return [
        DepthRow(
            depth=depth,
            seconds=statistics.median(mine),
            quartiles=(float(np.quantile(mine, 0.25)), float(np.quantile(mine, 0.75))),
            measured=statistics.median(one / whole for one, whole in zip(mine, taken[-1], strict=True)),
            modelled=model_seconds / modelled[-1],
            saved_bytes=saved_bytes(model, spec, batch).total,
        )
        for depth, spec, mine, model_seconds in zip(depths, specs, taken, modelled, strict=True)
    ]


def slope(rows: Sequence[DepthRow], ratio: str) -> float:
    """Least squares of a ratio over depth: what one more layer adds, of a step at full depth."""
    return float(np.polyfit([row.depth for row in rows], [getattr(row, ratio) for row in rows], 1)[0])


def full_spec(layers: int) -> AdapterSpec:
    """LoRA rank 8 on every layer."""
    return AdapterSpec((8,) * layers, tuple(range(layers)), 2.0)


def embedded_model(spec: AdapterSpec, attention: str = "sdpa", dropout: float = 0.0) -> AdaptedModel:
    """The embedded backbone, ready for adapters up to `spec`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scenario.yaml"
        path.write_text(
            f"schema_version: 1\nmodel: {{attention: {attention}}}\ntraining: {{dropout: {dropout}}}\n"
            "task: {max_length: 64}\n"
        )
        backbone = find_backbone(load_scenario(path), labels=12)
    return AdaptedModel(load_weights(build(backbone.recipe), backbone.weights()), backbone.shape, spec)


def random_roberta(
    layers: int, tokens: int, attention: Literal["sdpa", "eager"] = "sdpa", dropout: float = 0.0
) -> AdaptedModel:
    """RoBERTa-base's layers with random weights, for texts of up to `tokens` tokens of a small vocabulary."""
    config = RobertaConfig(vocab_size=1000, num_hidden_layers=layers, max_position_embeddings=514, pad_token_id=1)
    recipe = Recipe(config.to_json_string(use_diff=False), "mean", 12, attention, dropout)
    shape = describe("roberta-base", recipe, config, ("query", "value"), tokens)
    model = build(recipe)
    torch.manual_seed(0)
    for module in model.modules():
        for name, tensor in module.named_parameters(recurse=False):
            if isinstance(module, torch.nn.LayerNorm):
                torch.nn.init.constant_(tensor, float(name == "weight"))
            else:
                torch.nn.init.normal_(tensor, std=0.02)
    return AdaptedModel(model, shape, full_spec(layers))


def random_batch(texts: int = BATCH_SIZE, tokens: int = TOKENS) -> Batch:
    """Words drawn at random; time does not depend on which."""
    ids = torch.from_numpy(np.random.default_rng(0).integers(100, 900, (texts, tokens)))
    return Batch({"input_ids": ids, "attention_mask": torch.ones_like(ids)}, torch.zeros(texts, dtype=torch.int64))


def step_seconds(model: AdaptedModel, specs: Sequence[AdapterSpec], batch: Batch, repeats: int) -> list[float]:
    """Median CPU seconds of a step with each adapter; they take turns."""
    return [statistics.median(mine) for mine in all_step_seconds(model, specs, batch, repeats)]


def all_step_seconds(
    model: AdaptedModel, specs: Sequence[AdapterSpec], batch: Batch, repeats: int
) -> list[list[float]]:
    """CPU seconds of every step with each adapter; they take turns, and the first two turns do not count."""
    seconds: list[list[float]] = [[] for _ in specs]
    for _ in range(repeats + 2):
        for spec, mine in zip(specs, seconds, strict=True):
            model.load_adapter(spec, initial_values(layout_of(model.shape, spec), 0))
            optimiser = torch.optim.AdamW([p for group in model.trainable() for p in group])
            started = time.process_time()
            torch.nn.functional.cross_entropy(model.logits(batch), batch.labels).backward()
            optimiser.step()
            mine.append(time.process_time() - started)
    return [mine[2:] for mine in seconds]


def keep_memory() -> None:
    """Make the C library keep what is freed instead of giving it back to the system."""
    library = ctypes.CDLL(None)
    for option, value in MALLOC_KEEPS.items():
        library.mallopt(option, value)


if __name__ == "__main__":
    main()

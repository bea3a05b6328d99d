"""What depth saves on the machine that really trains: CPU seconds and kept activations of a step.

    python benchmarks/depth.py [--repeats 20]

MiniLM-L6, LoRA rank 8, 8 texts of 48 tokens. Depths alternate, so that all meet the same noise.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from fedray.adapters import AdapterSpec, initial_values, layout_of
from fedray.learning.activations import saved_bytes
from fedray.learning.adapted import AdaptedModel
from fedray.learning.backbone import find_backbone
from fedray.learning.classifier import build, load_weights
from fedray.learning.tokens import Batch
from fedray.scenario import load_scenario

DEPTHS = (6, 3, 1)
BATCH_SIZE, TOKENS = 8, 48


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=20)
    repeats = parser.parse_args().repeats
    spec = AdapterSpec((8,) * 6, tuple(range(6)), 2.0)
    model, batch = embedded_model(spec), random_batch()
    steps = step_seconds(model, [spec.deepest(depth) for depth in DEPTHS], batch, repeats)
    print("depth  CPU s a step  against 6  kept for backward")
    for depth, step in zip(DEPTHS, steps, strict=True):
        kept = saved_bytes(model, spec.deepest(depth), batch).total
        print(f"{depth:5}  {step:12.3f}  {step / steps[0]:9.2f}  {kept / 1e6:13.1f} MB")


def embedded_model(spec: AdapterSpec) -> AdaptedModel:
    """The embedded backbone, ready for adapters up to `spec`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scenario.yaml"
        path.write_text("schema_version: 1\n")
        backbone = find_backbone(load_scenario(path), labels=12)
    return AdaptedModel(load_weights(build(backbone.recipe), backbone.weights()), backbone.shape, spec)


def random_batch() -> Batch:
    """Words drawn at random; time does not depend on which."""
    ids = torch.from_numpy(np.random.default_rng(0).integers(1000, 20000, (BATCH_SIZE, TOKENS)))
    return Batch({"input_ids": ids, "attention_mask": torch.ones_like(ids)}, torch.zeros(BATCH_SIZE, dtype=torch.int64))


def step_seconds(model: AdaptedModel, specs: Sequence[AdapterSpec], batch: Batch, repeats: int) -> list[float]:
    """Median CPU seconds of a step with each adapter; they take turns."""
    seconds: list[list[float]] = [[] for _ in specs]
    for _ in range(repeats + 2):
        for spec, mine in zip(specs, seconds, strict=True):
            model.take_up(spec, initial_values(layout_of(model.shape, spec), 0))
            optimiser = torch.optim.AdamW([p for group in model.trainable() for p in group])
            started = time.process_time()
            torch.nn.functional.cross_entropy(model.logits(batch), batch.labels).backward()
            optimiser.step()
            mine.append(time.process_time() - started)
    return [statistics.median(mine[2:]) for mine in seconds]


if __name__ == "__main__":
    main()

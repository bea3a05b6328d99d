"""What depth saves on the machine that really trains: CPU seconds and kept activations of a step.

    python benchmarks/depth.py [--repeats 20]

MiniLM-L6, LoRA rank 8, 8 texts of 48 tokens. Depths alternate, so that all meet the same noise.
"""

import argparse
import statistics
import tempfile
import time
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
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scenario.yaml"
        path.write_text("schema_version: 1\n")
        backbone = find_backbone(load_scenario(path), labels=12)
    spec = AdapterSpec((8,) * 6, tuple(range(6)), 2.0)
    model = AdaptedModel(load_weights(build(backbone.recipe), backbone.weights()), backbone.shape, spec)
    ids = torch.from_numpy(np.random.default_rng(0).integers(1000, 20000, (BATCH_SIZE, TOKENS)))
    batch = Batch(
        {"input_ids": ids, "attention_mask": torch.ones_like(ids)}, torch.zeros(BATCH_SIZE, dtype=torch.int64)
    )
    seconds: dict[int, list[float]] = {depth: [] for depth in DEPTHS}
    for _ in range(repeats + 2):
        for depth in DEPTHS:
            part = spec.deepest(depth)
            model.take_up(part, initial_values(layout_of(backbone.shape, part), 0))
            started = time.process_time()
            torch.nn.functional.cross_entropy(model.logits(batch), batch.labels).backward()
            seconds[depth].append(time.process_time() - started)
    print("depth  CPU s a step  against 6  kept for backward")
    whole = statistics.median(seconds[6][2:])
    for depth in DEPTHS:
        step, kept = statistics.median(seconds[depth][2:]), saved_bytes(model, spec.deepest(depth), batch)
        print(f"{depth:5}  {step:12.3f}  {step / whole:9.2f}  {kept / 1e6:13.1f} MB")


if __name__ == "__main__":
    main()

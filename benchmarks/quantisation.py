"""What quantised activations cost and save on the machine that really trains: gradient error, kept bytes, CPU time.

    python benchmarks/quantisation.py [--layers 6] [--attention eager] [--repeats 10]

MiniLM-L6, LoRA rank 8 on all layers after 20 steps of training, 16 texts of the embedded task, 64 tokens each. Errors
are relative, ‖noisy − exact‖ / ‖exact‖ over the LoRA gradient, mean of the repeats (each with its own seed). Runs with
and without quantisation alternate, so that all meet the same noise.
"""

import argparse
import statistics
import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel

from fedray.adapters import AdapterSpec, initial_values, layout_of
from fedray.learning.adapted import AdaptedModel
from fedray.learning.backbone import find_backbone
from fedray.learning.classifier import build, load_weights
from fedray.learning.quantisation import BITS, QuantisedActivations, Quantiser
from fedray.learning.saved_tensors import held_bytes
from fedray.learning.stdlib_docs import PACKAGES, read_standard_library
from fedray.learning.texts import Texts
from fedray.learning.tokens import Batch, tokenise
from fedray.scenario import load_scenario

LAYERS, RANK, BATCH_SIZE, TOKENS = 6, 8, 16, 64
WARM_UP = 20  # LoRA starts at B = 0, where A has no gradient
SPEC = AdapterSpec((RANK,) * LAYERS, tuple(range(LAYERS)), 2.0)

Gradient = list[torch.Tensor]  # of each layer's LoRA, flat


@dataclass(frozen=True)
class Step:
    """One forward and backward pass."""

    gradient: Gradient
    seconds: float


class Bench:
    """The model, the batches, and a step with or without quantised layers."""

    def __init__(self, layers: int, attention: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "scenario.yaml"
            path.write_text("schema_version: 1\ntask: {max_length: 64}\n")
            backbone = find_backbone(load_scenario(path), labels=len(PACKAGES))
        self.model = AdaptedModel(load_weights(build(backbone.recipe), backbone.weights()), backbone.shape, SPEC)
        next(m for m in self.model.peft.modules() if isinstance(m, PreTrainedModel)).set_attn_implementation(attention)
        self.model.load_adapter(SPEC, initial_values(layout_of(backbone.shape, SPEC), 0))
        self.own = [*self.model.peft.parameters(), *self.model.peft.buffers()]
        prefix = f"base_model.model.{backbone.shape.layer_prefix}"
        self.layers: list[nn.Module] = [self.model.peft.get_submodule(f"{prefix}.{n}") for n in range(layers)]
        examples = read_standard_library()
        chosen = np.random.default_rng(0).permutation(len(examples))[: BATCH_SIZE * (WARM_UP + 1)]
        labels = np.array([PACKAGES.index(examples[i].package) for i in chosen])
        tokens = tokenise(Texts([examples[i].text for i in chosen], None, labels, None), backbone.tokenizer(), TOKENS)
        *warm_up, self.batch = (tokens.batch(part) for part in np.arange(len(chosen)).reshape(-1, BATCH_SIZE))
        adamw = torch.optim.AdamW([p for group in self.model.trainable() for p in group], lr=1e-3)
        for batch in warm_up:
            self._backward(batch)
            adamw.step()
            adamw.zero_grad()

    def quantised(self, bits: int, seed: int) -> QuantisedActivations:
        return QuantisedActivations(self.layers, Quantiser(bits), self.own, torch.Generator().manual_seed(seed))

    def held(self, quantised: QuantisedActivations | None = None) -> int:
        return held_bytes(lambda: self.model.logits(self.batch), self.own, quantised)

    def step(self, quantised: QuantisedActivations | None = None) -> Step:
        started = time.process_time()
        with quantised or nullcontext():
            self._backward(self.batch)
        seconds = time.process_time() - started
        gradient = [self._lora_gradient(layer) for layer in range(LAYERS)]
        self.model.peft.zero_grad()
        return Step(gradient, seconds)

    def _lora_gradient(self, layer: int) -> torch.Tensor:
        keys = [(entry.module, entry.factor) for entry in self.model.layout.entries if entry.layer == layer]
        return torch.cat([self.model.parameters[key].grad.ravel() for key in keys])

    def _backward(self, batch: Batch) -> None:
        torch.nn.functional.cross_entropy(self.model.logits(batch), batch.labels).backward()


def error(noisy: Gradient, exact: Gradient) -> float:
    return float((torch.cat(noisy) - torch.cat(exact)).norm() / torch.cat(exact).norm())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--layers", type=int, default=LAYERS, choices=range(LAYERS + 1), help="quantised, from the input"
    )
    parser.add_argument("--attention", default="sdpa", choices=("sdpa", "eager"))
    parser.add_argument("--repeats", type=int, default=10)
    words = parser.parse_args()
    bench = Bench(words.layers, words.attention)
    bench.step()
    exact: list[Step] = []
    noisy: dict[int, list[Step]] = {bits: [] for bits in BITS}
    for seed in range(words.repeats):
        exact.append(bench.step())
        for bits in BITS:
            noisy[bits].append(bench.step(bench.quantised(bits, seed)))
    whole, seconds = bench.held(), statistics.median(step.seconds for step in exact)
    print(f"{words.layers} of {LAYERS} layers quantised, {words.attention} attention, {BATCH_SIZE} x {TOKENS} tokens")
    print(f"without: {whole / 1e6:.1f} MB kept for backward, {seconds:.3f} CPU s a step")
    print("bits  error  lowest layer  highest layer  kept  CPU time")
    true = exact[0].gradient
    for bits, steps in noisy.items():
        errors = [
            statistics.mean(error(step.gradient[part], true[part]) for step in steps)
            for part in (slice(None), slice(0, 1), slice(LAYERS - 1, LAYERS))
        ]
        kept = bench.held(bench.quantised(bits, 0)) / whole
        ratio = statistics.median(step.seconds for step in steps) / seconds
        print(f"{bits:4}  {errors[0]:5.2g}  {errors[1]:12.2g}  {errors[2]:13.2g}  {kept:4.2f}  {ratio:7.2f}x")


if __name__ == "__main__":
    main()

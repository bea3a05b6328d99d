"""The cost model against published step times it has only two numbers to fit: a throughput and an overhead.

    python benchmarks/cost_model.py

FedAdapter (MobiCom 23; UbiquitousLearning/FedAdapter@8e27f2e2b7, exps_data) publishes seconds per batch of BERT-base on
a Jetson TX2, full fine-tuning of the top d = 0..12 layers, batch size 4, 256 tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from transformers import BertConfig

from fedray.adapters import BackboneShape
from fedray.costs import fit_throughput
from fedray.costs.flops import full_fine_tuning_flops
from fedray.learning.backbone import describe
from fedray.learning.classifier import Recipe

BATCH_SIZE, TOKENS = 4, 256
TX2_SECONDS = (0.5325, 0.612, 0.696, 0.791, 0.883, 0.9713, 1.064, 1.156, 1.2465, 1.33, 1.419, 1.51, 1.7)
TX2_PEAK_FLOPS = 0.666e12  # MAXN, FP32


@dataclass(frozen=True)
class Row:
    """One depth: published and reproduced seconds per batch."""

    depth: int
    published: float
    reproduced: float

    @property
    def error(self) -> float:
        return self.reproduced / self.published - 1


def bert_base() -> BackboneShape:
    config = BertConfig()  # transformers' defaults are BERT-base
    recipe = Recipe(config.to_json_string(use_diff=False), "native", 2)
    return describe("bert-base", recipe, config, ("query", "value"), TOKENS)


def reproduce(published: Sequence[float]) -> tuple[list[Row], float, float]:
    """The rows, the fitted effective FLOP/s, and the fitted seconds of overhead."""
    shape = bert_base()
    flops = np.array([full_fine_tuning_flops(shape, depth, BATCH_SIZE, TOKENS) for depth in range(len(published))])
    fit = fit_throughput(flops, np.array(published))
    rows = [Row(d, p, r) for d, (p, r) in enumerate(zip(published, fit.seconds(flops).tolist(), strict=True))]
    return rows, fit.flops_per_second, fit.overhead_seconds


def main() -> None:
    rows, throughput, overhead = reproduce(TX2_SECONDS)
    share = throughput / TX2_PEAK_FLOPS
    print(f"effective {throughput / 1e9:.0f} GFLOP/s ({share:.1%} of peak), overhead {overhead:.3f} s")
    print("depth  published  reproduced   error")
    for row in rows:
        print(f"{row.depth:5}  {row.published:8.3f}s  {row.reproduced:9.3f}s  {row.error:+6.1%}")
    print(f"worst error {max(abs(row.error) for row in rows):.1%} (bound: 10 %)")


if __name__ == "__main__":
    main()

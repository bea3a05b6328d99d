"""The cost model against measurements: which rows were fitted, which are predicted, and how far off each is.

    python benchmarks/cost_model.py [FOLDER] [--here] [--repeats 15]

Seconds first, then memory (benchmarks/memory.py) and energy (benchmarks/energy.py). With a folder, the Orin Nano's
measured products too (CSV, see below); with --here, CPU seconds by depth on this machine, which takes minutes
(benchmarks/depth.py). Every utilisation in fedray/fleet/devices/families.yaml is fitted to one row here, and the
phones' runtime_efficiency to one; all others are predictions.

- FedAdapter (MobiCom 23; UbiquitousLearning/FedAdapter@8e27f2e2b7, exps_data): seconds per batch of BERT-base on a
  Jetson TX2, full fine-tuning of the top d = 0..12 layers, batch size 4, 256 tokens; and of the whole model on a TX2, a
  Jetson Nano and a Raspberry Pi 4B.
- branes-ai/graphs@b6c5e829c3: FP32 products of 4096 x 4096 matrices (GFLOP/s) and copies (GB/s) on an Orin Nano 8 GB in
  three modes; in FOLDER, orin_nano_linear.csv and orin_nano_matmul.csv: FP16 seconds by shape, taken for 25 W.
- PKU-Chengxu/FLASH@55cbede013 (WWW 21): milliseconds of a batch of 10 of LEAF's FEMNIST CNN on three phones; the two
  whose chips AI-Benchmark scores stand here, the third is a phone of 2014.
- jafermarq/federated-embedded-vision@17ecd8b098: seconds of 20 batches of ViT-base/16 on a Raspberry Pi 5.
"""

import argparse
import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.optimize import brentq
from transformers import BertConfig

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that this file runs by itself, too

from benchmarks import depth, energy, memory
from fedray.adapters import BackboneShape
from fedray.costs.kernels import (
    ADAM_TRAFFIC,
    full_fine_tuning_kernels,
    layer_forward,
)
from fedray.fleet import Family, load_catalogue
from fedray.learning.backbone import describe
from fedray.learning.classifier import Recipe
from fedray.roofline import FLOAT, Kernel, Kernels, product

BATCH_SIZE, TOKENS = 4, 256
TX2_SECONDS = (0.5325, 0.612, 0.696, 0.791, 0.883, 0.9713, 1.064, 1.156, 1.2465, 1.33, 1.419, 1.51, 1.7)
WHOLE_MODEL_SECONDS = {"Jetson TX2": 1.86, "Jetson Nano": 3.72, "Raspberry Pi 4B": 34.02}
ORIN_NANO = {"7W": (270.0, 24.8), "15W_SUPER": (800.7, 49.2), "25W": (1199.1, 54.8)}  # FP32 GFLOP/s, copied GB/s
ORIN_NANO_FP16 = 15.04e12, 7324.9e9  # 25 W: dense tensor-core peak, and what a product of 4096 x 4096 reaches
PI_5_SECONDS = {"all": 470.386 / 20, "head": 165.777 / 20}
FEMNIST_SECONDS = {"Galaxy Note 10": 0.179, "Redmi Note 8": 0.588}
FEMNIST_PHONES = {"Galaxy Note 10": (161.6e9, 34.1e9), "Redmi Note 8": (161.6e9 * 1546 / 3212, 14.9e9)}  # by CPU score


@dataclass(frozen=True)
class Peak:
    """A board's data sheet: FLOP/s and bytes/s."""

    flops_per_second: float
    bytes_per_second: float


@dataclass(frozen=True)
class Row:
    """One published number and what the model says; `fitted` names the number this row determined, if any."""

    what: str
    unit: str
    published: float
    model: float
    fitted: str = ""

    @property
    def error(self) -> float:
        return self.model / self.published - 1


def bert_base() -> BackboneShape:
    config = BertConfig()  # transformers' defaults are BERT-base
    recipe = Recipe(config.to_json_string(use_diff=False), "native", 2)
    return replace(describe("bert-base", recipe, config, ("query", "value"), TOKENS), fused_attention=False)


def seconds(kernels: Kernels, peak: Peak, family: Family) -> float:
    """What kernels take on a board of a family."""
    flops_per_second = np.array(family.compute_utilisation * peak.flops_per_second)
    bytes_per_second = np.array(family.bandwidth_utilisation * peak.bytes_per_second)
    return float(kernels.seconds(flops_per_second, bytes_per_second, np.array(family.launch_microseconds / 1e6)))


def fitted_utilisation(kernels: Kernels, peak: Peak, family: Family, published: float) -> float:
    """The compute utilisation that reproduces one row exactly."""

    def miss(share: float) -> float:
        return seconds(kernels, peak, family.model_copy(update={"compute_utilisation": share})) - published

    return float(brentq(miss, 0.01, 1.0))


def peak_of(profile: str, mode: str) -> Peak:
    chosen = load_catalogue().profiles[profile].modes[mode]
    return Peak(chosen.fp32_tflops * 1e12, chosen.memory_gbs * 1e9)


def whole_model(shape: BackboneShape) -> Kernels:
    """Full fine-tuning of every layer and of the embeddings, whose weights are updated too."""
    shape = replace(shape, entry_linears=())  # embeddings need the gradient of the lowest layer's input
    layers = shape.layers * sum(inside * out for inside, out in shape.linears)
    embeddings = Kernel(0.0, float(FLOAT * ADAM_TRAFFIC * (shape.parameters - layers)))
    return full_fine_tuning_kernels(shape, shape.layers, BATCH_SIZE, TOKENS) + Kernels.of([embeddings])


def training_rows() -> Iterator[Row]:
    """Training steps: TX2 by depth, whole models on three boards, ViT on a Raspberry Pi 5."""
    boards, shape = load_catalogue().profiles, bert_base()
    nano = boards["jetson-nano"]
    tx2, pi4, pi5 = boards["jetson-tx2"], boards["raspberry-pi-4b"], boards["raspberry-pi-5"]
    peak = peak_of("jetson-tx2", "MAXN")
    for layers, published in enumerate(TX2_SECONDS):
        model = seconds(full_fine_tuning_kernels(shape, layers, BATCH_SIZE, TOKENS), peak, tx2.family)
        fitted = "" if layers else "pascal.compute_utilisation"
        yield Row(f"TX2, BERT-base, top {layers} layers", "s", published, model, fitted)
    for board, on, family, fitted in (
        ("Jetson TX2", peak, tx2.family, ""),
        ("Jetson Nano", peak_of("jetson-nano", "MAXN"), nano.family, ""),  # Maxwell, priced as Pascal
        ("Raspberry Pi 4B", peak_of("raspberry-pi-4b", "STOCK"), pi4.family, "cortex-a72.compute_utilisation"),
    ):
        model = seconds(whole_model(shape), on, family)
        yield Row(f"{board}, BERT-base, whole model", "s", WHOLE_MODEL_SECONDS[board], model, fitted)
    for trained, fitted in (("all", "cortex-a76.compute_utilisation"), ("head", "")):
        model = seconds(vit_base(trained), peak_of("raspberry-pi-5", "STOCK"), pi5.family)
        yield Row(f"Pi 5, ViT-base/16, {trained} trained", "s", PI_5_SECONDS[trained], model, fitted)


def phone_rows() -> Iterator[Row]:
    """A batch of a small CNN on two phones: how much of their cores the training software reaches."""
    flagship = load_catalogue().profiles["phone-flagship"]
    for phone, peaks in FEMNIST_PHONES.items():
        board = flagship.board.runtime_efficiency
        model = seconds(femnist_cnn(), Peak(*(board * peak for peak in peaks)), flagship.family)
        fitted = "phones' runtime_efficiency" if phone == "Galaxy Note 10" else ""
        yield Row(f"{phone}, FEMNIST CNN", "s", FEMNIST_SECONDS[phone], model, fitted)


def femnist_cnn() -> Kernels:
    """LEAF's: convolutions of 5 x 5 with 32 and 64 filters, 2048 hidden units, 62 classes, plain SGD, 10 images."""
    images = 10
    products = [
        (images * 28 * 28, 25, 32),
        (images * 14 * 14, 25 * 32, 64),
        (images, 7 * 7 * 64, 2048),
        (images, 2048, 62),
    ]
    forward = Kernels.of(product(*sides) for sides in products)
    gradients = Kernels.of(product(*sides) for sides in products[1:]) + forward  # of inputs but the first, of weights
    updates = Kernels.of(Kernel(0.0, FLOAT * 3.0 * inside * out) for _, inside, out in products)
    return forward + gradients + updates


def vit_base(trained: str) -> Kernels:
    """ViT-base/16: layers as BERT-base's, 16 images of 14 x 14 patches and a class token."""
    images, tokens, shape = 16, 197, replace(bert_base(), entry_linears=())
    patches = 2.0 * images * 196 * (16 * 16 * 3) * shape.hidden
    if trained == "head":
        return layer_forward(shape, images, tokens) * shape.layers + Kernels.of([Kernel(patches, 0.0)])
    return full_fine_tuning_kernels(shape, shape.layers, images, tokens) + Kernels.of([Kernel(3 * patches, 0.0)])


def product_rows() -> Iterator[Row]:
    """Matrix products and copies on an Orin Nano."""
    nano = load_catalogue().profiles["jetson-orin-nano"]
    for mode, (gflops, gbs) in ORIN_NANO.items():
        fitted = mode == "25W"
        model = nano.flops_per_second(mode) / 1e9
        named = "ampere.compute_utilisation" if fitted else ""
        yield Row(f"Orin Nano {mode}, FP32 product", "GFLOP/s", gflops, model, named)
        named = "ampere.bandwidth_utilisation" if fitted else ""
        yield Row(f"Orin Nano {mode}, copy", "GB/s", gbs, nano.bytes_per_second(mode) / 1e9, named)


def half_precision_errors(table: Path) -> np.ndarray:
    """Relative errors over a table of FP16 products; only the tensor cores' share comes from elsewhere."""
    family = load_catalogue().profiles["jetson-orin-nano"].family
    peak, reached = ORIN_NANO_FP16
    on = Peak(peak, peak_of("jetson-orin-nano", "25W").bytes_per_second)
    half = family.model_copy(update={"compute_utilisation": reached / peak})
    errors = []
    with table.open() as lines:
        for row in csv.DictReader(lines):
            m, k, n = (int(side) for side in row["shape"].split("x"))
            product = Kernels.of([Kernel(2.0 * m * k * n, 2.0 * (m * k + k * n + m * n))])
            errors.append(seconds(product, on, half) / float(row["latency_s"]) - 1)
    return np.array(errors)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    parser.add_argument("--here", action="store_true")
    parser.add_argument("--repeats", type=int, default=15)
    given = parser.parse_args()
    print(f"{'':42}{'published':>11}{'model':>10}{'':9}{'error':>7}")
    rows = [*training_rows(), *product_rows(), *phone_rows()]
    for row in rows:
        fitted = f"  fitted: {row.fitted}" if row.fitted else ""
        print(f"{row.what:42}{row.published:11.4g}{row.model:10.4g} {row.unit:8}{row.error:+7.1%}{fitted}")
    predicted = [abs(row.error) for row in rows if not row.fitted]
    print(f"{len(predicted)} predicted rows: median error {np.median(predicted):.1%}, worst {max(predicted):.1%}")
    for folder in given.folders:
        for name in ("orin_nano_linear.csv", "orin_nano_matmul.csv"):
            errors = half_precision_errors(folder / name)
            low, middle, high = np.quantile(errors, (0.1, 0.5, 0.9))
            print(
                f"{name}: {len(errors)} FP16 products, error: 10 % {low:+.0%}, median {middle:+.0%}, 90 % {high:+.0%}"
            )
    print()
    memory.report()
    print()
    energy.report(given.folders)
    if given.here:
        print()
        depth.report(given.repeats)


if __name__ == "__main__":
    main()

"""What boards draw while they train: how the catalogue's watts were derived, against measurements, and joules by mode.

    python benchmarks/energy.py [FOLDER]    # with a folder: the Orin Nano's measured products too (CSV)

A board in training draws its idle watts and, for every TFLOP/s of its mode's peak, what the clock's voltage asks for:
watts = idle + c * TFLOP/s * V^2, V relative to the chip's lowest voltage. A mode's budget is a cap on it, not a draw.

- Ddaaan/Ddaaan.github.io (static/uploads/edge-llm-power.pdf): watts of a Xavier NX and an Orin Nano that fine-tune
  GPT-2 small and DistilGPT2. The modes are not said; they are taken to be 15W with all cores, and the default 15W.
- FedAdapter (MobiCom 23): 12 W of a TX2 that trains, taken to be in MAXN as its seconds are.
- forums.developer.nvidia.com/t/323456: watts of an AGX Orin's GPU rail under a stress test in four modes.
- picocluster-claw.com/reference/benchmarks: watts of an Orin Nano Super that runs Phi-3 in three modes (memory-bound).
- In FOLDER, branes-ai/graphs@b6c5e829c3: joules and seconds of FP16 products on an Orin Nano.
"""

import csv
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from transformers import RobertaConfig

from fedray.adapters import AdapterSpec
from fedray.costs.kernels import step_kernels
from fedray.fleet import Profile, load_catalogue
from fedray.learning.backbone import describe
from fedray.learning.classifier import Recipe

LOAD_WATTS_PER_TFLOPS = {"pascal": 7.13, "volta": 7.46, "ampere": 4.45}  # c, fitted: see anchors()
LOAD_WATTS_BY_HAND = ("jetson-nano",)
LOWEST_VOLTAGE, VOLTS_PER_GHZ = 0.66, 0.58  # V = max(1, 0.66 + 0.58 GHz): see rails()
RAIL_REST_WATTS = 3.0  # of the AGX Orin's GPU rail, which feeds more than the GPU: makes V constant below 0.6 GHz
AGX_ORIN_RAIL = {"MAXN": 40.4, "MODE_50W": 18.4, "MODE_30W": 7.6, "MODE_15W": 5.2}
ANCHORS = (
    ("Xavier NX, GPT-2 small", "jetson-xavier-nx", "MODE_15W_6CORE", 14.29, "volta"),
    ("Xavier NX, DistilGPT2", "jetson-xavier-nx", "MODE_15W_6CORE", 13.37, ""),
    ("Orin Nano, GPT-2 small", "jetson-orin-nano", "15W", 11.15, "ampere"),
    ("Orin Nano, DistilGPT2", "jetson-orin-nano", "15W", 11.05, ""),
    ("TX2, BERT-base", "jetson-tx2", "MAXN", 12.0, "pascal"),
    ("Orin Nano, Phi-3 inference, 15W", "jetson-orin-nano", "15W_SUPER", 11.7, ""),
    ("Orin Nano, Phi-3 inference, 25W", "jetson-orin-nano", "25W", 14.6, ""),
    ("Orin Nano, Phi-3 inference, MAXN", "jetson-orin-nano", "MAXN_SUPER", 16.0, ""),
)
STEP = 16, 128  # texts, tokens of RoBERTa-base, LoRA rank 8 on query and value


def voltage(gpu_mhz: float) -> float:
    """Relative to the lowest that the chip runs at."""
    return max(1.0, LOWEST_VOLTAGE + VOLTS_PER_GHZ * gpu_mhz / 1000)


def training_watts(profile: Profile, mode: str) -> float:
    """What a board draws in training by the formula; ValueError if the mode has no GPU clock."""
    chosen = profile.modes[mode]
    if chosen.gpu_mhz is None:
        raise ValueError(f"{profile.name} {mode} has no GPU clock")
    load = LOAD_WATTS_PER_TFLOPS[profile.board.family] * chosen.fp32_tflops * voltage(chosen.gpu_mhz) ** 2
    watts = profile.board.idle_watts + load
    return watts if chosen.budget_watts is None else min(watts, chosen.budget_watts)


def rails() -> Iterator[tuple[str, float, float]]:
    """Mode, measured watts and the formula's of the AGX Orin's GPU rail, scaled to the 50W mode."""
    modes = load_catalogue().profiles["jetson-agx-orin"].modes

    def load(name: str) -> float:
        mode = modes[name]
        return mode.fp32_tflops * voltage(mode.gpu_mhz or 0.0) ** 2

    scale = (AGX_ORIN_RAIL["MODE_50W"] - RAIL_REST_WATTS) / load("MODE_50W")
    for name, measured in AGX_ORIN_RAIL.items():
        yield name, measured, RAIL_REST_WATTS + scale * load(name)


def product_watts(table: Path) -> np.ndarray:
    """Mean watts of every product that was measured for at least one period of the board's power sensor (8 ms)."""
    with table.open() as lines:
        rows = [row for row in csv.DictReader(lines) if not re.search("below", row["notes"])]
    return np.array([float(row["energy_j"]) / float(row["latency_s"]) for row in rows])


def joules_by_mode() -> Iterator[tuple[str, str, float, float, float]]:
    """Board, mode, seconds, watts and joules of a LoRA step at full depth."""
    config = RobertaConfig()
    recipe = Recipe(config.to_json_string(use_diff=False), "mean", 2)
    shape = describe("roberta-base", recipe, config, ("query", "value"), STEP[1])
    step = step_kernels(shape, AdapterSpec((8,) * 12, tuple(range(12)), 2.0), *STEP)
    for profile in load_catalogue().profiles.values():
        for name, mode in profile.modes.items():
            rates = profile.flops_per_second(name), profile.bytes_per_second(name), profile.launch_seconds
            seconds = float(step.seconds(*(np.array(rate) for rate in rates)))
            yield profile.name, name, seconds, mode.watts, seconds * mode.watts


def report(folders: list[Path]) -> None:
    """Print every table."""
    known = load_catalogue().profiles
    print(f"{'watts while working':42}{'measured':>11}{'model':>10}{'error':>8}")
    for what, board, mode, measured, fitted in ANCHORS:
        model = training_watts(known[board], mode)
        note = f"  fitted: {fitted} W per TFLOP/s" if fitted else ""
        print(f"{what:42}{measured:11.2f}{model:10.2f}{model / measured - 1:+8.1%}{note}")
    for mode, measured, model in rails():
        note = "  fitted: scale" if mode == "MODE_50W" else "  fitted: voltage" if mode == "MAXN" else ""
        print(f"{'AGX Orin, GPU rail, ' + mode:42}{measured:11.2f}{model:10.2f}{model / measured - 1:+8.1%}{note}")
    for folder in folders:
        for name in ("orin_nano_linear.csv", "orin_nano_matmul.csv"):
            products = product_watts(folder / name)
            low, middle, high = products.min(), np.median(products), products.max()
            print(f"{name}: {len(products)} products, {low:.1f} to {high:.1f} W, median {middle:.1f}")
    print(f"\n{'LoRA step, RoBERTa-base, 16 x 128':28}{'mode':18}{'seconds':>9}{'watts':>8}{'joules':>9}")
    for board, mode, seconds, watts, spent in joules_by_mode():
        print(f"{board:28}{mode:18}{seconds:9.2f}{watts:8.1f}{spent:9.1f}")


if __name__ == "__main__":
    report([Path(folder) for folder in sys.argv[1:]])

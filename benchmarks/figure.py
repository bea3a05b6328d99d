"""The picture of the README: two runs against emulated time, and where the devices' time went in their last round.

fedray run scenarios/quickstart.yaml --run-dir runs/legend
fedray run scenarios/quickstart.yaml --run-dir runs/fedit --set 'method={name: fedit, rank: 8}'
python benchmarks/figure.py runs/fedit runs/legend -o benchmarks/figure.png
"""

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from fedray.results import RunDirectory

METHOD_COLOURS = {"fedit": "#8c8c8c", "legend": "#1f6fb4"}
STAGE_COLOURS = {"download": "#7fb3d5", "compute": "#e59866", "upload": "#1f618d", "waiting": "#ececec"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs=2, type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    words = parser.parse_args()
    runs = [RunDirectory(path) for path in words.runs]
    figure, (left, *right) = plt.subplots(1, 3, figsize=(12, 3.6), width_ratios=(1.2, 1, 1))
    accuracy_over_time(left, runs)
    for axes, run in zip(right, runs, strict=True):
        last_round(axes, run)
    longest = max(axes.get_xlim()[1] for axes in right)
    for axes in right:
        axes.set_xlim(0, longest)
    figure.tight_layout()
    figure.savefig(words.output, dpi=110)


def accuracy_over_time(axes: Axes, runs: list[RunDirectory]) -> None:
    for run in runs:
        method = run.summary().method
        points = [(record.emulated_seconds, record.accuracy) for record in run.rounds() if record.accuracy is not None]
        times, accuracies = [seconds for seconds, _ in points], [accuracy for _, accuracy in points]
        axes.plot(times, accuracies, marker="o", label=method, color=METHOD_COLOURS[method])
    axes.set(xlabel="emulated seconds", ylabel="accuracy", title="one dot per round")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)


def last_round(axes: Axes, run: RunDirectory) -> None:
    """One bar per device, the slowest link at the bottom."""
    lines = [json.loads(line) for line in (run.path / "devices.jsonl").read_text().splitlines()]
    devices = [line for line in lines if line["round"] == lines[-1]["round"]]
    devices.sort(key=lambda device: -device["download_seconds"] / device["bytes_down"])
    start = [0.0] * len(devices)
    for stage, colour in STAGE_COLOURS.items():
        seconds = [device[f"{stage}_seconds"] for device in devices]
        axes.barh(range(len(devices)), seconds, left=start, height=1.0, color=colour, label=stage)
        start = [a + b for a, b in zip(start, seconds, strict=True)]
    axes.set(
        xlabel="emulated seconds of the last round", yticks=[], title=f"{run.summary().method}, {len(devices)} devices"
    )
    axes.legend(frameon=False, fontsize=7, loc="upper right")
    axes.spines[["top", "right", "left"]].set_visible(False)


if __name__ == "__main__":
    main()

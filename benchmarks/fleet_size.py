"""Seconds of a round without training at growing fleets, by phase of the coordinator.

    python -m benchmarks.fleet_size [--devices 1000,10000,100000] [--rounds 5]

Every fleet runs `task: none` with the smallest adapter on the hosts of this machine. The first round, which fills
caches and starts processes, is left out; figures are medians over the others, and the last column is the ratio to the
fleet before.
"""

import argparse
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from fedray.experiment.experiment import Experiment, prepare
from fedray.results import Progress, RoundRecord, RunDirectory
from fedray.runtime.coordinator_actor import RunStart
from fedray.runtime.driver import execute
from fedray.scenario import load_scenario

SCENARIO = """
schema_version: 1
name: fleet-size
task: none
model: {target_modules: [query]}
fleet: {groups: [{profile: jetson-tx2, count: 1}]}
method: {name: fedit, rank: 1, depth: 1}
telemetry: {prometheus_port: 0}
"""  # A and B of one 384 x 384 module at rank 1 are 3,072 bytes, the head of two labels 3,080


class PhaseReader:
    """A callback that reads the phases of each round from the run's metrics, and the round's seconds here."""

    def __init__(self) -> None:
        self.url = ""
        self.totals: dict[str, float] = {}
        self.phases: list[dict[str, float]] = []
        self.seconds: list[float] = []

    def started(self, experiment: Experiment, directory: RunDirectory, start: RunStart) -> None:
        self.url = start.metrics_url or ""
        self.began = time.monotonic()

    def progressed(self, progress: Progress) -> None:
        pass

    def completed(self, record: RoundRecord) -> None:
        self.seconds.append(time.monotonic() - self.began)
        totals = self._totals()
        self.phases.append({phase: now - self.totals.get(phase, 0.0) for phase, now in totals.items()})
        self.totals = totals
        self.began = time.monotonic()

    def _totals(self) -> dict[str, float]:
        with urllib.request.urlopen(self.url) as answer:
            families = text_string_to_metric_families(answer.read().decode())
        samples = [sample for family in families for sample in family.samples]
        return {s.labels["phase"]: s.value for s in samples if s.name == "fedray_coordinator_seconds_total"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", default="1000,10000,100000")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    before = 0.0
    for devices in (int(count) for count in given.devices.split(",")):
        reader = _measured(devices, given.rounds)
        seconds = statistics.median(reader.seconds[1:])
        phases = " ".join(f"{name} {_median(reader.phases[1:], name):.3f}" for name in reader.totals)
        ratio = f"  x {seconds / before:.1f}" if before else ""
        print(f"{devices:>7,} devices: {seconds:.3f} s a round ({phases}){ratio}", flush=True)
        before = seconds


def _measured(devices: int, rounds: int) -> PhaseReader:
    reader = PhaseReader()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scenario.yaml"
        path.write_text(SCENARIO)
        settings = (f"fleet.groups.0.count={devices}", f"training.rounds={rounds}")
        execute(prepare(load_scenario(path, settings)), RunDirectory(Path(folder) / "run"), None, reader)
    return reader


def _median(rounds: Sequence[dict[str, float]], phase: str) -> float:
    return statistics.median(phases[phase] for phases in rounds)


if __name__ == "__main__":
    main()

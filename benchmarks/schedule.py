"""How long the emulator takes to plan and schedule one round of a large fleet; nothing is trained.

python benchmarks/schedule.py [--devices 10000]
"""

import argparse
import time
from itertools import pairwise
from pathlib import Path

from fedray.experiment.experiment import prepare
from fedray.fleet import FleetState
from fedray.scenario import load_scenario

QUICKSTART = Path(__file__).parent.parent / "scenarios" / "quickstart.yaml"
FLEETS = {
    "WiFi, legend": ("fleet.link={kind: wifi}",),
    "and 10 % drop-outs, on and off": (
        "fleet.faults={dropout: 0.1}",
        "fleet.availability={kind: onoff, mean_on_seconds: 3000.0, mean_off_seconds: 300.0}",
    ),
    "in cells of 10 devices": ("fleet.link={kind: wifi, devices_per_cell: 10}",),
    "fading links": ("fleet.link={kind: markov, good_mbps: 10.0, bad_mbps: 0.5}",),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=10_000)
    devices = parser.parse_args().devices
    print(f"{devices:,} devices, seconds for one round: {'':13}view    plan  schedule")
    for name, settings in FLEETS.items():
        half = devices // 2
        groups = f"[{{profile: jetson-tx2, count: {half}}}, {{profile: jetson-xavier-nx, count: {devices - half}}}]"
        loaded = load_scenario(QUICKSTART, [f"fleet.groups={groups}", "task.dataset={kind: none}", *settings])
        experiment = prepare(loaded)
        method = experiment.build_method()
        first = experiment.fleet.first_state()
        method.plan(experiment.view(1, experiment.next_start(first, []), []))  # the first plan prices every choice once
        clocks = [time.perf_counter()]
        fleet_state = experiment.next_start(FleetState(100.0, first.charge), [])
        view = experiment.view(2, fleet_state, [])
        clocks.append(time.perf_counter())
        plan = method.plan(view)
        clocks.append(time.perf_counter())
        experiment.schedule(2, plan, fleet_state)
        clocks.append(time.perf_counter())
        spent = (f"{after - before:8.3f}" for before, after in pairwise(clocks))
        print(f"{name:42}{''.join(spent)}")


if __name__ == "__main__":
    main()

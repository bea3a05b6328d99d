"""What a run under the wall clock asks of this machine: when its devices are ready, and how much memory they take.

    python benchmarks/wall.py [--devices 80]

Boards of the LEGEND testbed train MiniLM-L6 on Python's standard library for a round that is priced
for RoBERTa-base. Memory is the sum of the proportional set sizes (PSS) of all processes, at its highest.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SCENARIO = """
schema_version: 1
task: {{dataset: {{kind: stdlib-docs}}, max_length: 64, eval: {{max_examples: 64}}}}
fleet:
  groups:
    - {{profile: jetson-tx2, count: {slow}}}
    - {{profile: jetson-xavier-nx, count: {middle}}}
    - {{profile: jetson-agx-xavier, count: {fast}}}
costs: {{twin: {{backbone: roberta-base, batch_size: 16, max_length: 128, local_steps: 10}}}}
method: {{name: fedit, rank: 8}}
training: {{rounds: 1, local_steps: 4, batch_size: 8}}
runtime: {{clock: wall}}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=80)
    devices = parser.parse_args().devices
    slow, middle = devices * 3 // 8, devices // 2
    with tempfile.TemporaryDirectory() as folder:
        scenario = Path(folder) / "wall.yaml"
        scenario.write_text(SCENARIO.format(slow=slow, middle=middle, fast=devices - slow - middle))
        command = [sys.executable, "-m", "fedray", "run", str(scenario), "--run-dir", f"{folder}/run"]
        began, there, most = time.monotonic(), None, 0
        run = subprocess.Popen(command)
        while run.poll() is None:
            family = descendants(run.pid)
            if there is None and sum(is_device(pid, family) for pid in family) >= devices:
                there = time.monotonic() - began
            most = max(most, sum(pss(pid) for pid in family))
            time.sleep(0.2)
    print(f"{devices} devices: all there after {there or float('nan'):.1f} s, at most {most / 1e9:.2f} GB (PSS)")


def descendants(ancestor: int) -> dict[int, int]:
    """Every process below one, and it, with its parent."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:  # gone meanwhile
                continue
    family = {ancestor: os.getpid()}
    while more := {pid: parent for pid, parent in parents.items() if parent in family and pid not in family}:
        family |= more
    return family


def is_device(pid: int, family: dict[int, int]) -> bool:
    """A device is forked from a fork_server and has its command line."""
    words = [b"fedray.wall.fork_server" in command_line(one) for one in (pid, family[pid])]
    return all(words)


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def pss(pid: int) -> int:
    """Bytes; 0 for a process that is gone."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:")), 0)


if __name__ == "__main__":
    main()

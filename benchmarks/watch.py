"""How smoothly the live page moves: frames of a replayed round, in a real browser (chromium, without a GPU).

    python benchmarks/watch.py [--devices 1000]

The fleet's round is computed by the real schedule; nothing is trained. 60 frames a second are the most there can be.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

from playwright.sync_api import sync_playwright

from fedray.experiment.dry_run import dry_run
from fedray.experiment.experiment import prepare
from fedray.results import RoundRecord, RunDirectory
from fedray.results.round_devices import TrainedDevices, round_devices
from fedray.scenario import load_scenario

QUICKSTART = Path(__file__).parent.parent / "scenarios" / "quickstart.yaml"
FRAMES = """() => new Promise((done) => {
  const times = [];
  document.getElementById("play").click();
  const count = (now) => (times.push(now) < 300 && now - times[0] < 6000 ? requestAnimationFrame(count) : done(times));
  requestAnimationFrame(count);
})"""


def a_run(folder: Path, devices: int) -> None:
    groups = f"[{{profile: jetson-tx2, count: {devices // 2}}}, {{profile: jetson-xavier-nx, count: {devices // 2}}}]"
    loaded = load_scenario(QUICKSTART, [f"fleet.groups={groups}", "task.dataset={kind: none}"])
    planned = dry_run(prepare(loaded), 1)
    run = RunDirectory(folder)
    run.create(loaded.to_yaml())
    columns = round_devices(1, planned.devices)
    nothing = (None,) * devices
    run.append_devices(TrainedDevices(columns, (0.5,) * devices, nothing, nothing), devices)
    seconds = planned.round_seconds
    run.append_round(RoundRecord(1, seconds, seconds, 1.0, 0.5, 1.0, 9, 9, 9.0, devices, 0, 0, 1, 3.0, 8.0))


def opened(server: subprocess.Popen[str]) -> str:
    """The address that the server prints first."""
    assert server.stdout is not None
    return server.stdout.readline().split()[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=1_000)
    devices = parser.parse_args().devices
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as player:
        a_run(Path(folder) / "run", devices)
        command = [sys.executable, "-m", "fedray", "watch", folder, "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            browser = player.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-dev-shm-usage"]
            )
            page = browser.new_page(viewport={"width": 1280, "height": 1000})
            page.goto(opened(server))
            page.wait_for_selector("#fleet .board")
            times = page.evaluate(FRAMES)
            browser.close()
            server.terminate()
    gaps = sorted(after - before for before, after in pairwise(times))
    rate = 1000 * len(gaps) / (times[-1] - times[0])
    late = f"95 % of frames within {gaps[int(0.95 * len(gaps))]:.0f} ms, the longest took {gaps[-1]:.0f} ms"
    print(f"{devices:,} devices: {rate:.0f} frames a second; {late}")


if __name__ == "__main__":
    main()

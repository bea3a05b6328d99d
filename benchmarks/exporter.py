"""What watching costs: rendering a scrape for small and large fleets, and its share of a real run.

    python benchmarks/exporter.py

1. The text of one scrape, for 80, 1,000 and 10,000 devices (the last by profile only); their round is computed by the
   real schedule, nothing is trained.
2. A run of the quickstart, four rounds, scraped every five seconds as by `cluster/monitoring`: the share of adding up
   and rendering in the wall seconds that the coordinator spent.
"""

import re
import tempfile
import time
import urllib.request
from pathlib import Path
from threading import Event, Thread

from fedray.experiment.dry_run import dry_run
from fedray.experiment.experiment import Experiment, prepare
from fedray.results import Progress, RoundRecord, RunDirectory
from fedray.results.round_devices import TrainedDevices, round_devices
from fedray.runtime.coordinator_actor import RunStart
from fedray.runtime.driver import execute
from fedray.runtime.run_metrics import RunMetrics
from fedray.scenario import load_scenario
from fedray.telemetry import Exporter, Live

QUICKSTART = Path(__file__).parent.parent / "scenarios" / "quickstart.yaml"
REPEATS = 7
ROUNDS = 4
INTERVAL_SECONDS = 5.0


class Scraper:
    """Scrapes a run until its last round; `text` is the last answer, `seconds` what all of them took."""

    def started(self, experiment: Experiment, directory: RunDirectory, start: RunStart) -> None:
        self.url, self.over, self.seconds, self.text = start.metrics_url or "", Event(), 0.0, ""
        self.thread = Thread(target=self._scrape, daemon=True)
        self.thread.start()

    def progressed(self, progress: Progress) -> None:
        pass

    def completed(self, record: RoundRecord) -> None:
        self.text = scrape(self.url)
        if record.round == ROUNDS:
            self.over.set()

    def _scrape(self) -> None:
        while not self.over.wait(INTERVAL_SECONDS):
            began = time.perf_counter()
            scrape(self.url)
            self.seconds += time.perf_counter() - began


def scrape(url: str) -> str:
    with urllib.request.urlopen(url) as answer:
        text: str = answer.read().decode()
        return text


def rendering(devices: int) -> tuple[float, int]:
    """Seconds of the fastest of some scrapes, and the bytes of one."""
    groups = f"[{{profile: jetson-tx2, count: {devices // 2}}}, {{profile: jetson-xavier-nx, count: {devices // 2}}}]"
    loaded = load_scenario(QUICKSTART, [f"fleet.groups={groups}", "task.dataset={kind: none}"])
    planned = dry_run(prepare(loaded), 1)
    record = RoundRecord(1, 9.0, 9.0, 1.0, 0.5, 1.0, 9, 9, 9.0, devices, 0, 0, 1, 3.0, 8.0)
    metrics = RunMetrics("bench", loaded.scenario, None)
    columns = round_devices(1, planned.devices)
    nothing = (None,) * devices
    metrics.add(record, TrainedDevices(columns, (0.5,) * devices, nothing, nothing))
    exporter = Exporter(0, "127.0.0.1", lambda: Live(0, 0, 0))
    exporter.publish(metrics.snapshot({}))
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        text = scrape(exporter.url)
        times.append(time.perf_counter() - began)
    exporter.close()
    return min(times), len(text)


def share_of_a_run() -> tuple[float, float, float]:
    """Wall seconds of adding up and of scrapes, and of all that the coordinator did."""
    loaded = load_scenario(QUICKSTART, [f"training.rounds={ROUNDS}", "telemetry.prometheus_port=0"])
    scraper = Scraper()
    with tempfile.TemporaryDirectory() as folder:
        execute(prepare(loaded), RunDirectory(Path(folder) / "run"), None, scraper)
    spent = dict(re.findall(r'fedray_coordinator_seconds_total\{.*phase="(\w+)".*\} (\S+)', scraper.text))
    return float(spent["publish"]), scraper.seconds, sum(map(float, spent.values()))


def main() -> None:
    for devices, bound in ((80, 0.010), (1_000, 0.150), (10_000, 0.150)):
        seconds, size = rendering(devices)
        print(
            f"{devices:6,} devices: {1000 * seconds:6.1f} ms for {size / 1000:,.0f} kB (bound: {1000 * bound:.0f} ms)"
        )
    publishing, scraping, whole = share_of_a_run()
    share = (publishing + scraping) / whole
    print(f"of {whole:.0f} s: publishing {publishing:.3f} s, scrapes {scraping:.3f} s: {share:.2%} (bound: 1 %)")


if __name__ == "__main__":
    main()

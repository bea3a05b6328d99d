"""A real run on a real Ray, scraped by a real Prometheus with our rules; asked about once the last round is seen."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
import yaml

from fedray.results import Progress, RoundRecord, RunDirectory
from fedray.scenario import load_scenario
from fedray.telemetry import Exporter, Live, Snapshot
from tests.dashboards.expressions import RULES

if TYPE_CHECKING:
    from fedray.experiment.experiment import Experiment
    from fedray.runtime.coordinator_actor import RunStart

ROUNDS = 3
SCRAPES_SECONDS = 2.5  # two scrapes and two evaluations of the rules
PATIENCE_SECONDS = 60

# so that every panel has something to show: devices vanish, are late, lose uploads, send no numbers, work in groups
SCENARIO = """
schema_version: 1
name: watched
seed: 11
task:
  max_length: 32
  eval: {{max_examples: 32}}
model: {{backbone: {backbone}}}
fleet:
  groups:
    - {{profile: jetson-tx2, count: 6}}
    - {{profile: jetson-agx-xavier, count: 4}}
  faults: {{dropout: 0.05, upload_lost: 0.05, corruption: {{share: 0.2, kind: nan}}}}
method: {{name: legend, rank: 4}}
topology: {{groups: 2, inner_rounds: 2}}
training: {{rounds: {rounds}, local_steps: 2, batch_size: 4, policy: {{deadline_seconds: 1.28}}}}
runtime: {{hosts: 1}}
telemetry: {{prometheus_port: {port}}}
"""

# what only a run under the wall clock exports
WALL = Snapshot(
    run="on-the-wall",
    method="legend",
    round=3,
    rounds=10,
    accuracy=0.5,
    loss=1.25,
    emulated_seconds=120.0,
    round_seconds=40.0,
    mean_waiting_seconds=7.0,
    participants=8,
    dropped_by={},
    rejected_by={},
    wasted_seconds=0.0,
    wasted_joules=0.0,
    wasted_bytes=0,
    mean_depth=4.5,
    mean_rank=8.0,
    dilation=2.0,
    overloads=1,
)


@dataclass(frozen=True)
class Prometheus:
    """A server that answers."""

    address: str

    def ask(self, path: str, **words: str | float) -> dict:
        """The `data` of an answer; what is refused is an AssertionError with Prometheus' words."""
        try:
            with urllib.request.urlopen(f"http://{self.address}/api/v1/{path}?{urlencode(words)}") as response:
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            answer = json.load(error)
        assert answer["status"] == "success", answer
        return answer["data"]

    def wait_for(self, query: str, what: Callable[[float], bool]) -> None:
        """Until the one value of a query is such."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, IndexError):
                if what(float(self.ask("query", query=query)["result"][0]["value"][1])):
                    return
            time.sleep(0.5)
        raise TimeoutError(query)


@dataclass(frozen=True)
class Watched:
    """A run that was watched from `began` until `at`, shortly before it ended."""

    prometheus: Prometheus
    run: str
    began: float
    at: float


@dataclass
class Lingering:
    """Gives Prometheus time to see every round, and remembers when it had seen the last."""

    prometheus: Prometheus
    at: float = 0.0

    def started(self, experiment: Experiment, directory: RunDirectory, opening: RunStart) -> None:
        self.run = directory.run_id

    def progressed(self, progress: Progress) -> None:
        pass

    def completed(self, record: RoundRecord) -> None:
        self.prometheus.wait_for(f'fedray_round{{run="{self.run}"}}', lambda seen: seen == record.round)
        if record.round == ROUNDS:
            for first_seen_late in ("ray_node_cpu_utilization", "ray_io_context_event_loop_lag_ms"):
                self.prometheus.wait_for(f"sum({first_seen_late})", lambda seen: True)
            time.sleep(SCRAPES_SECONDS)
            self.at = time.time()


@pytest.fixture(scope="module")
def watched(two_layers: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    from ray.cluster_utils import Cluster

    from fedray.experiment.experiment import prepare
    from fedray.runtime.driver import execute

    folder = tmp_path_factory.mktemp("watched")
    run_port, ray_port, own_port = free_ports(3)
    exporter = Exporter(0, "127.0.0.1", lambda: Live(0, 0, 0))
    exporter.publish(WALL)
    targets = {
        "fedray": [f"127.0.0.1:{run_port}", exporter.url.removeprefix("http://").removesuffix("/metrics")],
        "ray": [f"127.0.0.1:{ray_port}"],
    }
    began = time.time()
    head = {"num_cpus": 2, "include_dashboard": False, "metrics_export_port": ray_port}
    cluster = Cluster(initialize_head=True, head_node_args={**head, "object_store_memory": 200 * 2**20})
    try:
        with serving(folder, f"127.0.0.1:{own_port}", targets) as prometheus:
            path = folder / "scenario.yaml"
            path.write_text(SCENARIO.format(backbone=two_layers, rounds=ROUNDS, port=run_port))
            watching = Lingering(prometheus)
            directory = RunDirectory(folder / "a-run")
            execute(prepare(load_scenario(path, ())), directory, cluster.address, watching)
            yield Watched(prometheus, directory.run_id, began, watching.at)
    finally:
        cluster.shutdown()
        exporter.close()


@contextlib.contextmanager
def serving(folder: Path, address: str, targets: dict[str, list[str]]) -> Iterator[Prometheus]:
    """A Prometheus with our rules that scrapes these every second."""
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(path) for path in RULES],
        "scrape_configs": [{"job_name": job, "static_configs": [{"targets": all_}]} for job, all_ in targets.items()],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = ["prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    server = subprocess.Popen([*command, f"--web.listen-address={address}"], stderr=subprocess.DEVNULL)
    try:
        yield Prometheus(address)
    finally:
        server.terminate()
        server.wait()


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in servers]

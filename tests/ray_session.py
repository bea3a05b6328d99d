"""One Ray for all runs of these tests, a small task with a real model, and a callback that records.

The unit lane loads this, so torch and Ray are imported where they are used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fedray.results import Progress, RoundRecord, RunDirectory, Summary
from fedray.scenario import load_scenario

if TYPE_CHECKING:
    from fedray.experiment.experiment import Experiment
    from fedray.runtime.coordinator_actor import RunStart


@pytest.fixture(scope="session")
def ray_address() -> Iterator[str]:
    """A Ray of three CPUs on this machine."""
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 3, "include_dashboard": False, "object_store_memory": 300 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    yield cluster.address
    cluster.shutdown()


@dataclass
class Watching:
    """Records what a run says; `after_round` is called after each round."""

    after_round: Callable[[RoundRecord], None] = lambda record: None
    before: Sequence[RoundRecord] = ()
    records: list[RoundRecord] = field(default_factory=list)
    progress: list[Progress] = field(default_factory=list)
    metrics_url: str | None = None

    def started(self, experiment: Experiment, directory: RunDirectory, start: RunStart) -> None:
        self.before, self.metrics_url = start.records, start.metrics_url

    def progressed(self, progress: Progress) -> None:
        self.progress.append(progress)

    def completed(self, record: RoundRecord) -> None:
        self.records.append(record)
        self.after_round(record)


@pytest.fixture
def run(ray_address: str, small_scenario: Path, tmp_path: Path) -> Callable[..., Summary]:
    """Run the small scenario with settings, on one host unless they say otherwise; it leaves tmp_path / name."""
    from fedray.experiment.experiment import prepare
    from fedray.runtime.driver import execute

    def call(
        *settings: str,
        name: str = "run",
        watching: Watching | None = None,
        scenario: Path | None = None,
        resume: bool = False,
    ) -> Summary:
        spread = () if any(setting.startswith("runtime.") for setting in settings) else ("runtime.hosts=1",)
        experiment = prepare(load_scenario(scenario or small_scenario, (*settings, *spread)))
        return execute(experiment, RunDirectory(tmp_path / name), ray_address, watching or Watching(), resume)

    return call


PLAIN = """
schema_version: 1
name: plain
seed: 3
task: none
model: {target_modules: [query]}
method: {name: fedit, rank: 1, lora_alpha: 2.0}
fleet: {groups: [{profile: jetson-tx2, count: 4}]}
training: {rounds: 2}
runtime: {hosts: 1}
"""


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """Four boards that move adapters and train nothing: a run of it takes a second."""
    path = tmp_path / "plain.yaml"
    path.write_text(PLAIN)
    return path


def write_board(folder: Path, name: str, gb: float) -> None:
    """A board of one mode with `gb` GiB for training."""
    (folder / f"{name}.yaml").write_text(
        f"name: {name}\ntitle: A board\nfamily: volta\nmemory_gb: {1 + gb}\nreserved_gb: 1.0\nradio_watts: 1.0\n"
        "idle_watts: 1.0\n"
        "default_mode: ONLY\nmodes: {ONLY: {fp32_tflops: 1.0, memory_gbs: 40.0, cpu_cores: 4, watts: 10.0}}\n"
        "sources: {memory_gb: a, reserved_gb: a, radio_watts: a, idle_watts: a, modes: a}\n"
    )

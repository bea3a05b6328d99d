"""Runs as jobs of a real cluster of two nodes on this machine, with its token, over the real command line."""

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedray.results import RunDirectory

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def dashboard() -> Iterator[str]:
    """The address of the dashboard of a cluster of two nodes with one CPU each."""
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    memory = {"object_store_memory": 200 * 2**20}
    head = {"include_dashboard": True, "dashboard_port": 8299, "dashboard_host": "127.0.0.1"}
    # the agent that takes jobs would have one fixed port, which the Ray of the tests before may hold
    cluster.add_node(num_cpus=1, dashboard_agent_listen_port=0, **head, **memory)
    cluster.add_node(num_cpus=1, **memory)
    cluster.wait_for_nodes()
    address = "http://127.0.0.1:8299"
    _wait(lambda: _status(f"{address}/api/jobs/") == 401)
    yield address
    cluster.shutdown()


def _wait(condition, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.5)


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_a_scenario_runs_as_a_job_across_both_nodes(dashboard, fedray, small_scenario: Path) -> None:
    submitted = fedray("submit", small_scenario, "--address", dashboard, "--set", "runtime.hosts=2", "--follow")

    assert submitted.code == 0, submitted.out + submitted.err
    assert "round 3/3" in submitted.out
    (job,) = json.loads(fedray("jobs", "--address", dashboard, "--json").out)
    assert job["status"] == "SUCCEEDED"
    assert job["scenario"] == "small"
    directory = RunDirectory(Path(job["run_dir"]).expanduser())
    assert directory.summary().status == "completed"
    assert directory.summary().rounds_completed == 3
    assert job["id"] in fedray("jobs", "--address", dashboard).out
    assert "round 1/3" in fedray("logs", job["id"], "--address", dashboard).out


def test_a_stopped_job_keeps_its_rounds(dashboard, fedray, small_scenario: Path) -> None:
    settings = ("--set", "training.rounds=500", "--set", "name=endless", "--set", "runtime.hosts=2")
    job = json.loads(fedray("submit", small_scenario, "--address", dashboard, *settings, "--json").out)
    directory = RunDirectory(Path(job["run_dir"]).expanduser())
    _wait(lambda: (directory.path / "rounds.jsonl").is_file())

    assert fedray("stop", job["id"], "--address", dashboard).code == 0

    _wait(lambda: (directory.path / "summary.json").is_file())
    assert directory.summary().status == "stopped"
    assert directory.summary().rounds_completed >= 1


@pytest.mark.parametrize("name", ["fedprox", "fedray_fedprox.fedprox:FedProx"])
def test_a_job_brings_the_package_of_its_method(dashboard, outside, fedray, small_scenario: Path, name) -> None:
    """The cluster began without it on its path; by its name it needs the package's entry points there, too."""
    settings = (
        "--set",
        f"method={{name: '{name}', rank: 4}}",
        "--set",
        "runtime.hosts=2",
        "--set",
        "training.rounds=1",
    )
    submitted = fedray("submit", small_scenario, "--address", dashboard, *settings, "--follow")
    assert submitted.code == 0, submitted.out + submitted.err
    assert f"small: {name}, 6 devices" in submitted.out


def test_a_job_whose_scenario_is_wrong_ends_with_2(dashboard, fedray, small_scenario: Path) -> None:
    settings = ("--set", "task.min_examples=5000", "--set", "task.too_few=sit-out")
    result = fedray("submit", small_scenario, "--address", dashboard, *settings, "--follow")
    assert result.code == 2
    assert "every device would sit out" in result.out


def test_wrong_words_to_a_cluster_are_one_plain_error(dashboard, fedray, monkeypatch) -> None:
    missing = fedray("logs", "no-such-job", "--address", dashboard)
    assert missing.code == 2
    assert "no job 'no-such-job'" in missing.err
    assert fedray("jobs", "--address", "http://127.0.0.1:9").code == 2


def test_without_the_token_there_is_no_entry(dashboard) -> None:
    """Oracle: plain HTTP."""
    assert _status(f"{dashboard}/api/jobs/") == 401
    request = urllib.request.Request(
        f"{dashboard}/api/jobs/", headers={"Authorization": f"Bearer {os.environ['RAY_AUTH_TOKEN']}"}
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200

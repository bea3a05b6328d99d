"""Whole runs of real training on a real Ray."""

import json
import os
import re
import signal
import socket
import urllib.request
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

import pytest
from peft import PeftModel

from fedray.errors import RunInterruptedError, UserError
from fedray.experiment.experiment import prepare
from fedray.learning.adapted import AdaptedModel
from fedray.learning.classifier import load_classifier
from fedray.learning.evaluation import combine, evaluate_block
from fedray.results import RunDirectory
from fedray.runtime.coordinator import open_coordinator
from fedray.runtime.execution.host_pool import HostResources
from fedray.scenario import load_scenario
from tests.ray_session import Watching, write_board

OTHER_SPREADS = ("hosts=2", "devices_per_host=1")


@pytest.fixture(scope="module")
def digests() -> dict[str, str]:
    """The digest of the undisturbed small run, found by the first test that needs it."""
    return {}


@pytest.fixture
def undisturbed(run, digests) -> str:
    if "small" not in digests:
        digests["small"] = run(name="undisturbed").result_digest
    return digests["small"]


@pytest.mark.parametrize(
    "spread",
    ["runtime.hosts=3", *(pytest.param(f"runtime.{other}", marks=pytest.mark.slow) for other in OTHER_SPREADS)],
)
def test_digest_does_not_depend_on_who_carried_the_devices(spread, run, undisturbed) -> None:
    assert run(spread).result_digest == undisturbed


def test_the_scenario_that_is_kept_has_every_default_written_out(run, plain: Path, tmp_path: Path) -> None:
    run("method={name: hetlora}", "training.rounds=1", scenario=plain)
    kept = load_scenario(tmp_path / "run" / "scenario.yaml").scenario.method
    assert (kept["rank"], kept["min_rank"], kept["weights"], kept["lora_alpha"]) == (8, 2, "norm", 16.0)


@pytest.mark.slow
def test_digest_follows_the_seed(run, undisturbed) -> None:
    assert run("seed=6").result_digest != undisturbed


def test_a_stopped_run_goes_on_to_the_same_digest(run, undisturbed, tmp_path: Path) -> None:
    def interrupt(record) -> None:
        raise KeyboardInterrupt

    with pytest.raises(RunInterruptedError, match=r"stopped after round 1; .*--resume"):
        run("runtime.hosts=2", watching=Watching(interrupt))
    directory = RunDirectory(tmp_path / "run")
    assert directory.summary().status == "stopped"
    assert directory.summary().rounds_completed == 1
    directory.append_round(replace(directory.rounds()[0], round=2))  # as if round 2 had died before its checkpoint
    with (directory.path / "rounds.jsonl").open("a") as file:
        file.write('{"round": 3, "emu')

    watching = Watching()
    summary = run(watching=watching, resume=True)

    assert summary.result_digest == undisturbed
    assert summary.status == "completed"
    assert [record.round for record in watching.before] == [1]
    assert [record.round for record in watching.records] == [2, 3]
    assert [record.round for record in directory.rounds()] == [1, 2, 3]


def hosts_of_this_session() -> list[int]:
    """Host actors started by this test session, told by its home folder: no other process is touched."""
    mine = f"HOME={os.environ['HOME']}".encode()
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                if (process / "cmdline").read_bytes().startswith(b"ray::Host") and mine in (
                    process / "environ"
                ).read_bytes().split(b"\0"):
                    found.append(int(process.name))
            except OSError:
                continue
    return found


def test_a_host_that_dies_costs_time_and_nothing_else(run, undisturbed) -> None:
    killed = []

    def kill_one(record) -> None:
        if not killed:
            killed.append(hosts_of_this_session()[0])
            os.kill(killed[0], signal.SIGKILL)

    watching = Watching(kill_one)
    assert run("runtime.hosts=2", watching=watching).result_digest == undisturbed
    assert killed


def test_the_saved_adapter_reproduces_the_reported_accuracy(run, small_scenario: Path, tmp_path: Path) -> None:
    summary = run()
    experiment = prepare(load_scenario(small_scenario))
    backbone, data = experiment.backbone, experiment.data
    method = experiment.build_method()
    loaded = PeftModel.from_pretrained(load_classifier(backbone.location, 3), tmp_path / "run" / "adapter")
    judge = AdaptedModel(load_classifier(backbone.location, 3), backbone.shape, method.adapter())
    judge.peft = loaded
    test = data.held_out["test"]
    score = combine(
        data.task, [evaluate_block(judge, data.task, test.tokens, block) for block in test.blocks], test.labels
    )
    assert score.primary == summary.final_accuracy
    assert score.primary > 0.4  # three labels
    origin = json.loads((tmp_path / "run" / "adapter" / "training.json").read_text())
    assert (origin["rounds"], origin["seed"], origin["method"]) == (3, 5, "legend")
    assert (origin["labels"], origin["result_digest"]) == (list(data.task.label_names), summary.result_digest)


def test_learning_happens_and_the_trail_is_complete(run, tmp_path: Path) -> None:
    summary = run("training.rounds=4", "training.local_steps=4")
    directory = RunDirectory(tmp_path / "run")
    rounds = directory.rounds()
    assert rounds[-1].loss < rounds[0].loss
    assert directory.summary() == summary
    devices = [json.loads(line) for line in (directory.path / "devices.jsonl").read_text().splitlines()]
    assert len(devices) == 4 * 6
    assert all(device["loss"] > 0 for device in devices)
    for record in rounds:
        mine = [device for device in devices if device["round"] == record.round]
        assert sum(device["bytes_up"] for device in mine) == record.bytes_up
        assert sum(device["joules"] for device in mine) == pytest.approx(record.energy_joules)
    ends = [record.emulated_seconds for record in rounds]
    assert ends == pytest.approx([sum(r.round_seconds for r in rounds[: i + 1]) for i in range(4)])
    assert load_scenario(directory.scenario).scenario.name == "small"
    assert not list(directory.path.rglob("*.tmp"))


@pytest.mark.slow
def test_local_heads_never_travel(run, tmp_path: Path) -> None:
    local = run("model.head=local", "runtime.hosts=2", name="local")
    shared = run("runtime.hosts=2", name="shared")
    head = 4 * (3 * 384 + 3)
    assert shared.bytes_up > local.bytes_up
    first = [RunDirectory(tmp_path / name).rounds()[0] for name in ("shared", "local")]
    assert first[0].bytes_down - first[1].bytes_down >= 6 * head
    assert run("model.head=local", name="again").result_digest == local.result_digest
    frozen = run("model.head=frozen", name="frozen")
    assert frozen.bytes_up == local.bytes_up
    assert frozen.result_digest != local.result_digest


@pytest.mark.slow
def test_local_heads_survive_an_interruption(run) -> None:
    whole = run("model.head=local", name="whole")

    def interrupt(record) -> None:
        raise KeyboardInterrupt

    with pytest.raises(RunInterruptedError):
        run("model.head=local", name="broken", watching=Watching(interrupt))
    assert run("model.head=local", name="broken", resume=True).result_digest == whole.result_digest


def test_a_diverging_device_is_rejected_counted_and_named(run, tmp_path: Path) -> None:
    summary = run("training.optimiser.learning_rate=1e9", "training.rounds=1")
    assert summary.updates_rejected == 6
    lines = (tmp_path / "run" / "devices.jsonl").read_text().splitlines()
    assert {json.loads(line)["rejected"] for line in lines} <= {"not-finite", "too-large"}
    assert summary.status == "completed"


def test_boards_without_the_memory_are_dropped_and_the_rest_goes_on(run, small_scenario: Path, tmp_path: Path) -> None:
    boards = tmp_path / "boards"
    boards.mkdir()
    write_board(boards, "tiny", gb=0.01)
    summary = run(
        f"fleet.catalogue={boards}",
        "fleet.groups=[{profile: tiny, count: 2}, {profile: jetson-tx2, count: 4}]",
        "training.rounds=1",
    )
    (record,) = RunDirectory(tmp_path / "run").rounds()
    assert (record.participants, record.dropped) == (6, 2)
    assert summary.status == "completed"
    assert summary.final_accuracy is not None


def test_a_task_without_data_moves_adapters_and_nothing_else(run, tmp_path: Path) -> None:
    plain = tmp_path / "none.yaml"
    plain.write_text(
        "schema_version: 1\ntask: none\nmodel: {target_modules: [query]}\nmethod: {name: fedit, rank: 1, depth: 1}\n"
        "fleet: {groups: [{profile: jetson-tx2, count: 50}]}\ntraining: {rounds: 2, participants: 20}\n"
    )
    summary = run(scenario=plain)
    assert summary.final_accuracy is None
    # rank 1 on one 384 x 384 module and a head of two labels
    assert summary.bytes_up == 2 * 20 * 4 * (2 * 384 + 2 * 384 + 2)


def test_prometheus_can_read_a_run_while_it_goes_on(run, plain: Path) -> None:
    seen = []

    def scrape(record) -> None:
        with urllib.request.urlopen(watching.metrics_url) as answer:
            seen.append(answer.read().decode())

    watching = Watching(scrape)
    run("telemetry.prometheus_port=0", scenario=plain, watching=watching)
    assert 'fedray_round{method="fedit",run="run"}' in seen[0]  # one round is over, or already both
    assert 'fedray_round{method="fedit",run="run"} 2.0' in seen[1]
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(watching.metrics_url)


def test_counters_of_a_resumed_run_go_on_where_they_stood(run, plain: Path, tmp_path: Path) -> None:
    """Oracle: the sums of rounds.jsonl."""
    run(scenario=plain)
    scraped = []

    def scrape(_) -> None:
        with urllib.request.urlopen(watching.metrics_url) as answer:
            found = re.findall(r"fedray_traffic_bytes_total{.*} (\S+)", answer.read().decode())
        scraped.append(sum(map(float, found)))

    watching = Watching(after_round=scrape)
    settings = ("training.rounds=4", "telemetry.prometheus_port=0")
    run(*settings, scenario=plain, resume=True, watching=watching)
    records = RunDirectory(tmp_path / "run").rounds()
    sums = list(accumulate(record.bytes_up + record.bytes_down for record in records))
    assert scraped[0] in (sums[2], sums[3])  # the fourth round may be over already
    assert scraped[1] == sums[3]


def test_what_is_under_way_can_be_read_before_it_is_complete(run, tmp_path: Path) -> None:
    """The plan in current.json is what devices.jsonl holds in the end; the last progress is that all are trained."""
    run("training.rounds=1")
    current = json.loads((tmp_path / "run" / "current.json").read_text())
    lines = [json.loads(line) for line in (tmp_path / "run" / "devices.jsonl").read_text().splitlines()]
    for planned, line in zip(current["devices"], lines, strict=True):
        assert planned == {key: line[key] for key in planned}
    progress = json.loads((tmp_path / "run" / "progress.json").read_text())
    assert progress == {"round": 1, "trained": 6, "planned": 6, "hosts_lost": 0}


def test_what_stands_in_the_way_of_a_run_is_one_plain_error(run, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=rf"^telemetry.prometheus_port: cannot serve on 127.0.0.1:{port}"):
            run(f"telemetry.prometheus_port={port}")
    assert not (tmp_path / "run").exists()


def test_a_resumed_run_must_be_the_one_that_was_begun(run, small_scenario: Path, tmp_path: Path) -> None:
    run("training.rounds=1")
    directory = RunDirectory(tmp_path / "run")

    def reopen(*settings: str, resume: bool = True) -> None:
        """In this process: every case fails before there are hosts."""
        experiment = prepare(load_scenario(small_scenario, settings))
        open_coordinator(experiment, directory, HostResources(1, 1.0, 0.0), resume)

    with pytest.raises(UserError, match="already holds something"):
        reopen(resume=False)
    holder = directory.lock()
    with pytest.raises(UserError, match="another process is running this run"):
        reopen()
    os.close(holder)
    with pytest.raises(UserError, match="the data, the backbone or the boards are not those"):
        reopen("task.partition={kind: iid}")  # stands for a file that has changed
    rounds = (directory.path / "rounds.jsonl").read_text()
    (directory.path / "rounds.jsonl").write_text("")
    with pytest.raises(UserError, match=r"rounds.jsonl lacks rounds"):
        reopen()
    (directory.path / "rounds.jsonl").write_text("[1]\n")
    with pytest.raises(UserError, match=r"rounds.jsonl:1: not a line of a run"):
        reopen()
    (directory.path / "rounds.jsonl").write_text(rounds)
    (directory.checkpoint / "round-000001" / "state.json").write_text("{")
    with pytest.raises(UserError, match="round-000001: not a checkpoint"):
        reopen()


def test_the_last_round_is_evaluated_whatever_ends_the_run(run) -> None:
    summary = run("task.eval.every=5", "training.rounds=9", "training.stop={emulated_hours: 1.0e-6}")
    assert summary.rounds_completed == 1
    assert summary.final_accuracy is not None


def test_a_cluster_too_small_is_said_at_once(run, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"runtime.gpus_per_host: .* exceed the cluster's 0 GPUs"):
        run("runtime.gpus_per_host=1.0", "runtime.hosts=1")
    with pytest.raises(UserError, match=r"runtime.cpus_per_host: 4 hosts × 1 exceed the cluster's 3"):
        run("runtime.cpus_per_host=1.0", "runtime.hosts=4")
    assert not (tmp_path / "run").exists()

"""Runs under the wall clock, on a real Ray with real processes. No test asks how late anything was."""

import json
import os
import signal
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest
import ray

from fedray.adapters import initial_values, layout_of
from fedray.errors import UserError
from fedray.experiment.experiment import prepare
from fedray.results import Progress, RunDirectory
from fedray.runtime.driver import shared_session
from fedray.runtime.execution.host import Host
from fedray.runtime.execution.host_pool import HostResources
from fedray.runtime.execution.messages import Chunk, HostConfig, RoundResult
from fedray.runtime.wallclock import require_room
from fedray.scenario import load_scenario
from fedray.wall.phase_targets import PhaseTargets
from tests.ray_session import Watching
from tests.runtime.test_troubles import TROUBLE

HURRY = "runtime={clock: wall, dilation: 0.05, hosts: 2}"  # no machine keeps up with that, which must not matter


def lines_of(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "devices.jsonl").read_text().splitlines()]


def test_both_clocks_learn_the_same_bits(run, tmp_path: Path) -> None:
    """Drop-outs, lost and refused uploads, a deadline; local heads, so that every part of an update travels."""
    trouble = (TROUBLE, "training.policy={deadline_seconds: 3.0}", "model.head=local", "training.rounds=2")
    computed = run(*trouble, name="virtual")
    enforced = run(*trouble, HURRY, name="wall")
    assert enforced.result_digest == computed.result_digest
    assert computed.overloads is None
    assert enforced.overloads > 0
    planned, taken = lines_of(tmp_path / "virtual"), lines_of(tmp_path / "wall")
    assert {line["outcome"] for line in planned} > {"finished"}
    latest = {1: 0.0, 2: 0.0}
    for virtual, wall in zip(planned, taken, strict=True):
        forced = wall.pop("enforced")
        assert wall == virtual
        latest[wall["round"]] = max(latest[wall["round"]], forced["end_seconds"])
        if wall["outcome"] == "finished":
            assert forced["end_seconds"] >= sum(wall[f"{part}_seconds"] for part in ("download", "compute", "upload"))
            assert forced["memory_bytes"] > 0
    for record in RunDirectory(tmp_path / "wall").rounds():
        assert record.enforcement.dilation == 0.05
        assert record.enforcement.round_seconds == latest[record.round]


@pytest.mark.slow
def test_memory_is_measured_and_more_than_a_device_has_refuses_its_update(
    run, ray_address: str, small_scenario: Path, tmp_path: Path
) -> None:
    """One device of a chunk has 100 kB less than what torch took; the other's update is folded as if alone."""
    run(HURRY, "training.rounds=1", name="measured")
    lines = lines_of(tmp_path / "measured")
    assert all(line["enforced"]["memory_bytes"] < line["memory_bytes"] for line in lines)  # priced as padded
    experiment = prepare(load_scenario(small_scenario))
    method = experiment.build_method()
    plan = method.plan(experiment.view(1, experiment.fleet.first_state(), ()))
    first, second = plan.assignments[:2]
    with shared_session(ray_address):
        host_config = HostConfig(experiment.backbone.shape, "shared", experiment.assets(method.adapter()), "wall")
        host = Host(host_config)
        layout = layout_of(experiment.backbone.shape, first.spec)
        targets = PhaseTargets(0.01, 0.01, 0.01, inf, 1e12)
        short = replace(targets, memory_limit_bytes=lines[0]["enforced"]["memory_bytes"] - 1e5)

        def result(targets: tuple[PhaseTargets, ...]) -> RoundResult:
            return host.train(
                Chunk(
                    round=1,
                    assignments=(first, second)[: len(targets)],
                    parts=((0, 1),) * len(targets),
                    corruptions=(None,) * len(targets),
                    fold=ray.put(method.fold()),
                    adapters={(first.cohort, first.spec): ray.put(initial_values(layout, 5))},
                    heads=None,
                    targets=targets,
                )
            )

        both, alone = result((targets, short)), result((targets,))
    assert both.rejected == [second.device]
    assert both.devices[second.device].rejected.startswith("out of memory: training took ")
    one, other = both.folds[first.cohort].result(), alone.folds[first.cohort].result()
    assert one.values.tobytes() == other.values.tobytes()
    assert all(mine.enforced for mine in both.devices.values())
    assert set(both.losses) == {first.device}


@pytest.mark.slow
def test_groups_go_on_by_themselves_and_learn_the_same_bits(run, tmp_path: Path) -> None:
    """Two inner rounds each, with vanishing members; a device's times are sums, and an inner round awaits its group."""
    grouped = ("topology={groups: 2, inner_rounds: 2}", "fleet.faults={dropout: 0.3}", "training.rounds=2")
    computed = run(*grouped, name="virtual")
    enforced = run(*grouped, HURRY, name="wall")
    assert enforced.result_digest == computed.result_digest
    lines = lines_of(tmp_path / "wall")
    assert {line["outcome"] for line in lines} == {"finished", "vanished"}
    for line in lines:
        if line["outcome"] == "finished":
            forced = line["enforced"]
            for part in ("download", "compute", "upload"):
                assert forced[f"{part}_seconds"] >= line[f"{part}_seconds"]
            parts = sum(forced[f"{part}_seconds"] for part in ("download", "compute", "upload"))
            assert forced["end_seconds"] >= parts - 1e-9


class Reaper(Watching):
    """Kills a device's process as soon as there is one."""

    killed: int | None = None

    def progressed(self, progress: Progress) -> None:
        super().progressed(progress)
        if self.killed is None and (devices := devices_of_this_session()):
            self.killed = devices[0]
            os.kill(self.killed, signal.SIGKILL)


def devices_of_this_session() -> list[int]:
    """Processes forked from a fork_server, told by this session's home folder: no other process is touched."""
    mine = f"HOME={os.environ['HOME']}".encode()
    fork_servers = {}
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                ours = mine in (process / "environ").read_bytes().split(b"\0")
                if ours and b"fedray.wall.fork_server" in (process / "cmdline").read_bytes():
                    fork_servers[int(process.name)] = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    return [process for process, parent in fork_servers.items() if parent in fork_servers]


@pytest.mark.slow
def test_a_device_whose_process_dies_costs_nothing_but_time(run) -> None:
    """Its host is lost with it; another does its work again."""
    computed = run("training.rounds=2", name="virtual")
    reaper = Reaper()
    enforced = run("training.rounds=2", "runtime={clock: wall, dilation: 4.0, hosts: 2}", name="wall", watching=reaper)
    assert reaper.killed is not None
    assert enforced.result_digest == computed.result_digest
    assert reaper.progress[-1].hosts_lost == 1
    assert not devices_of_this_session()


@pytest.mark.slow
def test_fidelity_compares_both_clocks(fedray, ray_address: str, small_scenario: Path, tmp_path: Path) -> None:
    folder = tmp_path / "both"
    words = ("fidelity", small_scenario, "--rounds", 2, "--address", ray_address, "--run-dir", folder)
    found = fedray(*words, "--json", "--bound", 100, "--set", "runtime.hosts=1")
    assert found.code == 0, found.err
    report = json.loads(found.out)
    assert report["same_digest"]
    assert report["holds"]
    assert report["phases"]["round"]["count"] == 2
    assert len(report["devices"]) == 6
    assert RunDirectory(folder / "wall").summary().overloads == report["overloads"]
    again = fedray(*words)
    assert again.code == 2
    assert "already holds something" in again.err


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (["task=none"], "a task without data trains nothing"),
        (["training.schedule={kind: asynchronous}"], "rounds in lockstep only"),
    ],
)
def test_what_the_wall_clock_cannot_hold_is_refused(small_scenario: Path, settings: list[str], reason: str) -> None:
    with pytest.raises(UserError, match=rf"runtime\.clock: given 'wall'; allowed: virtual, because .*{reason}"):
        prepare(load_scenario(small_scenario, [*settings, "runtime.clock=wall"]))


@pytest.mark.parametrize("dilation", ["0", "1.0e-9", "1.0e+12", "-1", ".inf"])
def test_a_dilation_that_no_machine_can_sleep_is_refused(small_scenario: Path, dilation: str) -> None:
    with pytest.raises(UserError, match=r"runtime\.dilation: given "):
        load_scenario(small_scenario, [f"runtime={{clock: wall, dilation: {dilation}}}"])


def test_fidelity_refuses_before_anything_is_run(fedray, small_scenario: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for words, said in (
        (["--run-dir", tmp_path / "file"], "already holds something"),
        (["--bound", "inf"], "--bound"),
        (["--set", "task=none"], "a task without data trains nothing"),
    ):
        refused = fedray("fidelity", small_scenario, *words)
        assert refused.code == 2
        assert said in refused.err


def test_a_dilation_needs_the_wall_clock(small_scenario: Path) -> None:
    with pytest.raises(UserError, match="dilation: given 2; allowed: auto unless clock is wall"):
        load_scenario(small_scenario, ["runtime.dilation=2"])


def test_devices_that_do_not_fit_into_the_cluster_at_once_are_refused(small_scenario: Path) -> None:
    """Six devices of two layers need 70 MB each and what they train."""
    experiment = prepare(load_scenario(small_scenario, ["runtime.clock=wall"]))
    require_room(experiment, HostResources(2, 1.0, 0.0), 6 * 90e6)
    with pytest.raises(
        UserError, match=r"runtime\.clock: 6 devices at once need about 4\d\d\.\d MB, the cluster offers"
    ):
        require_room(experiment, HostResources(2, 1.0, 0.0), 6 * 70e6)


def test_an_mps_daemon_serves_so_many_devices(
    small_scenario: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = "fleet.groups=[{profile: jetson-tx2, count: 49}]"
    experiment = prepare(load_scenario(small_scenario, ["runtime.clock=wall", fleet]))
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", str(tmp_path))
    require_room(experiment, HostResources(1, 1.0, 1.0), 1e12)  # no daemon: the GPU is shared by turns
    (tmp_path / "control").touch()
    require_room(experiment, HostResources(2, 1.0, 1.0), 1e12)
    with pytest.raises(UserError, match="49 devices on 1 GPUs; allowed: at most 48 on each"):
        require_room(experiment, HostResources(1, 1.0, 1.0), 1e12)

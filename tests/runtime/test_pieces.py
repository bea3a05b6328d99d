"""The parts of the runtime one by one."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedray.adapters import AdapterSpec
from fedray.errors import RunFailedError, UserError
from fedray.experiment.resume import open_run
from fedray.results import RoundRecord
from fedray.runtime.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from fedray.runtime.execution.host_pool import HostPool, HostResources, cut, host_resources
from fedray.runtime.execution.messages import HostConfig
from fedray.runtime.heads import LocalHeads
from fedray.runtime.session import session
from fedray.runtime.stopping import is_finished
from fedray.scenario.schema import Runtime, Stop, Training
from tests.shapes import shape


@given(st.lists(st.integers(), max_size=200), st.integers(1, 9), st.integers(1, 5))
def test_chunks_hold_every_piece_once_in_order(pieces, hosts, per_host) -> None:
    chunks = cut(pieces, hosts, per_host)
    assert [piece for chunk in chunks for piece in chunk] == pieces
    assert len(chunks) <= hosts * per_host
    assert all(chunks)


def test_hosts_are_one_per_cpu_unless_told_otherwise() -> None:
    assert host_resources(Runtime(), 80, cpus=8, gpus=0) == HostResources(8, 1.0, 0.0)
    assert host_resources(Runtime(), 3, cpus=8, gpus=0).hosts == 3
    assert host_resources(Runtime(hosts=4), 80, cpus=2, gpus=0) == HostResources(4, 0.5, 0.0)
    assert host_resources(Runtime(devices_per_host=20), 80, cpus=8, gpus=0).hosts == 4
    assert host_resources(Runtime(devices_per_host=1), 6, cpus=2, gpus=0) == HostResources(6, 0.3333, 0.0)
    assert host_resources(Runtime(cpus_per_host=2.0), 80, cpus=8, gpus=0).hosts == 4
    assert host_resources(Runtime(gpus_per_host=0.25), 80, cpus=64, gpus=2).hosts == 8
    assert host_resources(Runtime(gpus_per_host="auto"), 80, cpus=6, gpus=1) == HostResources(6, 1.0, 0.1666)
    assert host_resources(Runtime(gpus_per_host="auto", hosts=2), 80, cpus=6, gpus=5) == HostResources(2, 1.0, 2)
    assert host_resources(Runtime(gpus_per_host="auto"), 80, cpus=6, gpus=0) == HostResources(6, 1.0, 0.0)
    assert HostResources(6, 1.0, 0.5).processors == 3  # a device's share of the machine is one of its GPUs


def host_config() -> HostConfig:
    return HostConfig(shape(), "shared", None)


def test_work_of_a_dead_host_is_done_again_and_results_stay_in_order(ray_address: str, tmp_path: Path) -> None:
    marker = tmp_path / "died"

    def work(host, number: int) -> int:
        if number == 2 and not marker.exists():
            marker.touch()
            os._exit(1)
        return number * number

    heard = []
    with session(ray_address) as cluster:
        hosts = HostPool(host_config(), HostResources(2, cluster.cpus / 2, 0.0))
        results = hosts.map("__ray_call__", [(work, number) for number in range(5)], heard.append)
        hosts.close()
    assert results == [0, 1, 4, 9, 16]
    assert sorted(heard) == [0, 1, 2, 3, 4]
    assert hosts.deaths == 1


def test_work_that_kills_every_host_ends_the_run_with_a_reason(ray_address: str) -> None:
    with session(ray_address):
        hosts = HostPool(host_config(), HostResources(1, 1.0, 0.0))
        with pytest.raises(RunFailedError, match="3 hosts died over the same work"):
            hosts.map("__ray_call__", [(lambda host: os._exit(1),)])
        hosts.close()


def test_an_error_in_a_host_is_not_hidden(ray_address: str) -> None:
    with session(ray_address):
        hosts = HostPool(host_config(), HostResources(1, 1.0, 0.0))
        with pytest.raises(ZeroDivisionError):
            hosts.map("__ray_call__", [(lambda host: 1 / 0,)])
        hosts.close()


@pytest.mark.parametrize("address", ["ray://127.0.0.1:10001", "127.0.0.1:1", "somewhere"])
def test_no_cluster_there_is_one_plain_error(address: str) -> None:
    with pytest.raises(UserError, match="--address"), session(address):
        pass


def a_checkpoint(round_: int = 3, heads: bool = False) -> Checkpoint:
    values = np.arange(6, dtype=np.float32)
    spec = AdapterSpec((2, 1), (0, 1), 0.5, ((2, 0), (1, 1)), "svd")
    local = np.ones((2, 3), np.float32) if heads else None
    charge = np.array([np.inf, 12.5])
    return Checkpoint(round_, spec, values, local, charge, None, {"a": [1.5, None]}, 2.5, 99, "f")


@pytest.mark.parametrize("heads", [False, True])
def test_a_checkpoint_comes_back_as_it_was(heads: bool, tmp_path: Path) -> None:
    save_checkpoint(tmp_path, a_checkpoint(3, heads))
    loaded = load_checkpoint(tmp_path)
    assert loaded.values.tobytes() == a_checkpoint().values.tobytes()
    assert loaded.spec == a_checkpoint().spec
    assert loaded.charge.tolist() == [np.inf, 12.5]
    assert loaded.in_flight is None
    assert (loaded.heads is not None) == heads
    assert (loaded.round, loaded.method, loaded.wall_seconds, loaded.peak_memory_bytes) == (
        3,
        {"a": [1.5, None]},
        2.5,
        99,
    )


def test_only_the_latest_complete_checkpoint_counts(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path) is None
    for round_ in (1, 2):
        save_checkpoint(tmp_path, a_checkpoint(round_))
    (tmp_path / ".round-000003.tmp").mkdir()  # died while writing
    assert load_checkpoint(tmp_path).round == 2
    assert [path.name for path in tmp_path.glob("round-*")] == ["round-000002"]


def test_a_damaged_checkpoint_is_one_plain_error(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, a_checkpoint())
    (tmp_path / "round-000003" / "state.safetensors").write_bytes(b"rubbish")
    with pytest.raises(UserError, match="not a checkpoint"):
        load_checkpoint(tmp_path)


def test_local_heads_change_only_where_they_were_trained() -> None:
    heads = LocalHeads.same_for_all(np.array([1.0, 2.0], np.float32), 3)
    after = heads.replaced({1: np.array([4.0, 8.0], np.float32)})
    assert after.of([0, 1]).tolist() == [[1, 2], [4, 8]]
    assert heads.of([1]).tolist() == [[1, 2]]
    assert after.mean().tolist() == [2, 4]


def a_round(number: int, accuracy: float | None, hours: float) -> RoundRecord:
    return RoundRecord(number, 3600 * hours, 1.0, 0.0, accuracy, None, 0, 0, 0.0, 1, 0, 0, 1, 1.0, 1.0, score=accuracy)


@pytest.mark.parametrize(
    ("stop", "accuracy", "hours", "finished"),
    [
        (Stop(), 0.9, 9.0, False),
        (Stop(target=0.8, hold=1), 0.79, 1.0, False),
        (Stop(target=0.8, hold=1), 0.8, 1.0, True),
        (Stop(target=0.8), 0.8, 1.0, False),  # reached, and not yet held for three evaluations
        (Stop(target=0.8, hold=1), None, 1.0, False),
        (Stop(emulated_hours=2.0), 0.1, 1.9, False),
        (Stop(emulated_hours=2.0), 0.1, 2.0, True),
    ],
)
def test_a_run_ends_at_its_target_or_its_time(stop: Stop, accuracy: float | None, hours: float, finished: bool) -> None:
    training = Training(rounds=3, stop=stop)
    assert is_finished(training, [a_round(1, accuracy, hours)]) == finished
    assert not is_finished(training, [])
    assert is_finished(training, [a_round(number, 0.0, 0.1) for number in (1, 2, 3)])


def a_run(folder: Path) -> Path:
    folder.mkdir()
    (folder / "scenario.yaml").write_text("schema_version: 1\nname: first\n")
    return folder


def test_a_resumed_run_may_get_more_rounds_but_stays_the_same_experiment(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run")
    loaded, directory = open_run(None, ["training.rounds=99", "runtime.hosts=3"], None, run)
    assert loaded.scenario.training.rounds == 99
    assert directory.path == run
    for change in ("seed=4", "training.batch_size=2", "method.name=legend", "task.max_length=16"):
        with pytest.raises(UserError, match=rf": {change.split('=')[0]} differs"):
            open_run(None, [change], None, run)


def test_what_cannot_be_opened_is_one_plain_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="give a SCENARIO"):
        open_run(None, [], None, None)
    with pytest.raises(UserError, match="not a run directory"):
        open_run(None, [], None, tmp_path)
    with pytest.raises(UserError, match="not together"):
        open_run(None, [], tmp_path / "x", a_run(tmp_path / "run"))
    with pytest.raises(UserError, match="already holds"):
        open_run(tmp_path / "run" / "scenario.yaml", [], tmp_path / "run", None)

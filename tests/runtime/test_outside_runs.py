"""Whole runs of methods from outside, on a cluster that lacks their package: it is shipped to every node."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from fedray.adapters import initial_values, layout_of
from fedray.errors import RunInterruptedError
from fedray.experiment.experiment import prepare
from fedray.results import RunDirectory
from fedray.runtime.driver import execute
from fedray.scenario import load_scenario
from tests.ray_session import Watching

SLOW = pytest.mark.slow
FEDPROX = "method={name: fedprox, rank: 4, mu: 0.5}"
FFA = "method={name: ffa-lora, rank: 4}"


def test_a_method_from_outside_is_planned_from_the_command_line(outside, fedray, plain: Path) -> None:
    """`fedray plan` of FedProx: the bytes of FedIT, and more seconds."""
    plans = {}
    for method in ("fedit", "fedprox"):
        answer = fedray("plan", plain, "--set", f"method={{name: {method}, rank: 1}}", "--json")
        assert answer.code == 0, answer.err
        plans[method] = json.loads(answer.out)["devices"]
    for ours, theirs in zip(plans["fedit"], plans["fedprox"], strict=True):
        assert ours["bytes_up"] == theirs["bytes_up"]
        assert ours["compute_seconds"] < theirs["compute_seconds"] < 1.5 * ours["compute_seconds"]
        assert ours["memory_bytes"] < theirs["memory_bytes"]


@SLOW
@pytest.mark.parametrize("method", [FEDPROX, FFA, "method={name: 'fedray_fedprox.fedprox:FedProx', rank: 4, mu: 0.5}"])
def test_the_same_bits_on_more_hosts_and_after_an_interruption(method, outside, run, tmp_path: Path) -> None:
    def interrupt(record) -> None:
        if record.round == 2:
            raise KeyboardInterrupt

    whole = run(method, "runtime.hosts=3", name="whole")
    with pytest.raises(RunInterruptedError):
        run(method, name="broken", watching=Watching(interrupt))
    again = run(method, name="broken", resume=True)
    assert again.result_digest == whole.result_digest
    assert (again.bytes_up, again.emulated_seconds) == (whole.bytes_up, whole.emulated_seconds)
    assert again.updates_rejected == 0


@SLOW
def test_a_of_ffa_lora_ends_as_it_began_and_half_of_lora_is_sent(outside, run, small_scenario: Path, tmp_path) -> None:
    ffa, whole = run(FFA, name="ffa"), run("method={name: fedit, rank: 4}", name="fedit")
    experiment = prepare(load_scenario(small_scenario, [FFA]))
    spec, shape = experiment.build_method().adapter(), experiment.backbone.shape
    layout = layout_of(shape, spec)
    begun = initial_values(layout, experiment.scenario.seed)
    saved = load_file(tmp_path / "ffa" / "adapter" / "adapter_model.safetensors")
    factors = [entry for entry in layout.entries if entry.factor in ("A", "B")]
    for entry in factors:
        (tensor,) = (v for k, v in saved.items() if k.endswith(f"{entry.module}.lora_{entry.factor}.weight"))
        assert (tensor.tobytes() == layout.tensor(begun, entry).tobytes()) == (entry.factor == "A"), entry
    floats_of_a = sum(entry.size for entry in factors if entry.factor == "A")
    assert whole.bytes_up - ffa.bytes_up == 3 * 6 * 4 * floats_of_a  # rounds, devices, bytes
    assert whole.bytes_down - ffa.bytes_down == 3 * 6 * 4 * floats_of_a


@SLOW
def test_in_flight_hooks_of_a_method_from_outside_survive_an_interruption(outside, run) -> None:
    buffered = (FEDPROX, "training.schedule={kind: buffered, buffer: 3}")

    def interrupt(record) -> None:
        if record.round == 2:
            raise KeyboardInterrupt

    whole = run(*buffered, name="whole")
    with pytest.raises(RunInterruptedError):
        run(*buffered, name="broken", watching=Watching(interrupt))
    assert run(*buffered, name="broken", resume=True).result_digest == whole.result_digest


@SLOW
def test_device_processes_under_the_wall_clock_load_it_too(outside, run) -> None:
    wall = (FEDPROX, "fleet.groups=[{profile: jetson-tx2, count: 2}]", "training.rounds=1")
    assert (
        run(*wall, "runtime={clock: wall, dilation: 0.05, hosts: 1}").result_digest
        == run(*wall, name="virtual").result_digest
    )


@pytest.fixture
def two_nodes() -> Iterator[str]:
    """A cluster of two nodes with one CPU each, without the package on their path."""
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    for head in ({"include_dashboard": False}, {}):
        cluster.add_node(num_cpus=1, object_store_memory=200 * 2**20, **head)
    cluster.wait_for_nodes()
    yield cluster.address
    cluster.shutdown()


@SLOW
def test_it_runs_on_both_nodes_of_a_cluster(two_nodes, outside, small_scenario: Path, run, tmp_path: Path) -> None:
    experiment = prepare(load_scenario(small_scenario, [FEDPROX, "runtime={hosts: 2, cpus_per_host: 1}"]))
    spread = execute(experiment, RunDirectory(tmp_path / "spread"), two_nodes, Watching())
    assert spread.result_digest == run(FEDPROX, name="one").result_digest

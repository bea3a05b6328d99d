"""Semi-asynchronous and asynchronous runs of real training on a real Ray."""

from pathlib import Path

import pytest
from safetensors.numpy import load_file

from fedray.errors import RunInterruptedError, UserError
from fedray.results import RunDirectory
from fedray.runtime.experiment import prepare
from fedray.runtime.rehearsal import rehearse
from fedray.scenario import load_scenario
from tests.runtime.conftest import Watching

BUFFERED = "training.schedule={kind: buffered, buffer: 2}"
ASYNCHRONOUS = "training.schedule={kind: asynchronous}"
FEDIT = "method={name: fedit, rank: 4, weights: uniform}"


@pytest.mark.slow
def test_a_buffer_of_everybody_is_the_synchronous_run(run, tmp_path: Path) -> None:
    """Oracle: the mean of six fresh updates is FedAvg's."""
    lockstep = run(FEDIT, name="lockstep")
    everybody = run(FEDIT, "training.schedule={kind: buffered, buffer: 6}", name="everybody")
    assert everybody.emulated_seconds == pytest.approx(lockstep.emulated_seconds)
    assert everybody.bytes_up == lockstep.bytes_up
    one, other = (
        load_file(tmp_path / name / "adapter" / "adapter_model.safetensors") for name in ("lockstep", "everybody")
    )
    for name, tensor in one.items():
        assert other[name] == pytest.approx(tensor, abs=1e-6), name


@pytest.mark.slow
@pytest.mark.parametrize("schedule", [BUFFERED, ASYNCHRONOUS])
def test_steps_are_the_same_bits_on_more_hosts_and_after_an_interruption(schedule, run, tmp_path: Path) -> None:
    settings = (
        FEDIT,
        schedule,
        "training.rounds=6",
        "fleet.faults={dropout: 0.15, corruption: {share: 0.2, kind: nan}}",
    )

    def interrupt(record) -> None:
        if record.round == 3:
            raise RunInterruptedError

    whole = run(*settings, name="whole")
    assert run(*settings, "runtime.hosts=3", name="spread").result_digest == whole.result_digest
    with pytest.raises(RunInterruptedError):
        run(*settings, name="broken", watching=Watching(interrupt))
    assert run(*settings, name="broken", resume=True).result_digest == whole.result_digest
    rounds = RunDirectory(tmp_path / "whole").rounds()
    assert RunDirectory(tmp_path / "broken").rounds() == rounds
    ends = [record.emulated_seconds for record in rounds]
    assert ends == sorted(ends)
    assert all(record.participants - record.dropped <= (2 if schedule is BUFFERED else 1) for record in rounds)


def test_a_plan_shows_the_devices_of_a_server_step(small_scenario: Path) -> None:
    rehearsal = rehearse(prepare(load_scenario(small_scenario, (FEDIT, BUFFERED, "training.rounds=4"))), 4)
    assert len(rehearsal.devices) == 2
    assert {group.id for group in rehearsal.groups} <= {0, 1, 2, 3}


def test_a_device_on_its_own_time_has_the_mode_in_which_it_began(small_scenario: Path) -> None:
    restless = "fleet.groups=[{profile: jetson-tx2, count: 8, modes: {kind: random, redraw_every: 1}}]"
    experiment = prepare(load_scenario(small_scenario, (FEDIT, BUFFERED, restless, "training.rounds=6")))
    rehearsals = {round_: rehearse(experiment, round_).devices for round_ in (4, 5, 6)}
    assert all(
        device.staleness == round_ - 1 - device.group for round_, found in rehearsals.items() for device in found
    )
    devices = [device for found in rehearsals.values() for device in found]
    assert {device.staleness for device in devices} != {0}
    assert [device.mode for device in devices] == [
        experiment.fleet.modes(device.group + 1)[device.id] for device in devices
    ]
    per_layer = {(device.mode, round(device.compute_seconds / device.depth, 9)) for device in devices}
    assert len(per_layer) == len({device.mode for device in devices}) > 1  # a mode has one speed: it is the true one


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["method={name: hierfedlora, rank: 4, groups: 2}"], "groups meet at the end of a round"),
        (["topology={groups: 2}"], "groups meet at the end of a round"),
        (["method={name: fedara, rank: 4}"], "fedara's adapter changes its shape"),
        (["fleet.link={kind: wifi, devices_per_cell: 2}"], "share their air only if they begin together"),
        (["training.policy={deadline_seconds: 3.0}"], "none unless schedule.kind is synchronous"),
    ],
)
def test_what_needs_lockstep_is_refused_with_the_reason(settings, said, small_scenario: Path) -> None:
    with pytest.raises(UserError, match=said):
        prepare(load_scenario(small_scenario, [BUFFERED, *settings]))

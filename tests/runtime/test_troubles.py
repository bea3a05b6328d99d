"""Runs in which devices come and go, fail, lie or run empty, on a real Ray."""

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from fedray.errors import RunFailedError, RunInterruptedError
from fedray.results import RunDirectory
from tests.ray_session import Watching, write_board

TROUBLE = (
    "fleet.faults={dropout: 0.2, upload_lost: 0.1, slowdown: {share: 0.3, factor: 4.0}, "
    "crash: {share: 0.1, reboot_seconds: 1.0}, corruption: {share: 0.3, kind: nan}}"
)


@pytest.mark.slow
def test_a_round_of_troubles_goes_through_and_its_waste_is_counted(run, small_scenario: Path, tmp_path: Path) -> None:
    """Drop-outs, losses, a deadline, refused updates and two boards without the memory: the same bits on more hosts."""
    boards = tmp_path / "boards"
    boards.mkdir()
    write_board(boards, "tiny", gb=0.01)
    settings = (
        f"fleet.catalogue={boards}",
        "fleet.groups=[{profile: tiny, count: 2}, {profile: jetson-tx2, count: 10}]",
        "fleet.availability={kind: bernoulli, share: 0.8}",
        TROUBLE,
        "training.policy={deadline_seconds: 3.0}",
        "training.rounds=3",
    )
    summary = run(*settings)
    rounds = RunDirectory(tmp_path / "run").rounds()
    reasons = Counter[str]()
    for record in rounds:
        reasons.update(record.dropped_by)
        assert sum(record.dropped_by.values()) == record.dropped
        assert record.round_seconds <= 3.0
        assert 0 < record.wasted_joules < record.energy_joules
        assert 0 < record.wasted_bytes < record.bytes_up + record.bytes_down
    lines = [json.loads(line) for line in (tmp_path / "run" / "devices.jsonl").read_text().splitlines()]
    for record in rounds:
        mine = [line for line in lines if line["round"] == record.round]
        nothing = [line for line in mine if line["outcome"] != "finished" or line["rejected"]]
        assert record.wasted_bytes == sum(line["bytes_up"] + line["bytes_down"] for line in nothing)
        assert record.wasted_joules >= sum(line["joules"] for line in nothing) - 1e-9  # and what crashes cost
    assert {"out of memory", "vanished"} <= set(reasons)
    assert summary.devices_dropped == sum(reasons.values())
    assert summary.updates_rejected > 0
    assert summary.wasted_seconds == pytest.approx(sum(record.wasted_seconds for record in rounds))
    assert summary.status == "completed"
    again = run(*settings, "runtime.hosts=3", name="again")
    assert again.result_digest == summary.result_digest


@pytest.mark.slow
def test_an_update_turned_round_ends_elsewhere(run) -> None:
    turned = run("fleet.faults={corruption: {share: 0.5, kind: sign-flipped}}")
    assert turned.updates_rejected == turned.devices_dropped == 0
    assert turned.result_digest != run(name="undisturbed").result_digest


@pytest.mark.slow
def test_a_round_waits_until_somebody_is_online(run, tmp_path: Path) -> None:
    night = "{kind: diurnal, from_hour: 22, hours: 8, spread_hours: 0.0, start_hour: 12}"
    summary = run(f"fleet.availability={night}", "training.rounds=2")
    first, second = RunDirectory(tmp_path / "run").rounds()
    assert first.emulated_seconds == pytest.approx(10 * 3600 + first.round_seconds)
    assert second.emulated_seconds == pytest.approx(first.emulated_seconds + second.round_seconds)
    assert summary.devices_dropped == 0


@pytest.mark.slow
def test_batteries_drain_charge_and_survive_an_interruption(run, plain: Path, tmp_path: Path) -> None:
    """Boards that rest between rounds until they are charged: a resumed run goes on with the charge it had."""
    battery = ("fleet.battery={capacity_wh: 0.0002, charging_watts: 0.05, reserve_share: 0.9}", "training.rounds=6")

    def interrupt(record) -> None:
        if record.round == 3:
            raise RunInterruptedError

    run(*battery, scenario=plain, name="whole")
    with pytest.raises(RunInterruptedError):
        run(*battery, scenario=plain, name="broken", watching=Watching(interrupt))
    run(*battery, scenario=plain, name="broken", resume=True)
    whole = list(RunDirectory(tmp_path / "whole").rounds())
    assert list(RunDirectory(tmp_path / "broken").rounds()) == whole
    rests = [
        later.emulated_seconds - later.round_seconds - earlier.emulated_seconds for earlier, later in pairwise(whole)
    ]
    assert max(rests) > 0.1
    used = sum(record.energy_joules for record in whole)
    assert used <= 4 * (0.0002 * 3600 + 0.05 * whole[-1].emulated_seconds) + 1e-6


def test_batteries_that_nothing_charges_end_the_run_and_keep_its_rounds(run, plain: Path, tmp_path: Path) -> None:
    with pytest.raises(RunFailedError, match="charged again; completed rounds are kept"):
        run("fleet.battery={capacity_wh: 0.002}", "training.rounds=50", scenario=plain)
    rounds = list(RunDirectory(tmp_path / "run").rounds())
    assert 1 < len(rounds) < 50
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["rounds_completed"] == len(rounds)

"""What a run directory tells while it grows, after it, and when it is broken."""

import json
import os
import shutil
import time
from dataclasses import replace
from math import log
from pathlib import Path

import pytest

from fedray.errors import UserError
from fedray.results import Progress, RoundUnderWay, RunDirectory, TrainedDeviceRecord
from fedray.watch import RunIndex, RunReader
from tests.analysis.pages import a_device, a_round, a_run
from tests.trained import trained

FLEET = """
schema_version: 1
name: eight
fleet:
  groups:
    - {profile: jetson-tx2, count: 4}
    - {profile: jetson-xavier-nx, count: 4, link: {kind: markov, good_mbps: 9, bad_mbps: 1}}
training: {rounds: 5}
"""


@pytest.fixture
def finished(tmp_path: Path) -> RunDirectory:
    return a_run(tmp_path / "run", scenario=FLEET, shards=[[9, 1]] * 4 + [[1, 9]] * 4)


@pytest.fixture
def running(finished: RunDirectory):
    """The run goes on: a process, this one, holds its lock; round 4 has begun, a quarter of it is trained."""
    (finished.path / "summary.json").unlink()
    lock = finished.lock()
    devices = tuple(a_device(number, quantised_layers=number % 2) for number in range(8))
    finished.write_current(RoundUnderWay(4, time.time() - 6.0, 30.0, 12.5, None, devices))
    finished.write_progress(Progress(4, 2, 8, 1))
    yield finished
    os.close(lock)


def test_a_finished_run_says_what_its_summary_says(finished: RunDirectory) -> None:
    view, summary = RunReader(finished.path, "run").view(), finished.summary()
    assert (view.status, view.rounds, view.rounds_planned) == ("completed", 3, 5)
    assert (view.primary, view.emulated_seconds) == (summary.final_accuracy, summary.emulated_seconds)
    assert (view.bytes_up, view.bytes_down, view.joules) == (summary.bytes_up, summary.bytes_down, 27.0)
    assert view.under_way is None
    assert view.curve.bytes == [24_000, 48_000, 72_000]
    assert view.curve.primary == [0.6, 0.7, 0.8]
    assert view.log[-1].startswith("round 3/5  accuracy 0.800  emulated 30.0 s  traffic 72.0 kB")


def test_a_run_that_goes_on_shows_its_round_under_way(running: RunDirectory) -> None:
    reader = RunReader(running.path, "run")
    view = reader.view()
    assert view.status == "running"
    assert (view.under_way.round, view.under_way.share, view.under_way.hosts_lost) == (4, 0.25, 1)
    assert view.under_way.elapsed_seconds is None
    round_ = reader.round(4)
    assert (round_.complete, round_.round_seconds, len(round_.devices)) == (False, 12.5, 8)
    assert [name for _, name in round_.devices[1].timeline] == ["download", "train quantised", "upload", "wait"]
    assert round_.devices[1].loss is None


def test_under_the_wall_clock_emulated_time_goes_by_itself(running: RunDirectory) -> None:
    """Begun 6 s ago at 2 wall seconds for each emulated one."""
    current = RoundUnderWay(4, time.time() - 6.0, 30.0, 12.5, 2.0, ())
    running.write_current(current)
    assert RunReader(running.path, "run").view().under_way.elapsed_seconds == pytest.approx(3.0, abs=0.5)


def test_a_run_that_nobody_goes_on_with_is_unfinished_and_nothing_is_under_way(running: RunDirectory) -> None:
    (running.path / ".lock").unlink()  # as on a copy
    view = RunReader(running.path, "run").view()
    assert (view.status, view.under_way) == ("unfinished", None)


def test_news_are_what_was_written_since(running: RunDirectory) -> None:
    reader = RunReader(running.path, "run")
    reader.view()
    before = reader.signature()
    assert reader.signature() == before
    running.write_progress(Progress(4, 3, 8, 1))
    assert reader.signature() != before
    record = a_round(4, 8, 0.95)
    running.append_devices(trained([TrainedDeviceRecord(4, a_device(n), 0.25, None) for n in range(8)]), 8)
    running.append_round(record)
    view = reader.view()
    assert (view.rounds, view.primary, view.under_way) == (4, 0.95, None)
    assert reader.round(4).devices[0].loss == 0.25


def test_a_resumed_run_forgets_what_it_does_again(finished: RunDirectory) -> None:
    reader = RunReader(finished.path, "run")
    assert reader.view().rounds == 3
    assert reader.round(3) is not None
    finished.truncate(2)
    assert reader.view().rounds == 2
    assert reader.round(3) is None


def test_devices_have_their_links_and_groups_their_labels(finished: RunDirectory) -> None:
    """Group 0 has devices 0, 2, 4, 6: labels half and half, as the fleet; a_device alternates groups."""
    round_ = RunReader(finished.path, "run").round(2)
    assert [device.link for device in round_.devices] == ["wifi"] * 4 + ["markov"] * 4
    assert [(group.id, group.devices) for group in round_.groups] == [(0, 4), (1, 4)]
    assert round_.groups[0].label_divergence == pytest.approx(0.0, abs=1e-6)


def test_divergence_of_a_groups_labels_by_hand(tmp_path: Path) -> None:
    """One group holds only the first of two equal labels: ln 2."""
    devices = [a_device(0, group=0), a_device(1, group=1)]
    run = a_run(tmp_path / "run", devices=devices, scenario=FLEET, shards=[[10, 0], [0, 10]])
    groups = RunReader(run.path, "run").round(1).groups
    assert [group.label_divergence for group in groups] == pytest.approx([log(2)] * 2, abs=1e-4)


def test_fleets_above_a_thousand_devices_are_read_round_by_round(tmp_path: Path) -> None:
    devices = [a_device(number, group=0) for number in range(2_500)]
    run = a_run(tmp_path / "run", devices=devices, rounds=[a_round(1, 2_500)], scenario=FLEET)
    assert (run.path / "devices.parquet").is_dir()
    round_ = RunReader(run.path, "run").round(1)
    assert (len(round_.devices), round_.left_out) == (2_000, 500)
    assert (round_.devices[0].id, round_.devices[-1].id) == (0, 2_499)


@pytest.mark.parametrize("name", ["rounds.jsonl", "devices.jsonl", "summary.json"])
def test_what_is_no_run_is_one_plain_error(finished: RunDirectory, name: str) -> None:
    def everything() -> None:
        reader = RunReader(finished.path, "run")
        reader.view()
        reader.round(3)

    everything()
    with (finished.path / name).open("a") as file:
        file.write('{"round": 3, "eaten": true}\n')
    with pytest.raises(UserError, match=r"not (the|those)"):
        everything()


def test_half_written_news_are_no_news(running: RunDirectory) -> None:
    (running.path / "progress.json").write_text('{"round": 4, "tra')
    (running.path / "current.json").write_text("")
    assert RunReader(running.path, "run").view().under_way is None


def looked(run_index: RunIndex) -> list[str]:
    """The names of a look that also searches; between searches it rests."""
    time.sleep(0.2)
    return sorted(run_index.poll())


def test_the_run_index_finds_runs_as_they_appear_and_names_them_apart(tmp_path: Path) -> None:
    run_index = RunIndex([tmp_path])
    assert run_index.poll() == []
    a_run(tmp_path / "one" / "seed-1")
    a_run(tmp_path / "two" / "seed-1")
    (tmp_path / "one" / "loop").symlink_to(tmp_path)
    assert looked(run_index) == ["seed-1", "two/seed-1"]
    assert looked(run_index) == []
    with RunDirectory(tmp_path / "one" / "seed-1").path.joinpath("rounds.jsonl").open("a") as file:
        file.write(json.dumps(replace(a_round(4, 8)).as_json()) + "\n")
    assert looked(run_index) == ["seed-1"]
    assert run_index.views["seed-1"].rounds == 4
    assert run_index.round("seed-1", 2).round == 2
    assert run_index.round("unknown", 2) is None


def test_runs_that_are_gone_are_forgotten(tmp_path: Path) -> None:
    a_run(tmp_path / "runs" / "one")
    a_run(tmp_path / "runs" / "two")
    run_index = RunIndex([tmp_path / "runs"])
    run_index.poll()
    (tmp_path / "runs" / "one").rename(tmp_path / "runs" / "three")
    assert looked(run_index) == ["three"]
    assert set(run_index.views) == {"two", "three"}
    shutil.rmtree(tmp_path / "runs")
    assert looked(run_index) == []
    assert run_index.views == {}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda run: (run / "rounds.jsonl").write_text("{}\n"),
        lambda run: (run / "rounds.jsonl").write_text(
            json.dumps(a_round(1, 8, 0.5).as_json()).replace("0.5", "NaN") + "\n"
        ),
        lambda run: (run / "rounds.jsonl").write_text(
            json.dumps(a_round(1, 8).as_json()).replace("10.0", "1e400") + "\n"
        ),
        lambda run: ((run / "rounds.jsonl").unlink(), (run / "rounds.jsonl").mkdir()),
        lambda run: (run / "scenario.yaml").write_text("a: ["),
    ],
    ids=["other keys", "no number", "infinite", "a folder", "no scenario"],
)
def test_a_broken_run_among_others_is_said_until_it_is_whole_again(spoil, tmp_path: Path) -> None:
    a_run(tmp_path / "good")
    spoil(a_run(tmp_path / "bad").path)
    run_index = RunIndex([tmp_path])
    assert run_index.poll() == ["good"]
    (problem,) = run_index.problems
    assert str(tmp_path / "bad") in problem
    shutil.rmtree(tmp_path / "bad")
    a_run(tmp_path / "bad")
    assert looked(run_index) == ["bad"]
    assert run_index.problems == []


def test_a_run_that_is_given_more_rounds_plans_more(running: RunDirectory) -> None:
    reader = RunReader(running.path, "run")
    assert reader.view().rounds_planned == 5
    running.rewrite_scenario(FLEET.replace("rounds: 5", "rounds: 9"))
    assert reader.view().rounds_planned == 9


def test_on_their_own_time_devices_end_before_the_step_and_begin_before_it(tmp_path: Path) -> None:
    """By hand: 6 s of work and 1 s of waiting before a step of 10 s ends: from 3 s on; for 4 s of work from 5 s."""
    devices = [
        a_device(0, waiting_seconds=1.0, compute_seconds=3.0),
        a_device(1, waiting_seconds=1.0, compute_seconds=1.0),
    ]
    scenario = FLEET.replace("rounds: 5", "rounds: 5, schedule: {kind: buffered, buffer: 2}")
    round_ = RunReader(a_run(tmp_path / "run", devices=devices, scenario=scenario).path, "run").round(1)
    assert [device.timeline[0] for device in round_.devices] == [(3.0, "download"), (5.0, "download")]
    assert [device.timeline[-1] for device in round_.devices] == [(9.0, "wait"), (9.0, "wait")]
    assert (round_.own_time, round_.groups) == (True, [])

"""Sweeps: each cell is the run it would be alone; what is done again and what is not."""

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from fedray.display import SweepDisplay
from fedray.errors import RunFailedError, RunInterruptedError, UserError
from fedray.experiment.experiment import prepare
from fedray.experiment.matrix import build_matrix
from fedray.results import (
    Progress,
    RoundRecord,
    RunDirectory,
    Summary,
    SummaryInputs,
    SweepDirectory,
    SweepRecord,
    summarise,
)
from fedray.runtime import batch, driver, sweep
from fedray.runtime.batch import SweptRun
from fedray.runtime.checkpoint import Checkpoint, save_checkpoint
from fedray.runtime.sweep import Sweep, open_sweep, run_sweep
from tests.conftest import Result, interrupt_after_a_round
from tests.ray_session import PLAIN, Watching


@dataclass
class WatchingSweep(Watching):
    """Records which runs began and how they ended."""

    opened_with: Sweep | None = None
    begun: list[str] = field(default_factory=list)
    complete: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)

    def opened(self, sweep: Sweep) -> None:
        self.opened_with = sweep

    def began(self, run: SweptRun) -> None:
        self.begun.append(run.name)

    def ended(self, run: SweptRun, summary: Summary) -> None:
        self.complete.append(run.name)

    def failed(self, run: SweptRun, reason: str) -> None:
        self.failures[run.name] = reason


@pytest.fixture
def swept(ray_address: str, tmp_path: Path) -> Callable[..., WatchingSweep]:
    """A sweep on the tests' Ray into tmp_path / "sweep"."""

    def call(
        scenario: Path,
        *vary: str,
        seeds: str | None = None,
        settings: Sequence[str] = (),
        watching: WatchingSweep | None = None,
    ) -> WatchingSweep:
        watching = watching or WatchingSweep()
        run_sweep(open_sweep([scenario], settings, vary, seeds, tmp_path / "sweep"), ray_address, watching)
        return watching

    return call


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--vary", "method.rnk=1,2"], r"in the run with --vary method.rnk=1: --vary method.rnk=1: method.rnk: unk"),
        (["--vary", "method.name=fedit,legnd"], r"--vary method.name=legnd: method.name: given 'legnd' \(did you mean"),
        (["--vary", "method.name=legend,fedit", "--set", "method.rho=0.5"], r"method.name=fedit: .*method.rho: unk"),
        (["--vary", "method.rank=1,"], r"--vary method.rank=1,: an empty value"),
        (["--vary", "method.rank="], r"an empty value"),
        (["--vary", "method.rank"], r"expected KEY=A,B"),
        (["--vary", "=1,2"], r"expected KEY=A,B"),
        (["--vary", "method.rank=1,1"], r"--vary method.rank=1,1: 1 is given twice"),
        (["--vary", "training.optimiser.learning_rate=1e-3,0.001"], r"0.001 is given twice"),
        (["--vary", "method.rank=1,999"], r"--vary method.rank=999: method.rank: given 999; allowed: at most"),
        (["--vary", "method.rank={1"], r"not valid YAML"),
        (["--vary", "method.rank=1", "--vary", "method.rank=2"], r"--vary method.rank: given twice"),
        (["--vary", "method={name: fedit},{name: legend}", "--vary", "method.name=fedit"], r"are the same experiment"),
        (["--vary", "seed=1,2"], r"give seeds with --seeds"),
        (["--vary", "runtime.hosts=1,2"], r"no result depends on runtime"),
        (["--seeds", "1,x"], r"--seeds 1,x: given 'x'; allowed: integers"),
        (["--seeds", "1,-2"], r"given '-2'"),
        (["--seeds", "1.5"], r"given '1.5'"),
        (["--seeds", ""], r"given ''"),
        (["--seeds", "1,01"], r"1 is given twice"),
        (["--seeds", "9999999999999999999"], r"--seeds 9999999999999999999: seed: given"),
        ([], r"give --vary KEY=A,B or --seeds"),
    ],
)  # fmt: skip
def test_one_bad_word_ends_the_sweep_before_anything_is_written(words, message, plain: Path, fedray) -> None:
    folder = plain.parent / "sweep"
    result = fedray("sweep", plain, *words, "--run-dir", folder)
    assert result.code == 2
    assert re.search(message, result.err), result.err
    assert "Traceback" not in result.err
    assert not folder.exists()


# each is the run it would be alone


@pytest.mark.slow
def test_an_interrupted_sweep_goes_on_and_each_cell_is_the_run_it_would_be_alone(
    swept, run, small_scenario: Path, tmp_path: Path
) -> None:
    settings = ("training.rounds=2", "method.min_rank=1", "runtime.hosts=1")
    alone = run("method.rank=2", *settings, name="alone").result_digest
    first, second = "rank4-seed5", "rank2-seed5"

    def interrupt(record: RoundRecord) -> None:
        if watching.begun[-1] == second:
            raise KeyboardInterrupt

    watching = WatchingSweep(interrupt)
    with pytest.raises(RunInterruptedError, match=rf"^stopped in {second}; 1 of 2 runs .*--run-dir .*sweep$"):
        swept(small_scenario, "method.rank=4,2", settings=settings, watching=watching)
    assert watching.complete == [first]
    cell = RunDirectory(tmp_path / "sweep" / second)
    assert (cell.summary().status, cell.summary().rounds_completed) == ("stopped", 1)

    again = swept(small_scenario, "method.rank=4,2", settings=settings)
    assert again.begun == again.complete == [second]
    assert [record.round for record in again.before] == [1]
    assert [record.round for record in again.records] == [2]
    assert cell.summary().result_digest == alone  # although another run went before it on the same Ray
    assert RunDirectory(tmp_path / "sweep" / first).summary().result_digest != alone


# what is done again and what is not


def a_complete_cell(scenario: Path, folder: Path) -> RunDirectory:
    """What a sweep over method.rank leaves of a run of two rounds."""
    matrix = build_matrix([scenario], (), ["method.rank=1"], "1")
    experiment = prepare(matrix.cells[0].loaded)
    cell = RunDirectory(folder / matrix.cells[0].name)
    cell.create(experiment.loaded.to_yaml())
    checkpoint = Checkpoint(
        round=2,
        spec=experiment.build_method().adapter(),
        values=np.zeros(1, np.float32),
        heads=None,
        charge=experiment.fleet.first_state().charge,
        in_flight=None,
        method={},
        wall_seconds=1.0,
        peak_memory_bytes=1,
        fingerprint=experiment.fingerprint,
    )
    save_checkpoint(cell.checkpoint, checkpoint)
    cell.write_summary(summarise([], SummaryInputs(cell.run_id, "fedit", 4, 1.0, 1, "d", None), "completed"))
    SweepDirectory(folder).write(SweepRecord(2, {"method.rank": [1]}, [1], [cell.run_id]))
    return cell


def test_complete_cells_are_left_alone_and_values_may_be_added(swept, plain: Path, tmp_path: Path, monkeypatch) -> None:
    folder = tmp_path / "sweep"
    kept = [path for path in a_complete_cell(plain, folder).path.rglob("*") if path.is_file()]
    before = [path.stat().st_mtime_ns for path in kept]
    assert swept(plain, "method.rank=1,2", seeds="1").begun == ["rank2-seed1"]
    assert len(kept) == 4  # the scenario, the summary, and the checkpoint's two
    assert [path.stat().st_mtime_ns for path in kept] == before
    assert json.loads((folder / "sweep.json").read_text()) == {
        "schema_version": 2,
        "vary": {"method.rank": [1, 2]},
        "seeds": [1],
        "cells": ["rank1-seed1", "rank2-seed1"],
        "scenarios": [],
    }
    assert not list(folder.rglob(".*.tmp"))
    more = swept(plain, "method.rank=2", seeds="1", settings=["training.rounds=3"])
    assert [record.round for record in more.records] == [3]

    monkeypatch.setattr(sweep, "shared_session", None)  # what is complete needs no Ray
    again = swept(plain, "method.rank=1", seeds="1")
    assert again.begun == []
    assert [run.complete for run in again.opened_with.runs] == [True]


def test_a_record_keeps_what_earlier_calls_varied() -> None:
    first = SweepRecord(2, {"x": [1, 2]}, [1], ["x1", "x2"], ["a"])
    later = SweepRecord(2, {"x": [2, True]}, [2, 1], ["x2", "x-true"], ["b"])
    assert first.extended(later) == SweepRecord(2, {"x": [1, 2, True]}, [1, 2], ["x1", "x2", "x-true"], ["a", "b"])


def test_folders_of_something_else_are_refused_by_name(plain: Path, tmp_path: Path, fedray) -> None:
    folder = tmp_path / "sweep"
    cell = a_complete_cell(plain, folder)
    same = ("--vary", "method.rank=1", "--seeds", "1")
    assert fedray("sweep", plain, *same, "--run-dir", folder, "--quiet").code == 0

    def refused(*words: object, at: Path = folder) -> str:
        result = fedray("sweep", plain, *words, "--run-dir", at, "--quiet")
        assert (result.code, result.out, len(result.err.splitlines())) == (2, "", 1)
        return result.err

    other = refused(*same, "--set", "training.local_steps=9")
    assert f"{cell.path}: holds another experiment: training.local_steps differs" in other
    assert f"{cell.path}: training.rounds: this run has already compl" in refused(*same, "--set", "training.rounds=1")
    another = refused("--vary", "method.rank=2", "--seeds", "1", "--set", "training.local_steps=9")
    assert "training.local_steps: given 9; allowed: 4, as in the runs it holds, or another folder" in another
    assert "this sweep varies method.rank" in refused("--vary", "method.lora_alpha=1.0,2.0")
    assert "this sweep varies method.rank" in refused("--seeds", "1,2")
    assert "holds something that is no sweep" in refused(*same, at=cell.path)
    assert "not a writable folder" in refused(*same, at=plain / "x")
    (folder / "rank1-seed2").mkdir()
    (folder / "rank1-seed2" / "mine.txt").write_text("precious")
    assert "rank1-seed2: holds something that is no run" in refused("--vary", "method.rank=1", "--seeds", "2")
    state = next(cell.path.glob("checkpoint/*/state.json"))
    state.write_text(re.sub(r'"fingerprint": "[0-9a-f]+"', '"fingerprint": "0"', state.read_text()))
    assert f"{cell.path}: the data, the backbone or the boards are not those" in refused(*same)


@pytest.mark.slow
def test_a_cell_that_fails_is_said_and_the_others_go_on_in_the_same_session(
    swept, plain: Path, tmp_path: Path, monkeypatch
) -> None:
    folder, opened = tmp_path / "sweep", []

    def fill_the_disk(record: RoundRecord) -> None:
        """As good as: the checkpoint of round 2 cannot be written."""
        if watching.begun == ["seed1"] and record.round == 1:
            (folder / "seed1" / "checkpoint").rename(tmp_path / "moved")
            (folder / "seed1" / "checkpoint").write_text("in the way")

    def counting(address: str | None, methods: list[str]) -> object:
        opened.append(methods)
        return real(address, methods)

    real = driver.session
    monkeypatch.setattr(driver, "session", counting)
    watching = WatchingSweep(fill_the_disk)
    assert swept(plain, seeds="1,2", watching=watching).complete == ["seed2"]
    assert watching.begun == ["seed1", "seed2"]
    assert "--resume" in watching.failures["seed1"]
    assert RunDirectory(folder / "seed1").summary().status == "failed"
    assert [run.path.name for run in SweepDirectory(folder).completed()] == ["seed2"]
    assert opened == [["fedit", "fedit"]]


def test_a_cluster_too_small_for_one_cell_is_said_before_the_first(swept, plain: Path, tmp_path: Path) -> None:
    plain.write_text(PLAIN.replace("{hosts: 1}", "{devices_per_host: 1, cpus_per_host: 0.5}"))
    with pytest.raises(UserError, match=r"cpus_per_host: 8 hosts × 0.5 exceed the cluster's 3"):
        swept(plain, "fleet.groups.0.count=4,8")
    assert not (tmp_path / "sweep").exists()


# what a user sees


@pytest.mark.slow
def test_the_command_ends_with_a_comparison_and_1_if_a_run_failed(
    plain: Path, tmp_path: Path, ray_address: str, fedray, monkeypatch
) -> None:
    a_complete_cell(plain, tmp_path / "sweep")
    words = ("sweep", plain, "--vary", "method.rank=1,2", "--seeds", "1", "--run-dir", tmp_path / "sweep")

    def failing(*_: object) -> None:
        raise RunFailedError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(batch, "execute_on", failing)
        result = fedray(*words, "--address", ray_address, "--quiet", "--json")
    assert (result.code, result.err) == (1, "rank2-seed1 failed: the disk is full\n")
    assert [row["label"] for row in json.loads(result.out)["rows"]] == ["fedit rank=1"]

    result = fedray(*words, "--address", ray_address)
    assert result.code == 0
    lines = result.err.splitlines()
    assert lines[1] == f"a sweep of 2 runs, 1 complete already; results in {tmp_path / 'sweep'}"
    assert lines[3].startswith("2/2 rank2-seed1  round 1/2  emulated ")
    assert "\x1b" not in result.err
    assert set(re.findall(r"fedit rank=\d", result.out)) == {"fedit rank=1", "fedit rank=2"}
    assert fedray(*words, "--quiet") == Result(0, "", "")


def test_a_terminal_shows_every_run_in_a_table(plain: Path, tmp_path: Path) -> None:
    opened = open_sweep([plain], (), (), "1,2,3", tmp_path / "sweep")
    seen = io.StringIO()
    console = Console(file=seen, force_terminal=True, width=120, height=40, color_system=None)
    with SweepDisplay(console, quiet=False) as display:
        display.opened(opened)
        display.began(opened.runs[0])
        display.started(opened.runs[0].experiment, opened.runs[0].directory, driver.RunStart((), None))
        display.completed(RoundRecord(1, 90.0, 90.0, 1.0, 0.5, 1.0, 3000, 2000, 5.0, 4, 0, 0, 1, 1.0, 1.0))
        display.progressed(Progress(2, 3, 4, 0))
    table = seen.getvalue()
    for word in ("seed1", "training 3/4", "1/2", "0.500", "90.0 s", "5.0 kB", "seed3", "waiting", "0 of 3 runs"):
        assert word in table, table
    assert "round 1/2  accuracy" not in table  # lines are for files


def test_a_table_higher_than_the_terminal_shows_the_runs_around_the_current_one(plain: Path, tmp_path: Path) -> None:
    opened = open_sweep([plain], (), (), ",".join(map(str, range(1, 31))), tmp_path / "sweep")
    console = Console(file=io.StringIO(), width=120, height=14)
    display = SweepDisplay(console, quiet=True)
    display.opened(opened)
    for at, shown in ((0, range(1, 7)), (15, range(13, 19)), (29, range(25, 31))):
        display.began(opened.runs[at])
        console.file = io.StringIO()
        console.print(display.render())
        assert re.findall(r"seed(\d+) ", console.file.getvalue()) == [str(seed) for seed in shown]


@pytest.mark.slow
def test_ctrl_c_in_a_sweep_exits_130_and_the_same_command_goes_on(plain: Path, tmp_path: Path) -> None:
    """A real process, a real Ctrl-C, Ray's own embedded cluster."""
    folder = tmp_path / "sweep"
    plain.write_text(PLAIN.replace("rounds: 2", "rounds: 2000"))
    command = [sys.executable, "-m", "fedray", "sweep", str(plain), "--seeds", "1,2", "--run-dir", str(folder)]
    err = interrupt_after_a_round(command, folder / "seed1")
    assert "stopped in seed1; 0 of 2 runs are complete" in err.splitlines()[-1]
    assert f"--run-dir {folder}" in err
    done = RunDirectory(folder / "seed1").summary()
    assert done.status == "stopped"

    fewer = str(done.rounds_completed + 1)
    again = subprocess.run([*command, "--set", f"training.rounds={fewer}"], capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert f"going on after round {done.rounds_completed}" in again.stderr
    for seed in (1, 2):
        assert RunDirectory(folder / f"seed{seed}").summary().status == "completed"

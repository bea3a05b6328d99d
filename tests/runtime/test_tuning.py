"""Tuning: equal trials for every method, a choice that can be gone on with, scenarios that a sweep reads unchanged."""

import io
import json
import re
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from math import log10
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
import yaml
from rich.console import Console

from fedray.display import TuningDisplay, tuning_notes
from fedray.errors import RunFailedError, RunInterruptedError, UserError
from fedray.experiment.experiment import Experiment
from fedray.experiment.halving import Rung, Score
from fedray.results import RoundRecord, RunDirectory, Summary, SummaryInputs, summarise
from fedray.results.tuning_record import TuningRecord
from fedray.runtime import batch, tuning
from fedray.runtime.batch import SweptRun
from fedray.runtime.checkpoint import Checkpoint, save_checkpoint
from fedray.runtime.driver import RunCallback
from fedray.runtime.tuning import Tuning, run_tuning
from fedray.runtime.tuning_plan import LEARNING_RATE, TuningRequest, open_tuning
from fedray.scenario import load_scenario
from tests.conftest import Result
from tests.ray_session import Watching

BEST = {"fedit": 1e-2, "legend": 1e-3}  # learning rates at which the stand-in scores best


@dataclass
class WatchingTuning(Watching):
    """Records which runs began, to which rung."""

    begun: list[tuple[str, int]] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    rung: Rung | None = None

    def opened(self, tuning: Tuning) -> None: ...

    def climbed(self, method: str, rung: Rung, runs: Sequence[SweptRun]) -> None:
        self.rung = rung

    def began(self, run: SweptRun) -> None:
        self.begun.append((run.name, self.rung.rounds))

    def ended(self, run: SweptRun, summary: Summary) -> None: ...

    def failed(self, run: SweptRun, reason: str) -> None:
        self.failures[run.name] = reason

    def judged(self, run: SweptRun, judged: Score) -> None: ...


def stand_in(
    cluster: object, experiment: Experiment, directory: RunDirectory, watcher: RunCallback, resume: bool, until: int
) -> Summary:
    """Leaves what a run leaves: rounds whose score is higher the nearer the learning rate is to the method's best."""
    scenario = experiment.scenario
    rate = scenario.training.optimiser.learning_rate
    if rate > 1:
        raise RunFailedError("the disk is full\nmore about it")
    if not resume:
        directory.create(experiment.loaded.to_yaml())
    first = len(directory.rounds()) if resume else 0
    for number in range(first + 1, until + 1):
        value = 0.9 - abs(log10(rate / BEST[scenario.method["name"]])) / 10 - 1 / (100 * number)
        record = RoundRecord(number, 1.0, 1.0, 0.0, value, 1.0, 0, 0, 0.0, 6, 0, 0, 1, 1.0, 1.0, score=value)
        directory.append_round(record)
        watcher.completed(record)
    checkpoint = Checkpoint(
        round=until,
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
    save_checkpoint(directory.checkpoint, checkpoint)
    inputs = SummaryInputs(directory.run_id, "fedit", 6, 1.0, 1, "d", None)
    summary = summarise(directory.rounds(), inputs, "completed" if until == scenario.training.rounds else "stopped")
    directory.write_summary(summary)
    return summary


@pytest.fixture
def validated(small_scenario: Path, tmp_path: Path) -> Path:
    """The small scenario with a comment, validation examples and eight rounds."""
    path = small_scenario.with_name(f"{tmp_path.name}.yaml")
    text = small_scenario.read_text().replace("  max_length: 32", "  max_length: 32\n  validation: {share: 0.1}")
    path.write_text(text.replace("rounds: 3", "rounds: 8") + "# a comment\n")
    return path


@pytest.fixture
def tuned(validated: Path, tmp_path: Path, monkeypatch) -> Callable[..., tuple[TuningRecord, WatchingTuning]]:
    """A tuning whose runs are stood in for, into tmp_path / "tune"."""
    monkeypatch.setattr(batch, "execute_on", stand_in)
    monkeypatch.setattr(tuning, "shared_session", lambda address, scenarios: nullcontext())
    monkeypatch.setattr(tuning, "share_of", lambda experiment, cluster: None)

    def call(
        *grid: str, watching: WatchingTuning | None = None, **words: object
    ) -> tuple[TuningRecord, WatchingTuning]:
        watching = watching or WatchingTuning()
        request = TuningRequest(validated, grid=grid, run_dir=tmp_path / "tune", **words)
        return run_tuning(open_tuning(request), None, watching), watching

    return call


def test_every_method_gets_the_same_trials_and_its_own_best_value(tuned, tmp_path: Path) -> None:
    record, watching = tuned(f"{LEARNING_RATE}=1e-4,1e-3,1e-2,1e-1", methods="fedit,legend", seeds="11,12")
    assert [(rung.rounds, rung.trials) for rung in record.rungs] == [(2, 4), (4, 2)]  # half of 8 rounds
    for method, best in zip(record.methods, (1e-2, 1e-3), strict=True):
        assert [trial.values[LEARNING_RATE] for trial in method.trials] == [1e-4, 1e-3, 1e-2, 1e-1]
        assert sorted(len(trial.scores) for trial in method.trials) == [1, 1, 2, 2]
        assert method.chosen == {LEARNING_RATE: best}
        assert method.score == pytest.approx(0.9 - (1 / 300 + 1 / 400) / 2)
        assert method.edges == {}
    begun = [name for name, _ in watching.begun]
    assert [sum(name.startswith(method) for name in begun) for method in BEST] == [12, 12]
    assert ("fedit-learning_rate0.01-seed11", 2) in watching.begun
    assert ("fedit-learning_rate0.01-seed12", 4) in watching.begun
    assert json.loads((tmp_path / "tune" / "tune.json").read_text()) == json.loads(json.dumps(record.as_json()))


def test_a_tuned_scenario_differs_only_in_the_tuned_keys(tuned, validated: Path, tmp_path: Path) -> None:
    tuned(f"{LEARNING_RATE}=1e-3,1e-2,1e-1", "method.rank=4,8", output=tmp_path / "mine.yaml", settings=("seed=6",))
    before = load_scenario(validated, ["seed=6"])
    after = load_scenario(tmp_path / "mine.yaml")
    assert after.scenario.training.optimiser.learning_rate == 1e-3
    assert after.scenario.method == {"name": "legend", "rank": 4}  # equal scores: the first of the grid
    assert after.scenario.tuning.model_dump(exclude={"score"}) == {
        "keys": (LEARNING_RATE, "method.rank"),
        "seeds": (1006,),
        "rounds": 4,
    }
    changed = {"training": {"optimiser": {"learning_rate": True}}, "tuning": True}
    assert after.scenario.model_dump(exclude=changed) == before.scenario.model_dump(exclude=changed)
    written = yaml.safe_load((tmp_path / "mine.yaml").read_text())
    assert written.keys() == {*yaml.safe_load(validated.read_text()), "tuning"}  # no default is written out
    assert "its comments are not kept" in (tmp_path / "mine.yaml").read_text()
    with pytest.raises(UserError, match=r"--set seed=1006: seed: given 1006; allowed: any but 1006"):
        load_scenario(tmp_path / "mine.yaml", ["seed=1006"])


def test_an_interrupted_tuning_goes_on_to_the_same_choice_and_no_run_is_done_twice(tuned, tmp_path: Path) -> None:
    words = {"methods": "fedit,legend", "seeds": "11"}

    def interrupt(record: RoundRecord) -> None:
        if watching.begun[-1] == ("fedit-learning_rate0.01-seed11", 4):
            raise KeyboardInterrupt

    watching = WatchingTuning(interrupt)
    grid = f"{LEARNING_RATE}=1e-3,1e-2,1e-1,3e-1"
    with pytest.raises(RunInterruptedError, match=r"^stopped in fedit-learning_rate0.01-seed11; 5 of 12 runs .*tune$"):
        tuned(grid, watching=watching, **words)
    record, again = tuned(grid, **words)
    assert again.begun[0] == ("fedit-learning_rate0.01-seed11", 4)
    assert len(again.begun) == 1 + 6
    assert [method.chosen[LEARNING_RATE] for method in record.methods] == [1e-2, 1e-3]
    third, nothing = tuned(grid, **words)
    assert nothing.begun == []
    assert third == record


def test_a_failed_run_costs_its_trial_and_is_named(tuned, fedray) -> None:
    record, watching = tuned(f"{LEARNING_RATE}=1e-3,1e-2,10.0", seeds="11")
    (method,) = record.methods
    assert method.trials[2].scores == [None]
    assert method.trials[2].failure == "legend-learning_rate10.0-seed11 failed: the disk is full"
    assert method.chosen == {LEARNING_RATE: 1e-3}
    assert method.edges == {LEARNING_RATE: "smallest"}
    notes = list(tuning_notes(record))
    assert notes[0].startswith(f"warning: legend: {LEARNING_RATE} 0.001 is the smallest of the grid")
    assert notes[-1] == f"compare with other seeds: fedray sweep {method.scenario} --seeds 1,2,3"
    assert len(watching.failures) == 1


def test_without_a_score_nothing_is_chosen_or_written(tuned, tmp_path: Path) -> None:
    record, _ = tuned(f"{LEARNING_RATE}=10.0,20.0")
    assert record.methods[0].chosen is None
    assert not (tmp_path / "tune" / "tuned").exists()
    assert list(tuning_notes(record)) == ["legend: no trial has a score"]


def test_a_budget_draws_the_same_points_for_every_method(tuned) -> None:
    record, _ = tuned(f"{LEARNING_RATE}=1e-4,1e-3,1e-2", "training.local_steps=1,2,4", methods="fedit,legend", budget=4)
    first, second = ([trial.values for trial in method.trials] for method in record.methods)
    assert first == second
    assert len({repr(values) for values in first}) == 4


def test_no_target_ends_a_trial_early_and_the_tuned_scenario_keeps_it(validated: Path, tmp_path: Path) -> None:
    request = TuningRequest(validated, settings=("training.stop.target=0.4",), run_dir=tmp_path / "tune")
    trial = open_tuning(request).methods[0].trials[0]
    assert trial.runs[0].experiment.scenario.training.stop.target is None
    assert trial.scenario.data["training"]["stop"] == {"target": 0.4}


def test_a_tuning_of_other_words_needs_another_folder(tuned, tmp_path: Path) -> None:
    grid = f"{LEARNING_RATE}=1e-3,1e-2"
    tuned(grid)
    for words, option in (
        ({"seeds": "11"}, "--seeds"),
        ({"rounds": 3}, "--rounds"),
        ({"eta": 3}, "--eta"),
        ({"methods": "fedit"}, "--methods"),
        ({"budget": 1}, "--grid or --budget"),
    ):
        with pytest.raises(UserError, match=f"tune: this tuning has another {option}; give another folder"):
            tuned(grid, **words)
    with pytest.raises(UserError, match=r"holds another experiment: training\.local_steps differs"):
        tuned(grid, settings=("training.local_steps=3",))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "task.validation=null"], r"task.validation: given null; allowed: {share: 0.1}, or a file or a s"),
        (["--grid", "training.rounds=1,2"], r"--grid training.rounds: .*allowed: keys below method, training, top"),
        (["--grid", "training.stop.target=0.5"], r"--grid training.stop.target: given"),
        (["--grid", "task.partition.alpha=0.1"], r"--grid task.partition.alpha: given"),
        (["--grid", "method.name=fedit"], r"methods are given with --methods"),
        (["--grid", "seed=1,2"], r"--grid seed=1,2: give seeds with --seeds"),
        (["--grid", "method.rnk=1,2"], r"in the run with .*--grid method.rnk=1: method.rnk: unknown key \(did"),
        (["--grid", "method.rank=1,x"], r"--grid method.rank=x: method.rank: given 'x'"),
        (["--grid", "method.rank=1", "--grid", "method.rank=2"], r"--grid method.rank: given twice"),
        (["--grid", ",".join(["method.rank=1", *map(str, range(2, 10_002))])], r"more than 10,000 points"),
        (["--methods", "fedit,legnd"], r"--methods legnd: method.name: given 'legnd' \(did you mean 'legend'"),
        (["--methods", "fedit,fedit"], r"--methods fedit,fedit: fedit is given twice"),
        (["--methods", "fedit,7"], r"--methods fedit,7: given 7; allowed: names and mappings"),
        (["--seeds", "5"], r"--seeds 5: given 5; allowed: seeds that no comparison uses"),
        (["--seeds", "x"], r"--seeds x: given 'x'; allowed: integers"),
        (["--rounds", "0"], r"Invalid value for '--rounds'"),
        (["--budget", "0"], r"Invalid value for '--budget'"),
        (["--methods", "fedit,legend", "-o", "x.yaml"], r"-o x.yaml: given a file for 2 methods; allowed: a folder"),
        (["-o", "{scenario}"], r"the file exists and is not from `fedray tune`; allowed: another name"),
    ],
)  # fmt: skip
def test_a_wrong_word_is_one_line_and_nothing_is_written(words, message, validated: Path, tmp_path, fedray) -> None:
    folder = tmp_path / "tune"
    words = [word.replace("{scenario}", str(validated)) if word == "{scenario}" else word for word in words]
    result = fedray("tune", validated, *words, "--run-dir", folder, "--quiet")
    assert (result.code, result.out, len(result.err.splitlines())) == (2, "", 1), result.err
    assert re.search(message, result.err), result.err
    assert not folder.exists()


def test_the_command_prints_what_tune_json_says(tuned, validated: Path, tmp_path: Path, fedray) -> None:
    words = ("tune", validated, "--grid", f"{LEARNING_RATE}=1e-3,1e-2", "--run-dir", tmp_path / "tune")
    result = fedray(*words, "--json")
    assert result.code == 0
    assert json.loads(result.out) == json.loads((tmp_path / "tune" / "tune.json").read_text())
    shown = fedray(*words)
    assert re.search(r"│ 0.001 +│ +0.\d+ │ chosen │", shown.out), shown.out
    assert "trials of each: 2 for 4 rounds" in shown.err
    assert fedray(*words, "--quiet") == Result(0, "", "")


def test_a_terminal_shows_every_trial_and_which_were_dropped(validated: Path, tmp_path: Path) -> None:
    opened = open_tuning(TuningRequest(validated, grid=[f"{LEARNING_RATE}=1e-3,1e-2,1e-1"], run_dir=tmp_path / "t"))
    seen = io.StringIO()
    console = Console(file=seen, force_terminal=True, width=140, height=40, color_system=None)
    first, second = opened.rungs
    with TuningDisplay(console, quiet=False) as display:
        display.opened(opened)
        display.climbed("legend", first, opened.runs)
        for run in opened.runs:
            display.began(run)
            display.completed(RoundRecord(1, 9.0, 9.0, 1.0, 0.1, 1.0, 0, 0, 0.0, 6, 0, 0, 1, 1.0, 1.0, score=0.5))
            display.completed(RoundRecord(2, 9.0, 9.0, 1.0, 0.1, 1.0, 0, 0, 0.0, 6, 0, 0, 1, 1.0, 1.0, score=0.6))
            display.rows[run.name].status = "complete"
            display.judged(run, Score(0.6))
        display.climbed("legend", second, opened.runs[:2])
    table = seen.getvalue()
    for word in ("validation", "0.600", "2/4", "dropped", "waiting", "learning_rate0.1-seed1005"):
        assert word in table, table


@pytest.mark.slow
def test_a_real_tuning_is_resumed_between_rungs_and_chooses_a_rate_that_learns(
    validated: Path, tmp_path: Path, ray_address: str, fedray
) -> None:
    words = ("tune", validated, "--grid", f"{LEARNING_RATE}=1e-6,1e-2,1e9", "--rounds", "2", "--set", "runtime.hosts=1")
    result = fedray(*words, "--run-dir", tmp_path / "tune", "-o", tmp_path / "t.yaml", "--address", ray_address)
    assert result.code == 0, result.err
    assert "going on after round 1" in result.err
    record = json.loads((tmp_path / "tune" / "tune.json").read_text())
    assert [(rung["rounds"], rung["trials"]) for rung in record["rungs"]] == [(1, 3), (2, 2)]
    (method,) = record["methods"]
    assert "diverged" in method["trials"][2]["failure"]
    run = RunDirectory(tmp_path / "tune" / "legend-learning_rate0.01-seed1005")
    assert (run.summary().status, run.summary().scored_on) == ("completed", "validation")
    assert method["trials"][1]["scores"][-1] == fmean(record.score for record in run.rounds())
    assert load_scenario(tmp_path / "t.yaml").scenario.tuning.seeds == (1005,)

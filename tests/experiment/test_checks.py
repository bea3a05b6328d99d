"""What a valid scenario is warned about, and the data behind it."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from fedray.experiment.checks import warnings_of
from fedray.experiment.experiment import Experiment, prepare
from fedray.experiment.resume import open_run
from fedray.results import RunDirectory
from fedray.runtime.sweep import open_sweep
from fedray.scenario import load_scenario
from tests.ray_session import write_board

pytestmark = pytest.mark.model

AUTO = "task.max_length=auto"


def experiment(path: Path, *settings: str) -> Experiment:
    return prepare(load_scenario(path, settings))


def warned(path: Path, *settings: str) -> dict[str, str]:
    return {warning.key: warning.message for warning in warnings_of(experiment(path, *settings))}


@pytest.fixture
def texts(tmp_path: Path, two_layers: Path) -> Path:
    """40 short texts, three of four of them `no`, on six boards; the test set has half of each."""
    train = [{"text": f"a cat {'on a mat ' * (number % 3)}", "label": number % 4 == 0} for number in range(40)]
    for name, rows in (("train", train), ("test", [{"text": "a dog", "label": bool(n % 2)} for n in range(8)])):
        words = [{**row, "label": "yes" if row["label"] else "no"} for row in rows]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in words))
    path = tmp_path / "scenario.yaml"
    path.write_text(
        f"schema_version: 1\nmodel: {{backbone: {two_layers}}}\ntraining: {{rounds: 2, local_steps: 2}}\n"
        "task:\n  dataset: {kind: files, train: train.jsonl, test: test.jsonl}\n"
        "  partition: {kind: iid}\n  validation: null\n"
        "fleet: {groups: [{profile: jetson-tx2, count: 6}]}\nmethod: {name: fedit, rank: 2}\n"
    )
    return path


def test_a_scenario_with_nothing_odd_is_not_warned_about(texts) -> None:
    assert warned(texts) == {}


def test_devices_out_of_memory_are_counted(texts, tmp_path: Path) -> None:
    said = warned(texts, "training.batch_size=100000")["training.batch_size"]
    assert said.startswith("all 6 devices of round 1 run out of memory (jetson-tx2)")
    boards = tmp_path / "boards"
    boards.mkdir()
    write_board(boards, "tiny", 0.01)
    groups = "fleet.groups=[{profile: jetson-tx2, count: 4}, {profile: tiny, count: 2}]"
    said = warned(texts, f"fleet.catalogue={boards}", groups)["training.batch_size"]
    assert said.startswith("2 of 6 devices of round 1 run out of memory (tiny)")


def test_a_target_that_a_constant_answer_reaches_is_pointed_out(texts) -> None:
    said = warned(texts, "training.stop.target=0.5")["training.stop.target"]
    assert said == "0.5 is not above 0.500, the accuracy of always answering 'no'"
    assert "training.stop.target" not in warned(texts, "training.stop.target=0.51")


def test_steps_priced_beside_steps_trained(texts) -> None:
    twin = "costs.twin={backbone: bert-base, local_steps: %d}"
    assert warned(texts, twin % 2) == {}
    assert warned(texts, twin % 20)["costs.twin.local_steps"].startswith("2 steps trained / 20 steps priced a round")


def test_what_becomes_of_small_shards_is_said_and_copies_do_not_count(texts) -> None:
    """40 examples on 6 boards by 1/21 … 6/21: 1, 3, 5, 7, 9, and what is left."""
    skewed = ("task.partition={kind: size-skewed}", "task.min_examples=6")
    said = warned(texts, *skewed)
    assert said["task.partition"] == "3 of 6 devices never take part: 3 have fewer than 6"
    topped = experiment(texts, *skewed, "task.too_few=top-up")
    assert sorted(topped.examples.tolist()) == [1, 3, 5, 7, 9, 15]
    assert sorted(len(shard) for shard in topped.data.shards) == [6, 6, 6, 7, 9, 15]
    assert (topped.label_histograms.sum(axis=1) == topped.examples).all()
    (warning,) = warnings_of(topped)
    assert str(warning).startswith("task.too_few: 3 devices also train on 9 copies of others' examples")


def test_a_fixed_length_that_cuts_is_pointed_out_and_auto_does_not_cut(texts) -> None:
    rows = [{"text": "a mat " * (30 if number % 2 else 1), "label": str(number % 2)} for number in range(40)]
    (texts.parent / "train.jsonl").write_text("".join(json.dumps({**row}) + "\n" for row in rows))
    (texts.parent / "test.jsonl").write_text("".join(json.dumps({**row}) + "\n" for row in rows[:4]))
    said = warned(texts, "task.max_length=16")["task.max_length"]
    assert said.startswith("16 tokens cut 50% of the training and 50% of the test texts")
    found = experiment(texts, AUTO)
    assert found.scenario.task.max_length == 64  # 62 tokens, two of them special
    assert found.pricing.sequence_length == 64
    assert warnings_of(found) == ()


def test_a_run_says_which_length_was_chosen_and_resumes_with_it(texts, tmp_path: Path) -> None:
    found = experiment(texts)
    run = RunDirectory(tmp_path / "run")
    run.create(found.loaded.to_yaml())
    assert yaml.safe_load(run.scenario.read_text())["task"]["max_length"] == 16
    for given in (None, texts):
        loaded, _ = open_run(given, [], None, run.path)
        assert loaded.scenario.task.max_length == 16
        assert prepare(loaded).fingerprint == found.fingerprint


def test_a_sweep_whose_cells_choose_their_own_length_goes_on(texts, tmp_path: Path) -> None:
    other = [{"text": "a mat " * 30, "label": str(number % 2)} for number in range(40)]
    (texts.parent / "other.jsonl").write_text("".join(json.dumps(row) + "\n" for row in other))
    (texts.parent / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in other))
    (texts.parent / "train.jsonl").write_text("".join(json.dumps({**row, "text": "a"}) + "\n" for row in other))
    words = ["task.dataset.train=train.jsonl,other.jsonl"]
    sweep = open_sweep([texts], [f"task.dataset.data_dir={texts.parent}"], words, None, tmp_path / "sweep")
    assert [run.experiment.scenario.task.max_length for run in sweep.runs] == [16, 64]
    sweep.directory.path.mkdir()
    sweep.directory.write(sweep.record)
    for run in sweep.runs:
        run.directory.create(run.experiment.loaded.to_yaml())
    again = open_sweep([texts], [f"task.dataset.data_dir={texts.parent}"], words, None, tmp_path / "sweep")
    assert [run.begun for run in again.runs] == [True, True]


def test_a_task_without_data_has_a_length_and_no_report(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    path.write_text("schema_version: 1\ntask: none\nfleet: {groups: [{profile: jetson-tx2, count: 2}]}\n")
    found = experiment(path)
    assert (found.scenario.task.max_length, found.data) == (64, None)
    assert warnings_of(found) == ()


def test_validate_prints_the_data_and_the_warnings(texts, fedray) -> None:
    skewed = ("--set", "task.partition={kind: size-skewed}", "--set", "task.min_examples=6")
    page = fedray("validate", texts, *skewed)
    assert page.code == 0
    for words in ("31 of 40 training examples used, 9 dropped", "warning: task.partition: 9 of 40", "no ", "75.0%"):
        assert words in page.out
    found = json.loads(fedray("validate", texts, *skewed, "--json").out)
    assert set(found) == {"scenario", "data", "warnings"}
    assert found["scenario"]["task"]["max_length"] == 16
    assert found["data"]["examples"]["dropped"] == 9
    assert [warning["key"] for warning in found["warnings"]] == ["task.partition", "task.partition"]


def test_a_large_fleet_holds_data_with_replacement(texts) -> None:
    found = experiment(
        texts,
        "fleet.groups=[{profile: jetson-tx2, count: 500}]",
        "task.partition={kind: dirichlet, alpha: 0.1, examples_per_device: 8}",
    )
    assert (found.examples == 8).all()
    assert (np.count_nonzero(found.label_histograms, axis=1) == 1).mean() > 0.5
    counts = found.data.report.examples
    assert counts.mean_uses == pytest.approx(500 * 8 / counts.used)


def test_real_pairs_are_cut_by_five_per_cent_at_most(shared: Path, two_layers: Path, tmp_path: Path) -> None:
    path = tmp_path / "qnli.yaml"
    path.write_text(
        f"schema_version: 1\nseed: 1\nmodel: {{backbone: {two_layers}}}\ntask:\n  dataset: {{kind: files, data_dir: "
        f"{shared / 'text' / 'qnli'}, train: train.jsonl.gz, test: test.jsonl.gz, text_pair: text2}}\n"
        "  partition: {kind: dirichlet, alpha: 0.1}\n"
    )
    report = experiment(path).data.report
    assert report.texts.train_cut_share <= 0.05
    assert report.texts.max_length % 16 == 0
    assert report.examples.copied == 0
    assert report.devices.without_examples == report.devices.sitting_out > 10

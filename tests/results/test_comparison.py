"""Runs side by side: seeds as one row, targets, ratios, names, and what must not be compared unsaid."""

import json
from collections.abc import Callable
from pathlib import Path
from statistics import stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedray.errors import UserError
from fedray.results import (
    RoundRecord,
    RunDirectory,
    Status,
    SweepDirectory,
    SweepRecord,
    Tally,
    compare,
    expand,
    summarise,
)
from fedray.results.comparison import statistic

Run = Callable[..., RunDirectory]
FEDIT = "method: {name: fedit, rank: 8}"
LEGEND = "method: {name: legend, rank: 8, rho: 0.5}"


@pytest.fixture
def a_run(tmp_path: Path) -> Run:
    """A run whose rounds are `seconds` long, send 100 bytes up and 50 down, and end at these accuracies."""

    def make(
        name: str,
        *accuracies: float | None,
        seconds: float = 10.0,
        seed: int = 1,
        scenario: str = FEDIT,
        status: Status = "completed",
        twin: str | None = None,
    ) -> RunDirectory:
        directory = RunDirectory(tmp_path / name)
        directory.create(f"schema_version: 1\nname: {name}\nseed: {seed}\n{scenario}\n")
        rounds = [
            RoundRecord(number, seconds * number, seconds, 2.0, accuracy, 1.0, 100, 50, 5.0, 8, 0, 0, 1, 3.0, 8.0)
            for number, accuracy in enumerate(accuracies, 1)
        ]
        for record in rounds:
            directory.append_round(record)
        method = "legend" if "legend" in scenario else "fedit"
        tally = Tally(name, method, 8, 12.5, 1000, "abc", None, twin)
        directory.write_summary(summarise(rounds, tally, status))
        return directory

    return make


@pytest.fixture
def four(a_run: Run) -> list[RunDirectory]:
    """Two methods under two seeds; fedit reaches 0.7 in 30 and 40 s, legend in 10 and 8 s."""
    return [
        a_run("a", 0.5, 0.6, 0.7, seed=1),
        a_run("b", 0.4, 0.7, 0.8, seconds=20.0, seed=2),
        a_run("c", 0.7, 0.9, seconds=10.0, seed=1, scenario=LEGEND),
        a_run("d", 0.6, 0.8, seconds=4.0, seed=2, scenario=LEGEND),
    ]


def test_runs_that_differ_in_their_seed_are_one_row_by_hand(four) -> None:
    comparison = compare(four)
    assert comparison.target_accuracy == 0.7  # the highest that every run reached
    fedit, legend = comparison.rows
    assert (fedit.label, legend.label, comparison.baseline) == ("fedit", "legend", "fedit")
    assert [run.seed for run in fedit.runs] == [1, 2]
    assert fedit.final_accuracy.mean == pytest.approx(0.75)
    assert fedit.final_accuracy.std == pytest.approx(0.1 / 2**0.5)  # of 0.7 and 0.8
    assert (fedit.emulated_seconds.mean, fedit.emulated_seconds.std) == (45.0, pytest.approx(30 / 2**0.5))
    assert (fedit.rounds_completed.mean, legend.rounds_completed.mean) == (3, 2)
    assert (legend.bytes_up.mean, legend.bytes_down.mean, legend.energy_joules.mean) == (200, 100, 10)
    assert [run.target.emulated_seconds for run in comparison.runs] == [30, 40, 10, 8]
    assert (legend.target_seconds.mean, legend.target_seconds.std) == (9.0, pytest.approx(2**0.5))
    assert (fedit.target_bytes.mean, fedit.target_round.mean) == (375.0, 2.5)  # 3 and 2 rounds of 150 bytes
    assert legend.target_bytes.mean == 225.0


def test_ratios_pair_equal_seeds_by_hand(four) -> None:
    fedit, legend = compare(four).rows
    assert [run.speed_up for run in legend.runs] == [30 / 10, 40 / 8]
    assert (legend.speed_up.mean, legend.speed_up.std, legend.speed_up.n) == (4.0, pytest.approx(2**0.5), 2)
    assert [run.bytes_ratio for run in legend.runs] == [1 / 3, 2 / 2]
    assert (fedit.speed_up.mean, fedit.speed_up.std) == (1.0, 0.0)
    turned, base = compare(four, baseline="legend").rows
    assert [run.speed_up for run in turned.runs] == [10 / 30, 8 / 40]
    assert base.speed_up.mean == 1.0


def test_a_run_that_missed_the_target_is_left_out_and_counted(four, a_run: Run) -> None:
    third = [a_run("e", 0.75, seed=3), a_run("f", 0.3, seconds=1.0, seed=3, scenario=LEGEND)]
    fedit, legend = compare([*four, *third], target=0.7).rows
    assert (fedit.target_seconds.n, legend.target_seconds.n) == (3, 2)
    assert legend.target_seconds.mean == 9.0  # as without the third, which ended after one second
    assert (legend.speed_up.n, legend.speed_up.mean, legend.runs[2].speed_up) == (2, 4.0, None)
    assert legend.final_accuracy.n == 3
    assert compare([*four, *third]).target_accuracy == 0.3


def test_a_seed_that_the_baseline_lacks_has_no_ratio(four, a_run: Run) -> None:
    other = a_run("e", 0.9, seed=9, scenario=LEGEND)
    _, legend = compare([*four, other]).rows
    assert [run.speed_up is None for run in legend.runs] == [False, False, True]
    assert legend.target_seconds.n == 3


def test_the_target_of_a_row_is_its_final_accuracy_by_seed(four, a_run: Run) -> None:
    comparison = compare([*four, a_run("e", 0.99, seed=3, scenario=LEGEND)], target_of="fedit")
    fedit, legend = comparison.rows
    assert (comparison.target_accuracy, comparison.target_of) == (None, "fedit")
    assert [run.target_accuracy for run in legend.runs] == [0.7, 0.8, None]
    assert [run.target and run.target.emulated_seconds for run in legend.runs] == [10.0, 8.0, None]
    assert [run.target.emulated_seconds for run in fedit.runs] == [30.0, 60.0]  # its own end at the latest
    assert (legend.speed_up.mean, legend.speed_up.n) == ((30 / 10 + 60 / 8) / 2, 2)


def test_labels_say_what_differs_and_nothing_else(a_run: Run) -> None:
    runs = [
        a_run("a", 0.5),
        a_run("b", 0.5, scenario="method: {name: fedit, rank: 16}"),
        a_run("c", 0.5, scenario="method: {name: fedit}"),
        a_run("d", 0.5, scenario=LEGEND),
        a_run("e", 0.5, scenario=f"{LEGEND}\ntraining: {{local_steps: 2}}"),
    ]
    assert [row.label for row in compare(runs[:2]).rows] == ["fedit rank=8", "fedit rank=16"]
    assert [row.label for row in compare([runs[0], runs[2]]).rows] == ["fedit rank=8", "fedit"]
    assert [row.label for row in compare([runs[0], runs[3]]).rows] == ["fedit", "legend"]  # rho is legend's own
    assert [row.label for row in compare([runs[1], runs[3]]).rows] == ["fedit rank=16", "legend rank=8"]
    assert [row.label for row in compare(runs[3:]).rows] == [
        "legend training.local_steps=4",
        "legend training.local_steps=2",
    ]


def test_what_changes_no_result_separates_no_rows(a_run: Run) -> None:
    spread = "runtime: {hosts: 2}\ntelemetry: {prometheus_port: 0}"
    (row,) = compare([a_run("a", 0.5, seed=1), a_run("b", 0.6, seed=2, scenario=f"{FEDIT}\n{spread}")]).rows
    assert (row.label, len(row.runs)) == ("fedit", 2)


def test_two_runs_with_one_seed_are_no_sample_of_two(a_run: Run) -> None:
    runs = [a_run("slow", 0.4, 0.7), a_run("fast", 0.5, 0.75, seconds=4.0)]
    first, second = compare(runs).rows
    assert (first.label, second.label) == (f"fedit {runs[0].path}", f"fedit {runs[1].path}")
    assert (second.speed_up.mean, second.speed_up.std, second.speed_up.n) == (20 / 8, None, 1)


def test_a_directory_given_twice_counts_once(four, tmp_path: Path) -> None:
    again = RunDirectory(tmp_path / "x" / ".." / "a")
    (tmp_path / "x").mkdir()
    assert compare([four[0], four[0], *four]) == compare([*four, four[0]]) == compare(four)
    assert len(compare([four[0], again]).runs) == 1


def test_what_most_rows_say_is_no_part_of_a_name(four, a_run: Run) -> None:
    faulty = FEDIT + "\nfleet: {faults: {dropout: 0.2}}"
    rows = compare([*four, a_run("faulty", 0.9, scenario=faulty)]).rows
    assert [row.label for row in rows] == ["fedit", "legend", "fedit fleet.faults.dropout=0.2"]


def test_rows_are_named_by_label_method_or_run(four, a_run: Run) -> None:
    wide = a_run("wide", 0.9, scenario="method: {name: fedit, rank: 16}")
    wider = a_run("wider", 0.9, scenario="method: {name: fedit, rank: 24}")
    runs = [*four, wide, wider]
    assert compare(runs, baseline="legend").baseline == "legend rank=8"
    assert compare(runs, baseline="fedit rank=16").baseline == "fedit rank=16"
    assert compare(runs, baseline="wide").baseline == "fedit rank=16"
    with pytest.raises(UserError, match=r"--baseline: given 'fedit'; allowed: fedit rank=8 \| legend rank=8 \| fedit"):
        compare(runs, baseline="fedit")
    with pytest.raises(UserError, match="--target-of: given 'nobody'"):
        compare(runs, target_of="nobody")


def test_stopped_runs_and_runs_without_accuracy_are_compared_too(a_run: Run, fedray) -> None:
    runs = [a_run("a", None, status="stopped"), a_run("b", status="failed", scenario=LEGEND)]
    comparison = compare(runs)
    assert comparison.target_accuracy is None
    assert [row.speed_up.n for row in comparison.rows] == [0, 0]
    assert [run.target for run in comparison.runs] == [None, None]
    assert compare([*runs, a_run("c", 0.5, seed=2)]).target_accuracy is None  # not every run reached it
    text = fedray("compare", *[run.path for run in runs]).out
    assert "fedit (stopped)" in text
    assert "legend (failed)" in text


@pytest.mark.parametrize(
    ("scenario", "twin", "named"),
    [
        (f"{FEDIT}\ntask: {{max_length: 32}}", None, "task"),
        (f"{FEDIT}\nmodel: {{head: local}}", None, "model"),
        (f"{FEDIT}\nfleet: {{groups: [{{profile: jetson-tx2, count: 3}}]}}\ntask: none", None, "task, fleet"),
        (FEDIT, "roberta-base", "twin"),
    ],
)
def test_runs_of_different_settings_are_compared_with_a_warning(scenario, twin, named, a_run: Run, fedray) -> None:
    runs = [a_run("a", 0.5), a_run("b", 0.6, scenario=scenario, twin=twin)]
    result = fedray("compare", *[run.path for run in runs], "--json")
    assert result.code == 0
    assert result.err.splitlines() == [
        f"warning: the runs differ in {named}: what separates them is not the method alone"
    ]
    assert json.loads(result.out)["differing"] == named.split(", ")


def test_methods_alone_give_no_warning(four, fedray) -> None:
    assert fedray("compare", *[run.path for run in four]).err == ""


def test_json_has_every_run_and_the_statistics_of_its_row(four, fedray) -> None:
    data = json.loads(fedray("compare", *[run.path for run in four], "--json").out)
    assert set(data) == {"target_accuracy", "target_of", "baseline", "differing", "twin", "rows"}
    row = data["rows"][1]
    assert row["speed_up"] == {"mean": 4.0, "std": pytest.approx(2**0.5), "n": 2}
    assert [run["target"]["emulated_seconds"] for run in row["runs"]] == [10.0, 8.0]
    assert {"run", "method", "status", "final_accuracy", "bytes_up", "target", "speed_up"} <= set(row["runs"][0])


def test_the_table_shows_spread_and_how_many_count(four, a_run: Run, fedray) -> None:
    text = fedray("compare", *[run.path for run in four], a_run("e", 0.3, seed=3, scenario=LEGEND).path,
                  "--target", "0.7").out  # fmt: skip
    for word in ("3 seeds", "9.0 s", "± 1.4 s (2/3)", "4.00×", "± 1.41× (2/3)", "against fedit"):
        assert word in text, text


def test_a_sweep_stands_for_its_concluded_cells(four, a_run: Run, tmp_path: Path, fedray) -> None:
    sweep = SweepDirectory(tmp_path)
    sweep.write(SweepRecord(1, {}, [1, 2], ["d", "c", "not begun"]))
    assert [run.path.name for run in expand([tmp_path])] == ["d", "c"]
    assert compare(expand([tmp_path, tmp_path / "c"])) == compare(expand([tmp_path]))
    assert fedray("compare", tmp_path, tmp_path / "a").code == 0
    sweep.write(SweepRecord(1, {}, [1], ["not begun"]))
    assert "no run of this sweep has ended" in fedray("compare", tmp_path).err


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"cells": 3}', "not json"])
def test_what_is_no_sweep_is_one_plain_error(content, tmp_path: Path, fedray) -> None:
    (tmp_path / "sweep.json").write_text(content)
    result = fedray("compare", tmp_path)
    assert (result.code, len(result.err.splitlines())) == (2, 1)
    assert "sweep.json: not the record of a sweep" in result.err


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"target": 3}', "not json"])
def test_what_is_no_run_is_one_plain_error(content, tmp_path: Path, fedray) -> None:
    (tmp_path / "summary.json").write_text(content)
    result = fedray("compare", tmp_path)
    assert result.code == 2
    assert "summary.json" in result.err
    assert fedray("compare", tmp_path / "nowhere").code == 2


def test_targets_that_cannot_be_are_refused(a_run: Run, fedray) -> None:
    path = a_run("run", 0.5).path
    assert "above 0, at most 1" in fedray("compare", path, "--target", "70").err
    assert "not together" in fedray("compare", path, "--target", "0.5", "--target-of", "fedit").err


@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), max_size=8))
def test_a_statistic_is_over_the_values_there_are(values) -> None:
    """Oracle: the statistics module on what is left."""
    known = [value for value in values if value is not None]
    found = statistic(values)
    assert found.n == len(known)
    assert found.mean == (pytest.approx(sum(known) / len(known), abs=1e-6) if known else None)
    assert found.std == (pytest.approx(stdev(known)) if len(known) > 1 else None)


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("summary.json", '"rounds_completed": 2', '"rounds_completed": "2"', "not the summary of a run"),
        ("summary.json", '"final_accuracy": 0.6', '"final_accuracy": "good"', "not the summary of a run"),
        ("summary.json", '"emulated_seconds": 20.0', '"emulated_seconds": null', "not the summary of a run"),
        ("summary.json", '"rounds_completed": 2', '"rounds_completed": 3', "does not hold the 3 rounds"),
        ("rounds.jsonl", '"accuracy": 0.6', '"accuracy": "good"', "not the rounds of a run"),
        ("rounds.jsonl", '"round": 2', '"round": 3', "does not hold the 2 rounds"),
    ],
)
def test_files_that_were_tampered_with_are_one_plain_error(name, old, new, told, a_run: Run, fedray) -> None:
    path = a_run("one", 0.5, 0.6).path
    assert old in (path / name).read_text()
    (path / name).write_text((path / name).read_text().replace(old, new))
    for command in ("compare", "report"):
        result = fedray(command, path)
        assert result.code == 2
        assert told in result.err
        assert len(result.err.splitlines()) == 1


def test_text_that_is_none_is_one_plain_error(a_run: Run, fedray) -> None:
    path = a_run("one", 0.5).path
    (path / "rounds.jsonl").write_bytes(b"\xff\xfe")
    assert fedray("compare", path).err.strip().endswith("not UTF-8 text")


@pytest.mark.parametrize(
    ("scenario", "differing"),
    [
        (f"{FEDIT}\ntraining: {{batch_size: 16}}", ("training",)),
        (f"{FEDIT}\ncosts: {{twin: {{backbone: roberta-base, local_steps: 40}}}}", ("costs",)),
        (f"{FEDIT}\ntraining: {{rounds: 99, stop: {{target: 0.9}}}}", ()),
    ],
)
def test_costs_and_training_but_not_length_should_be_the_same(scenario, differing, a_run: Run) -> None:
    assert compare([a_run("one", 0.5), a_run("two", 0.5, scenario=scenario)]).differing == differing


def test_a_label_too_long_to_read_is_cut(a_run: Run) -> None:
    twin = "costs: {twin: {backbone: roberta-base, batch_size: 16, max_length: 128, local_steps: 20}}"
    rows = compare([a_run("one", 0.5), a_run("two", 0.5, scenario=f"{FEDIT}\n{twin}")]).rows
    assert [len(row.label) <= 60 for row in rows] == [True, True]
    assert rows[1].label.startswith("fedit costs.twin.")
    assert rows[1].label.endswith(" …")

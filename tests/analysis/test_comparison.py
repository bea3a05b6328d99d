"""Runs side by side: seeds as one row, baselines, warnings, files that are not ours, and what is printed."""

import io
import json
import re
from math import sqrt
from pathlib import Path

import pytest
from rich.console import Console

from fedray.analysis import Criteria, compare
from fedray.display import comparison_displays
from fedray.errors import UserError
from fedray.results import RunDirectory, SweepDirectory, SweepRecord, expand
from tests.analysis.conftest import FEDIT, LEGEND, Run
from tests.trained import trained

T_1 = 12.706204736  # the 97.5 % quantile of t with one degree of freedom


def reaching(target: float, *baselines: str) -> Criteria:
    return Criteria(target=target, hold=1, baselines=baselines)


def test_runs_that_differ_in_their_seed_are_one_row_by_hand(four) -> None:
    comparison = compare(four, reaching(0.7))
    fedit, legend = comparison.rows
    assert (fedit.label, legend.label, comparison.baselines) == ("fedit", "legend", ("fedit",))
    assert [run.seed for run in fedit.runs] == [1, 2]
    assert fedit.final_accuracy.mean == pytest.approx(0.75)
    assert fedit.final_accuracy.high == pytest.approx(0.75 + T_1 * 0.05)  # of 0.7 and 0.8 the standard error is 0.05
    assert (fedit.emulated_seconds.mean, fedit.emulated_seconds.std) == (45.0, pytest.approx(30 / sqrt(2)))
    assert (fedit.rounds_completed.mean, legend.rounds_completed.mean) == (3, 2)
    assert (legend.bytes_up.mean, legend.bytes_down.mean, legend.energy_joules.mean) == (200, 100, 10)
    assert [run.target.spent.emulated_seconds for run in comparison.runs] == [30, 40, 10, 8]
    assert (legend.target_seconds.mean, legend.target_seconds.std) == (9.0, pytest.approx(sqrt(2)))
    assert (fedit.target_bytes.mean, fedit.target_joules.mean, fedit.target_round.mean) == (375.0, 12.5, 2.5)
    assert (fedit.macro_f1.mean, fedit.loss.mean) == (pytest.approx(0.65), 1.0)
    assert (fedit.device_accuracy.mean, fedit.worst_decile.mean) == (pytest.approx(0.75), pytest.approx(0.55))
    assert fedit.by_profile["jetson-tx2"].mean == pytest.approx(0.70)


def test_ratios_pair_equal_seeds_by_hand(four) -> None:
    """Seconds 30 and 40 against 10 and 8; rounds 3 and 2 against 1 and 2."""
    fedit, legend = compare(four, reaching(0.7)).rows
    (found,) = legend.against
    assert fedit.against == ()
    assert [one.ratio for one in found.to_target.seconds.by_seed] == [3.0, 5.0]
    assert found.to_target.seconds.ratio == pytest.approx(sqrt(15))
    assert found.to_target.rounds.ratio == pytest.approx(sqrt(3 * 1))
    assert found.to_target.bytes.ratio == pytest.approx(sqrt(3 * 1))  # 150 bytes a round in both
    assert found.to_target.joules.ratio == pytest.approx(sqrt(3 * 1))
    assert found.to_target.bytes_per_round.ratio == pytest.approx(1.0)
    assert found.per_round.seconds.ratio == pytest.approx(sqrt(10 / 10 * 20 / 4))
    assert found.final_accuracy.mean == pytest.approx(0.1)  # 0.9 - 0.7 and 0.8 - 0.8
    turned, _ = compare(four, reaching(0.7, "legend")).rows
    assert turned.against[0].to_target.seconds.ratio == pytest.approx(1 / sqrt(15))


def test_a_speed_up_is_cheaper_rounds_times_fewer_rounds(four) -> None:
    ratios = compare(four, reaching(0.7)).rows[1].against[0].to_target
    assert ratios.seconds_per_round.ratio == pytest.approx(sqrt(10 / 10 * 20 / 4))
    assert ratios.seconds.ratio == pytest.approx(ratios.seconds_per_round.ratio * ratios.rounds.ratio)
    assert ratios.bytes.ratio == pytest.approx(ratios.bytes_per_round.ratio * ratios.rounds.ratio)


def test_a_run_that_missed_the_target_is_counted_and_bounds_the_ratio(four, a_run: Run) -> None:
    third = [a_run("e", 0.75, seed=3), a_run("f", 0.3, 0.4, seconds=50.0, seed=3, scenario=LEGEND)]
    fedit, legend = compare([*four, *third], reaching(0.7)).rows
    assert (fedit.target_seconds.n, legend.target_seconds.n, legend.final_accuracy.n) == (3, 2, 3)
    assert legend.target_seconds.mean == 9.0  # of the two that reached it
    ratio = legend.against[0].to_target.seconds
    assert (ratio.n, ratio.seeds, ratio.row_missed, ratio.baseline_missed) == (2, 3, 1, 0)
    assert ratio.ratio == pytest.approx(sqrt(15))
    assert (ratio.at_least, ratio.at_most) == (None, pytest.approx((3 * 5 * 10 / 100) ** (1 / 3)))
    assert legend.against[0].to_target.seconds_per_round.at_most is None  # what its rounds cost bounds nothing


def test_a_seed_that_the_baseline_lacks_has_no_ratio(four, a_run: Run) -> None:
    other = a_run("e", 0.9, seed=9, scenario=LEGEND)
    _, legend = compare([*four, other], reaching(0.7)).rows
    ratio = legend.against[0].to_target.seconds
    assert (ratio.n, ratio.seeds, ratio.unpaired, legend.target_seconds.n) == (2, 2, 1, 3)


def test_p_values_are_corrected_over_the_rows_of_a_baseline(four, a_run: Run) -> None:
    wide = "method: {name: fedit, rank: 16}"
    third = [a_run("e", 0.8, seed=1, scenario=wide), a_run("f", 0.8, seed=2, scenario=wide, seconds=5.0)]
    alone = compare(four, reaching(0.7)).rows[1].against[0].to_target.seconds
    _, legend, other = compare([*four, *third], reaching(0.7)).rows
    found = [row.against[0].to_target.seconds for row in (legend, other)]
    assert alone.p_holm == alone.p == found[0].p
    assert sorted(one.p for one in found)[0] * 2 == pytest.approx(min(one.p_holm for one in found))


def test_the_best_and_the_worst_baseline_are_named_by_their_time(four, a_run: Run) -> None:
    slow = "method: {name: hetlora}"
    hetlora = [a_run(f"h{seed}", 0.7, seconds=90.0, seed=seed, scenario=slow) for seed in (1, 2)]
    missed = [a_run(f"m{seed}", 0.6, seconds=1.0, seed=seed, scenario="method: {name: fedsvd}") for seed in (1, 2)]
    runs = [*four, *hetlora, *missed]
    comparison = compare(runs, reaching(0.7, "a,h1"))
    assert (comparison.baselines, comparison.best, comparison.worst) == (("fedit", "hetlora"), "fedit", "hetlora")
    assert [one.baseline for one in comparison.rows[1].against] == ["fedit", "hetlora"]
    assert compare(runs, reaching(0.7, "h1", "m1")).worst == "fedsvd"  # it never reached the target
    assert compare(runs, Criteria(baselines=("h1", "c"))).best == "legend"  # without a target, by final accuracy


def test_rows_are_named_by_label_method_or_run(four, a_run: Run) -> None:
    runs = [
        *four,
        a_run("wide", 0.9, scenario="method: {name: fedit, rank: 16}"),
        a_run("wider", 0.9, scenario="method: {name: fedit, rank: 24}"),
    ]
    for word, label in {"legend": "legend", "fedit rank=16": "fedit rank=16", "wide": "fedit rank=16"}.items():
        assert compare(runs, Criteria(baselines=(word,))).baselines == (label,)
    assert compare(runs, Criteria(baselines=("fedit",))).baselines == ("fedit",)  # a label before a method
    with pytest.raises(UserError, match=r"--baselines: given 'fedprox'; allowed: fedit \| legend \| fedit rank=16"):
        compare(runs, Criteria(baselines=("legend,fedprox",)))


def test_two_runs_with_one_seed_are_no_sample_of_two(a_run: Run) -> None:
    runs = [a_run("slow", 0.4, 0.7), a_run("fast", 0.5, 0.75, seconds=4.0)]
    first, second = compare(runs, reaching(0.7)).rows
    assert (first.label, second.label) == (f"fedit {runs[0].path}", f"fedit {runs[1].path}")
    ratio = second.against[0].to_target.seconds
    assert (ratio.ratio, ratio.low, ratio.p, ratio.n) == (pytest.approx(20 / 8), None, None, 1)


def test_a_directory_given_twice_counts_once(four, tmp_path: Path) -> None:
    again = RunDirectory(tmp_path / "x" / ".." / "a")
    (tmp_path / "x").mkdir()
    assert compare([four[0], four[0], *four]) == compare([*four, four[0]]) == compare(four)
    assert len(compare([four[0], again]).runs) == 1


def test_nothing_compared_is_an_empty_comparison() -> None:
    """A sweep of which no run could be completed."""
    comparison = compare([])
    assert (comparison.rows, comparison.baselines, comparison.best) == ((), (), None)
    assert len(comparison_displays(comparison)) == 2


def test_stopped_runs_and_runs_without_accuracy_are_compared_too(a_run: Run, fedray) -> None:
    runs = [a_run("a", None, status="stopped"), a_run("b", status="failed", scenario=LEGEND)]
    comparison = compare(runs)
    assert (comparison.protocol, comparison.target) == ("summary", None)
    missed = compare(runs, reaching(0.7)).rows[1].against[0].to_target.seconds
    assert (missed.ratio, missed.both_missed) == (None, 1)
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


def test_scores_of_different_examples_are_warned_about(four, a_run: Run, fedray) -> None:
    other = a_run("e", 0.5, seed=3, scored_on="test")
    assert "some runs are scored on validation" in fedray("compare", four[0].path, other.path).err
    assert compare([*four, other]).scored_on is None
    assert "no validation examples were held out" in fedray("compare", other.path).out


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


def test_devices_lost_to_memory_stand_beside_every_figure(a_run: Run, fedray) -> None:
    """Devices 0 and 1 run out of memory in round 1, device 0 again in round 2, when device 1 fits."""
    from dataclasses import replace

    from fedray.results import TrainedDeviceRecord
    from tests.analysis.pages import a_device

    run = a_run("lossy", 0.5, 0.6, lost=1)
    for round_, device, fits in ((1, 0, False), (1, 1, False), (1, 2, True), (2, 0, False), (2, 1, True)):
        lost = replace(a_device(device, fits=fits), outcome="finished" if fits else "out of memory")
        run.append_devices(trained([TrainedDeviceRecord(round_, lost, None, None)]), 8)
    (row,) = compare([run]).rows
    assert (row.lost_to_memory.mean, row.never_finished.mean) == (1.0, 1.0)
    text = fedray("compare", run.path).out
    assert "1.0 a round" in text
    assert "1 never in" in text


def test_json_has_every_run_and_the_statistics_of_its_row(four, fedray) -> None:
    data = json.loads(fedray("compare", *[run.path for run in four], "--target", "0.7", "--hold", "1", "--json").out)
    row = data["rows"][1]
    ratio = row["against"][0]["to_target"]["seconds"]
    assert ratio["ratio"] == pytest.approx(sqrt(15))
    assert {"low", "high", "p", "p_holm", "n", "seeds", "row_missed", "at_least", "by_seed"} <= set(ratio)
    assert [run["target"]["spent"]["emulated_seconds"] for run in row["runs"]] == [10.0, 8.0]
    assert {"run", "status", "macro_f1", "device_accuracy", "memory", "target", "within"} <= set(row["runs"][0])
    assert data["target"] == {"score": 0.7, "of": None, "share": None, "hold": 1}


def test_the_tables_show_spread_and_how_many_count(four, a_run: Run, fedray) -> None:
    text = fedray("compare", *[run.path for run in four], a_run("e", 0.3, seed=3, scenario=LEGEND).path,
                  a_run("f", 0.8, seed=3).path, "--target", "0.7", "--hold", "1").out  # fmt: skip
    for word in ("3 seeds", "9.0 s", "2/3 seeds", "it missed 1", "3.87×", "all ≤", "against fedit", "2.24 × 1.73"):
        assert word in text, text


def shown(runs: list[RunDirectory], width: int) -> list[str]:
    text = io.StringIO()
    for table in comparison_displays(compare(runs, reaching(0.7))):
        Console(file=text, width=width).print(table)
    return [line.rstrip() for line in text.getvalue().splitlines()]


def test_rows_of_single_runs_keep_to_a_line(four) -> None:
    assert sum(line.strip().startswith("legend") for line in shown([four[0], four[2]], 140)) == 3
    assert not [line for line in shown([four[0], four[2]], 140) if line.strip().startswith("1/1")]


def test_on_a_narrow_terminal_cells_fold_and_no_figure_is_cut(four) -> None:
    narrow, wide = shown(four, 80), shown(four, 200)
    assert max(map(len, narrow)) <= 80
    assert "…" not in "".join(narrow)
    figures = [word for line in wide for word in line.split() if re.fullmatch(r"[±+-]?[0-9.]+×?", word)]
    assert figures
    assert not [figure for figure in figures if figure not in " ".join(narrow)]


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

"""The figures of a report show what the files say."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedray.analysis import Criteria
from fedray.analysis.report.gantt import MOST_ROWS
from fedray.results import SummaryInputs, TrainedDeviceRecord, summarise
from fedray.results.downsample import evenly
from tests.analysis.pages import a_device, a_round, a_run, numbers, read, spent
from tests.trained import trained


def test_accuracy_is_drawn_against_time_and_bytes_with_the_round_that_reached_the_target(tmp_path: Path) -> None:
    rounds = [
        a_round(1, 8, 0.4),
        replace(a_round(2, 8), accuracy=None, score=None),
        a_round(3, 8, 0.7),
        a_round(4, 8, 0.8),
    ]
    slow, fast = a_run(tmp_path / "slow", rounds=rounds), a_run(tmp_path / "fast", method="fedit")
    page = read([slow, fast], Criteria(target=0.65, hold=1))
    time_, traffic = page.figures[:2]
    lines = [trace for trace in time_.views[0]["data"] if "lines" in trace["mode"]]
    assert [line["meta"] for line in lines] == ["slow", "fast"]
    assert (lines[0]["x"], lines[0]["y"]) == ([10, 30, 40], [0.4, 0.7, 0.8])
    assert traffic.views[0]["data"][0]["x"] == [24, 72, 96]  # kB: 8 devices, 3,000 bytes a round
    assert "(kB" in traffic.caption
    stars = [trace for trace in time_.views[0]["data"] if trace["mode"] == "markers"]
    assert [(star["x"], star["y"]) for star in stars] == [([30], [0.7]), ([20], [0.7])]
    assert time_.views[0]["layout"]["shapes"][0]["y0"] == 0.65
    assert len(read([slow, fast], Criteria(target=0.75, hold=1)).figures[0].views[0]["data"]) == 4
    assert len(read([slow, fast], Criteria(target=0.99, hold=1)).figures[0].views[0]["data"]) == 2


def test_the_majority_baseline_is_a_dotted_line(tmp_path: Path) -> None:
    figure = read([a_run(tmp_path / "run", majority=0.45)]).figures[0]
    (line,) = figure.views[0]["layout"]["shapes"]
    assert (line["y0"], line["line"]["dash"]) == (0.45, "dot")
    assert "always giving the most frequent label (0.450)" in figure.caption


def test_the_robustness_grid_is_a_heat_map(tmp_path: Path) -> None:
    text = "schema_version: 1\nmethod: {{name: {}}}\nfleet: {{faults: {{dropout: {}}}}}\n"
    runs = [
        a_run(
            tmp_path / f"{method}-{dropout}",
            scenario=text.format(method, dropout),
            method=method,
            rounds=[a_round(1, 8, accuracy)],
        )
        for method, dropout, accuracy in (("fedit", 0.0, 0.8), ("fedit", 0.5, 0.6), ("legend", 0.0, 0.9))
    ]
    figure = read(runs, Criteria(protocol="robustness")).figure("Final test accuracy by method")
    (cells,) = figure.views[0]["data"]
    assert (cells["x"], cells["y"]) == (["0.0", "0.5"], ["fedit", "legend"])
    assert cells["z"] == [[0.8, 0.6], [0.9, None]]
    assert cells["text"] == [["0.800", "0.600"], ["0.900", ""]]


def test_runs_that_differ_by_seed_only_share_a_colour_and_a_legend(tmp_path: Path) -> None:
    text = "schema_version: 1\nseed: {}\nmethod: {{name: {}}}\n"
    runs = [a_run(tmp_path / f"legend-{seed}", scenario=text.format(seed, "legend")) for seed in (1, 2)]
    runs.append(a_run(tmp_path / "fedit-1", scenario=text.format(1, "fedit"), method="fedit"))
    lines = [line for line in read(runs).figures[0].views[0]["data"] if "lines" in line["mode"]]
    colours = [line["line"]["color"] for line in lines]
    assert colours[0] == colours[1] != colours[2]
    assert [line["name"] for line in lines if line["showlegend"]] == ["legend, 2 seeds", "fedit"]


def test_a_run_that_was_never_evaluated_has_a_page_without_accuracy(tmp_path: Path) -> None:
    page = read([a_run(tmp_path / "run", rounds=[replace(a_round(1, 8), accuracy=None, score=None)])])
    assert "No round was evaluated" in page.text
    assert not [figure for figure in page.figures if "Accuracy" in figure.caption]


def test_the_last_round_is_shown_and_any_other_can_be_chosen(tmp_path: Path) -> None:
    devices = [a_device(2, group=1), a_device(4, group=0), a_device(6, group=0, fits=False, **spent(2.5, 0.0, 0.0))]
    gantt = read([a_run(tmp_path / "run", devices=devices)]).figure("One row per device")
    assert gantt.options == ["round 1", "round 2", "round 3"]
    assert gantt.chosen == [2]
    assert "round 3" in gantt.views[-1]["layout"]["xaxis"]["title"]["text"]
    traces = gantt.traces()
    assert set(traces) == {"waiting", "download", "compute", "upload", "did not finish"}
    assert gantt.views[-1]["layout"]["yaxis"]["ticktext"] == ["6", "4", "2"]  # by group, then by end
    assert numbers(traces["waiting"]["x"]) == [2.5, 10.0, 10.0]
    assert (numbers(traces["did not finish"]["x"]), numbers(traces["did not finish"]["y"])) == ([2.5], [0])
    compute = dict(zip(numbers(traces["compute"]["y"]), numbers(traces["compute"]["base"]), strict=True))
    assert compute == {0: 2.5, 1: 1.0, 2: 1.0}
    assert "did not finish" in gantt.caption


def test_many_rounds_leave_the_last_one_only(tmp_path: Path) -> None:
    rounds = [a_round(number, 1, 0.5) for number in range(1, 52)]
    gantt = read([a_run(tmp_path / "run", devices=[a_device(0)], rounds=rounds)]).figure("One row per device")
    assert (gantt.options, len(gantt.views)) == ([], 1)
    assert "round 51" in gantt.views[0]["layout"]["xaxis"]["title"]["text"]


def test_a_large_fleet_is_shown_by_an_even_choice_and_the_page_stays_small(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", devices=[a_device(i) for i in range(2000)], shards=[[2, 1]] * 2000)
    assert (run.path / "devices.parquet").is_dir()
    began = time.monotonic()
    page = read([run])
    assert time.monotonic() - began < 60
    assert len(page.raw) < 12e6
    gantt = page.figure("One row per device")
    assert f"Of 2,000 devices {MOST_ROWS} are shown, evenly chosen" in gantt.caption
    assert len(numbers(gantt.traces()["waiting"]["x"])) == MOST_ROWS
    assert "Of 2,000 devices 400 are shown" in page.figure("Depth (").caption


@given(st.integers(0, 5000), st.integers(2, 400))
def test_an_even_choice_keeps_both_ends_and_equal_gaps(count: int, most: int) -> None:
    chosen = evenly(count, most)
    assert len(chosen) == min(count, most)
    if count > 1:
        assert (chosen[0], chosen[-1]) == (0, count - 1)
        assert np.ptp(np.diff(chosen)) <= 1


def test_heat_maps_show_every_devices_depth_rank_and_quantised_layers(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", devices=[a_device(0), a_device(1), a_device(2, quantised_layers=2)], rounds=[])
    for number, absent in ((1, 0), (2, None)):
        present = [a_device(i, quantised_layers=2 * (i == 2)) for i in range(3) if i != absent]
        run.append_devices(trained([TrainedDeviceRecord(number, one, None, None) for one in present]), 3)
        run.append_round(a_round(number, 3))
    run.write_summary(summarise(run.rounds(), SummaryInputs("run", "legend", 3, 1.0, 1, "d", None), "completed"))
    page = read([run])
    depth = page.figure("Depth (").views[0]["data"][0]
    assert depth["y"] == ["device 0", "device 2", "device 1"] or depth["y"] == ["device 1", "device 0", "device 2"]
    by_device = dict(zip(depth["y"], numbers(depth["z"]), strict=True))
    assert by_device["device 1"] == [2, 2]
    assert np.isnan(by_device["device 0"][0])
    assert by_device["device 0"][1] == 1
    ranks = page.figure("Mean rank (").views[0]["data"][0]
    assert dict(zip(ranks["y"], numbers(ranks["z"]), strict=True))["device 2"] == [5, 5]  # ranks 4, 5, 6
    quantised = page.figure("Quantised layers (").views[0]["data"][0]
    assert dict(zip(quantised["y"], numbers(quantised["z"]), strict=True))["device 2"] == [2, 2]
    assert "White: the device takes no part" in page.figure("Depth (").caption


def test_without_quantised_layers_there_is_no_map_of_them(tmp_path: Path) -> None:
    assert not [one for one in read([a_run(tmp_path / "run")]).figures if "Quantised" in one.caption]


def test_label_mixes_of_the_groups_beside_the_fleets(tmp_path: Path) -> None:
    """Even devices (group 0) hold 3 to 1, odd ones 1 to 3; the fleet holds both equally."""
    page = read([a_run(tmp_path / "run", shards=[[3, 1], [1, 3]] * 4)])
    mixes = page.figure("Label mix")
    yes = mixes.traces()["yes"]
    assert yes["y"] == ["whole fleet", "group 0 (4)", "group 1 (4)"]
    assert numbers(yes["x"]) == pytest.approx([0.5, 0.75, 0.25])
    told = [label["text"] for label in mixes.views[0]["layout"]["annotations"]]
    assert told == ["0.1308 nats", "0.1308 nats"]  # 3/4 ln 3/2 + 1/4 ln 1/2
    assert "nats" in mixes.caption


def test_with_many_labels_the_rare_ones_are_drawn_together_and_counted_apart(tmp_path: Path) -> None:
    labels = tuple(f"label {i}" for i in range(20))
    page = read([a_run(tmp_path / "run", labels=labels, shards=[list(range(20))] * 8)])
    mixes = page.figure("Label mix")
    assert [name for name in mixes.traces() if name.startswith("label")] == [f"label {i}" for i in range(19, 12, -1)]
    total = sum(np.array(numbers(trace["x"])) for trace in mixes.traces().values())
    assert total == pytest.approx([1, 1, 1])
    assert "13 other labels" in mixes.traces()

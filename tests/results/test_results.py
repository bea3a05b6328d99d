"""Records and their files."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fedray.adapters import AdapterSpec, initial_values, layout_of
from fedray.errors import UserError
from fedray.results import (
    DeviceRecord,
    RoundRecord,
    RunDirectory,
    SummaryInputs,
    TrainedDeviceRecord,
    reached,
    result_digest,
    summarise,
    summarise_devices,
)
from tests.shapes import shape
from tests.trained import trained

SUMMARY_KEYS = [
    "schema_version",
    "run_id",
    "status",
    "method",
    "rounds_completed",
    "devices",
    "final_accuracy",
    "best_accuracy",
    "emulated_seconds",
    "wall_seconds",
    "bytes_up",
    "bytes_down",
    "mean_waiting_seconds",
    "energy_joules",
    "peak_memory_bytes",
    "updates_rejected",
    "result_digest",
    "target",
]
WASTE_KEYS = ["wasted_seconds", "wasted_joules", "wasted_bytes"]
SCORE_KEYS = [
    "scored_on",
    "final_score",
    "best_score",
    "best_round",
    "final_metrics",
    "device_accuracy",
    "majority_accuracy",
    "devices_sitting_out",
    "devices_topped_up",
]
ROUND_KEYS = [
    "round",
    "emulated_seconds",
    "round_seconds",
    "mean_waiting_seconds",
    "accuracy",
    "loss",
    "bytes_up",
    "bytes_down",
    "energy_joules",
    "participants",
    "dropped",
    "rejected",
    "groups",
    "mean_depth",
    "mean_rank",
]


def a_round(number: int, accuracy: float | None, seconds: float = 10.0, score: float | None = None) -> RoundRecord:
    return RoundRecord(
        number,
        seconds * number,
        seconds,
        2.0 * number,
        accuracy,
        1.0,
        100,
        50,
        5.0,
        8,
        1,
        number % 2,
        1,
        3.0,
        8.0,
        score=accuracy if score is None else score,
    )


ROUNDS = [a_round(1, 0.4), a_round(2, None), a_round(3, 0.7), a_round(4, 0.6)]
INPUTS = SummaryInputs("run-1", "fedit", 8, 12.5, 1000, "abc", 0.65)
DEVICE = DeviceRecord(3, "jetson-tx2", "MAXN", 0, 2, (5, 7), 0, 1.0, 2.0, 3.0, 4.0, 10, 20, 30, 40, 5.0, True)


def a_run(folder: Path, rounds: list[RoundRecord] = ROUNDS) -> RunDirectory:
    directory = RunDirectory(folder)
    directory.create("schema_version: 1\n")
    for record in rounds:
        directory.append_round(record)
    directory.write_summary(summarise(rounds, INPUTS, "completed"))
    return directory


def test_a_summary_by_hand() -> None:
    summary = summarise(ROUNDS, INPUTS, "completed")
    assert (summary.final_accuracy, summary.best_accuracy, summary.emulated_seconds) == (0.6, 0.7, 40.0)
    assert (summary.bytes_up, summary.bytes_down, summary.energy_joules) == (400, 200, 20.0)
    assert (summary.mean_waiting_seconds, summary.updates_rejected) == (5.0, 2)
    assert (summary.target.round, summary.target.emulated_seconds, summary.target.bytes) == (3, 30.0, 450)


def test_the_best_round_is_that_of_the_best_score_not_of_the_best_test_accuracy() -> None:
    rounds = [a_round(1, 0.9, score=0.5), a_round(2, 0.6, score=0.8), a_round(3, 0.7, score=0.8)]
    summary = summarise(rounds, INPUTS, "completed")
    assert (summary.best_round, summary.best_score, summary.best_accuracy) == (2, 0.8, 0.6)
    assert (summary.final_score, summary.final_accuracy) == (0.8, 0.7)


def test_a_target_counts_from_the_first_of_the_evaluations_that_hold_it() -> None:
    rounds = [a_round(n, score) for n, score in enumerate([0.8, 0.5, 0.7, None, 0.8, 0.7, 0.2], 1)]
    assert reached(rounds, 0.7, 1).round == 1
    assert (reached(rounds, 0.7, 3).round, reached(rounds, 0.7, 3).bytes) == (3, 450)
    assert reached(rounds, 0.7, 4) is None


def test_device_accuracy_by_hand() -> None:
    accuracies = np.array([0.9, 0.5, np.nan, 0.7, *[0.8] * 8])
    found = summarise_devices(accuracies, ["a", "b", "b", "a", *"cccccccc"])
    assert found.mean == pytest.approx((0.9 + 0.5 + 0.7 + 6.4) / 11)
    assert found.worst_decile == pytest.approx(0.6)  # two of eleven
    assert found.by_profile == pytest.approx({"a": 0.8, "b": 0.5, "c": 0.8})
    assert summarise_devices(np.array([np.nan]), ["a"]) is None


def test_a_run_without_rounds_or_accuracy_has_a_summary() -> None:
    summary = summarise([], replace(INPUTS, target=None), "stopped")
    assert (summary.final_accuracy, summary.emulated_seconds, summary.target) == (None, 0.0, None)


def test_the_files_have_the_keys_of_the_design(tmp_path: Path) -> None:
    directory = a_run(tmp_path / "run")
    assert list(json.loads((directory.path / "summary.json").read_text())) == [
        *SUMMARY_KEYS,
        "devices_dropped",
        *WASTE_KEYS,
        *SCORE_KEYS,
    ]
    assert list(json.loads((directory.path / "rounds.jsonl").read_text().splitlines()[0])) == [
        *ROUND_KEYS,
        "dropped_by",
        *WASTE_KEYS,
        "score",
        "metrics",
        "validation",
        "device_accuracy",
    ]
    assert directory.rounds() == ROUNDS
    assert directory.summary() == summarise(ROUNDS, INPUTS, "completed")


def test_what_lies_past_the_checkpoint_is_forgotten(tmp_path: Path) -> None:
    directory = a_run(tmp_path / "run")
    for number in (1, 2, 3):
        directory.append_devices(trained([TrainedDeviceRecord(number, DEVICE, 0.5, None)]), fleet_size=8)
    with (directory.path / "rounds.jsonl").open("a") as file:
        file.write('{"round": 5, "emul')  # torn by a crash
    directory.truncate(2)
    assert directory.rounds() == ROUNDS[:2]
    lines = (directory.path / "devices.jsonl").read_text().splitlines()
    assert [json.loads(line)["round"] for line in lines] == [1, 2]
    directory.truncate(0)
    assert directory.rounds() == []


def test_large_fleets_write_parquet_that_others_can_read(tmp_path: Path) -> None:
    import pyarrow.dataset

    directory = a_run(tmp_path / "run")
    for number in (1, 2, 3):
        records = [TrainedDeviceRecord(number, replace(DEVICE, id=i), None, None) for i in range(5)]
        directory.append_devices(trained(records), fleet_size=1001)
    directory.truncate(2)
    rows = pyarrow.dataset.dataset(directory.path / "devices.parquet").to_table().to_pylist()
    assert len(rows) == 10
    assert rows[0]["ranks"] == [5, 7]
    assert not (directory.path / "devices.jsonl").exists()


def test_a_used_folder_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(UserError, match="already holds something"):
        RunDirectory(tmp_path).require_usable()


def test_reached_is_the_first_time() -> None:
    assert reached(ROUNDS, 0.4).round == 1
    assert reached(ROUNDS, 0.8) is None


def test_a_digest_changes_with_one_bit_and_with_nothing_else() -> None:
    layout = layout_of(shape(), AdapterSpec((2, 2, 2, 2), (0, 1, 2, 3), 1.0))
    values = initial_values(layout, 0)
    same = values.copy()
    assert result_digest(layout, values) == result_digest(layout, same)
    same.view("u4")[7] ^= 1
    assert result_digest(layout, values) != result_digest(layout, same)

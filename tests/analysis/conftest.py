"""Runs made by hand."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from fedray.results import DeviceAccuracy, RoundRecord, RunDirectory, Split, Status, SummaryInputs, summarise

Run = Callable[..., RunDirectory]
FEDIT = "method: {name: fedit, rank: 8}"
LEGEND = "method: {name: legend, rank: 8, rho: 0.5}"


@pytest.fixture
def a_run(tmp_path: Path) -> Run:
    """A run whose rounds are `seconds` long, send 100 bytes up and 50 down, cost 5 joules, and have these accuracies.

    Its scores are its accuracies, its macro-F1 is 0.1 below, the worst decile of its devices 0.2 below.
    """

    def make(
        name: str,
        *accuracies: float | None,
        seconds: float = 10.0,
        seed: int = 1,
        scenario: str = FEDIT,
        status: Status = "completed",
        twin: str | None = None,
        majority: float | None = None,
        scored_on: Split = "validation",
        lost: int = 0,
        scores: bool = True,
    ) -> RunDirectory:
        directory = RunDirectory(tmp_path / name)
        directory.create(f"schema_version: 1\nname: {name}\nseed: {seed}\n{scenario}\n")
        rounds = [
            RoundRecord(
                number, seconds * number, seconds, 2.0, accuracy, 1.0, 100, 50, 5.0, 8, lost, 0, 1, 3.0, 8.0,
                dropped_by={"out of memory": lost} if lost else {},
                score=accuracy if scores else None,
            )
            for number, accuracy in enumerate(accuracies, 1)
        ]  # fmt: skip
        rounds = [
            one
            if one.accuracy is None
            else replace(
                one,
                metrics={"accuracy": one.accuracy, "macro_f1": one.accuracy - 0.1, "loss": 1.0},
                device_accuracy=DeviceAccuracy(one.accuracy, one.accuracy - 0.2, {"jetson-tx2": one.accuracy - 0.05}),
            )
            for one in rounds
        ]
        for record in rounds:
            directory.append_round(record)
        method = yaml.safe_load(scenario)["method"]["name"]
        inputs = SummaryInputs(
            name, method, 8, 12.5, 1000, "abc", None, scored_on=scored_on, majority_accuracy=majority, twin=twin
        )
        directory.write_summary(summarise(rounds, inputs, status))
        return directory

    return make


@pytest.fixture
def four(a_run: Run) -> list[RunDirectory]:
    """Two methods under two seeds; fedit first reaches 0.7 in 30 and 40 s, legend in 10 and 8 s."""
    return [
        a_run("a", 0.5, 0.6, 0.7, seed=1),
        a_run("b", 0.4, 0.7, 0.8, seconds=20.0, seed=2),
        a_run("c", 0.7, 0.9, seconds=10.0, seed=1, scenario=LEGEND),
        a_run("d", 0.6, 0.8, seconds=4.0, seed=2, scenario=LEGEND),
    ]

"""What rows are called."""

from pathlib import Path

import pytest

from fedray.analysis import compare
from fedray.results import RunDirectory, SweepDirectory, SweepRecord
from tests.analysis.conftest import FEDIT, LEGEND, Run


def labels(runs: list[RunDirectory]) -> list[str]:
    return [row.label for row in compare(runs).rows]


def test_methods_are_told_apart_by_their_names_alone(a_run: Run) -> None:
    """What legend and fedquad share and set differently by default is nothing that the user varied."""
    named = [a_run(name, 0.5, scenario=f"method: {{name: {name}, rank: 8}}") for name in ("fedit", "legend", "fedquad")]
    assert labels(named) == ["fedit", "legend", "fedquad"]


def test_parameters_are_named_where_they_differ_and_are_no_default(a_run: Run) -> None:
    runs = [
        a_run("a", 0.5),
        a_run("b", 0.5, scenario="method: {name: fedit, rank: 16}"),
        a_run("c", 0.5, scenario=LEGEND),
        a_run("d", 0.5, scenario=f"{LEGEND}\ntraining: {{local_steps: 2}}"),
        a_run("e", 0.5, scenario="method: {name: legend}"),
    ]
    assert labels(runs[:2]) == ["fedit", "fedit rank=16"]
    assert labels([runs[0], runs[2]]) == ["fedit", "legend"]  # rho is legend's own
    assert labels([runs[1], runs[2]]) == ["fedit rank=16", "legend"]
    assert labels([runs[2], runs[4]]) == ["legend rho=0.5", "legend"]
    assert labels(runs[2:4]) == ["legend training.local_steps=4", "legend training.local_steps=2"]


def test_a_parameter_written_at_its_default_is_the_same_experiment(a_run: Run) -> None:
    runs = [a_run("a", 0.5, seed=1), a_run("b", 0.6, seed=2, scenario="method: {name: fedit}")]
    assert labels(runs) == ["fedit"]


def test_what_changes_no_result_separates_no_rows(a_run: Run) -> None:
    spread = "runtime: {hosts: 2}\ntelemetry: {prometheus_port: 0}"
    (row,) = compare([a_run("a", 0.5, seed=1), a_run("b", 0.6, seed=2, scenario=f"{FEDIT}\n{spread}")]).rows
    assert (row.label, len(row.runs)) == ("fedit", 2)


def test_what_most_rows_say_is_no_part_of_a_name(four, a_run: Run) -> None:
    faulty = FEDIT + "\nfleet: {faults: {dropout: 0.2}}"
    assert labels([*four, a_run("faulty", 0.9, scenario=faulty)]) == [
        "fedit",
        "legend",
        "fedit fleet.faults.dropout=0.2",
    ]


def test_a_label_too_long_to_read_is_cut(a_run: Run) -> None:
    twin = "costs: {twin: {backbone: roberta-base, batch_size: 16, max_length: 128, local_steps: 20}}"
    found = labels([a_run("one", 0.5), a_run("two", 0.5, scenario=f"{FEDIT}\n{twin}")])
    assert [len(label) <= 60 for label in found] == [True, True]
    assert found[1].startswith("fedit costs.twin.")
    assert found[1].endswith(" …")


@pytest.fixture
def swept(a_run: Run, tmp_path: Path):
    """The labels of a sweep's rows: of what it varied, and the scenario of each cell."""

    def make(vary: dict[str, list[object]], *scenarios: str) -> list[str]:
        runs = [a_run(f"cell{number}", 0.5, scenario=text) for number, text in enumerate(scenarios)]
        SweepDirectory(tmp_path).write(SweepRecord(1, vary, [1], [run.path.name for run in runs]))
        return labels(runs)

    return make


def test_a_sweep_names_the_values_it_was_given(swept) -> None:
    methods = [{"name": "fedit", "rank": 8}, {"name": "legend", "rank": 16, "rho": 0.5}]
    vary = {"method": methods, "fleet.faults.dropout": [0, 0.2]}
    fleet = "fleet: {{faults: {{dropout: {}}}}}"
    scenarios = [
        f"method: {method}\n{fleet.format(dropout)}"
        for method in ("{name: fedit, rank: 8}", "{name: legend, rank: 16, rho: 0.5}")
        for dropout in (0.0, 0.2)
    ]
    assert swept(vary, *scenarios) == [
        "fedit fleet.faults.dropout=0",
        "fedit fleet.faults.dropout=0.2",
        "legend fleet.faults.dropout=0",
        "legend fleet.faults.dropout=0.2",
    ]


def test_mappings_of_one_name_are_told_apart_by_the_keys_that_differ(swept) -> None:
    vary = {
        "method": [
            {"name": "fedit"},
            {"name": "legend"},
            {"name": "legend", "rho": 0.5},
            {"name": "legend", "rho": 0.8, "min_rank": 1},
        ]
    }
    scenarios = [f"method: {text}" for text in (
        "{name: fedit}", "{name: legend}", "{name: legend, rho: 0.5}", "{name: legend, rho: 0.8, min_rank: 1}"
    )]  # fmt: skip
    assert swept(vary, *scenarios) == ["fedit", "legend", "legend rho=0.5", "legend rho=0.8 min_rank=1"]


def test_mappings_of_one_kind_are_told_apart_by_their_values(swept) -> None:
    vary = {"task.partition": [{"kind": "dirichlet", "alpha": 0.1}, {"kind": "dirichlet", "alpha": 1}, {"kind": "iid"}]}
    parts = ("{kind: dirichlet, alpha: 0.1}", "{kind: dirichlet, alpha: 1.0}", "{kind: iid}")
    assert swept(vary, *(f"{FEDIT}\ntask: {{partition: {part}}}" for part in parts)) == [
        "fedit task.partition=dirichlet task.partition.alpha=0.1",
        "fedit task.partition=dirichlet task.partition.alpha=1",
        "fedit task.partition=iid",
    ]


def test_a_value_that_was_resolved_to_another_is_named_as_resolved(swept) -> None:
    backbones = ["./small", "./large"]
    found = swept({"model.backbone": backbones}, *(f"{FEDIT}\nmodel: {{backbone: {one}}}" for one in backbones))
    assert [label.endswith(word) or "…" in label for label, word in zip(found, ("small", "large"), strict=True)]
    assert all(label.startswith("fedit model.backbone=/") or "/cell" in label for label in found)


def test_runs_of_a_sweep_beside_others_are_named_by_their_settings(swept, a_run: Run, tmp_path: Path) -> None:
    swept({"method.rank": [8, 4]}, FEDIT, "method: {name: fedit, rank: 4}")
    runs = [RunDirectory(tmp_path / "cell0"), RunDirectory(tmp_path / "cell1"), a_run("other", 0.5, scenario=LEGEND)]
    assert labels(runs) == ["fedit", "fedit rank=4", "legend"]
    assert labels(runs[:2]) == ["fedit rank=8", "fedit rank=4"]

"""Quality under a budget, and the robustness grid."""

import json
from math import sqrt
from pathlib import Path

import pytest

from fedray.analysis import Budget, Criteria, compare
from fedray.analysis.criteria import parse_budget
from fedray.errors import UserError
from fedray.results import RunDirectory, SweepDirectory, SweepRecord
from tests.analysis.conftest import FEDIT, LEGEND, Run

T_1 = 12.706204736  # the 97.5 % quantile of t with one degree of freedom


@pytest.mark.parametrize(
    ("word", "budget"),
    [
        ("seconds=600", Budget("seconds", 600)),
        ("seconds=1.5h", Budget("seconds", 5400)),
        ("seconds=20 min", Budget("seconds", 1200)),
        ("bytes=500MB", Budget("bytes", 500e6)),
        ("bytes=1e3", Budget("bytes", 1000)),
        ("joules=2,500kJ", Budget("joules", 2.5e6)),
        ("joules=1Wh", Budget("joules", 3600)),
    ],
)
def test_budgets_are_read_with_their_units(word: str, budget: Budget) -> None:
    assert parse_budget(word) == budget


def test_the_best_score_within_a_budget_counts_by_hand(a_run: Run) -> None:
    """Rounds end after 10, 20, 30 s and 150, 300, 450 bytes and 5, 10, 15 J; the best score of the first two is 0.6."""
    run = a_run("one", 0.6, 0.5, 0.8)
    budgets = (Budget("seconds", 20), Budget("bytes", 450), Budget("joules", 14.9), Budget("seconds", 5))
    comparison = compare([run], Criteria(budgets=budgets))
    assert comparison.protocol == "quality-under-budget"
    found = comparison.runs[0].within
    assert [one.accuracy for one in found] == [0.6, 0.8, 0.6, None]
    assert [one.round for one in found] == [1, 3, 1, None]
    assert (found[0].macro_f1, found[0].worst_decile) == (pytest.approx(0.5), pytest.approx(0.4))


def test_runs_that_ended_before_their_budget_was_spent_are_counted(a_run: Run, fedray) -> None:
    runs = [a_run("long", 0.6, 0.7, 0.8), a_run("short", 0.6, scenario=LEGEND)]
    rows = compare(runs, Criteria(budgets=(Budget("seconds", 30),))).rows
    assert [row.within[0].exhausted for row in rows] == [1, 0]
    text = fedray("compare", *[run.path for run in runs], "--budget", "seconds=30").out
    assert "0/1 seeds" in text
    assert "a run that ended before its budget was spent" in text


def test_quality_under_a_budget_is_paired_with_the_baseline_by_hand(four, fedray) -> None:
    """Within 10 s: fedit 0.5 and nothing (its round takes 20 s), legend 0.7 and 0.8; within 20 s also 0.6 and 0.4."""
    _, legend = compare(four, Criteria(budgets=(Budget("seconds", 10), Budget("seconds", 20)))).rows
    early, late = legend.against[0].within
    assert (early.n, early.mean, early.low) == (1, pytest.approx(0.2), None)
    assert late.mean == pytest.approx((0.3 + 0.4) / 2)
    assert late.high == pytest.approx(0.35 + T_1 * 0.05)
    assert legend.within[1].accuracy.mean == pytest.approx(0.85)
    result = fedray("compare", *[run.path for run in four], "--budget", "seconds=10", "--budget", "bytes=0.3kB")
    assert "quality under a budget of 10.0 s" in result.out
    assert "quality under a budget of 300 B" in result.out
    data = json.loads(fedray("compare", *[run.path for run in four], "--budget", "seconds=20", "--json").out)
    assert data["rows"][1]["within"][0]["budget"] == {"resource": "seconds", "amount": 20.0}


@pytest.fixture
def grid(a_run: Run) -> list[RunDirectory]:
    """Two methods without and with dropout, under two seeds."""
    accuracies = {
        ("fedit", 0): (0.8, 0.9),
        ("fedit", 0.2): (0.7, 0.6),
        ("legend", 0): (0.9, 0.9),
        ("legend", 0.2): (0.9, 0.8),
    }
    return [
        a_run(f"{method}-{dropout}-{seed}", accuracy, seed=seed,
              scenario=f"{FEDIT if method == 'fedit' else LEGEND}\nfleet: {{faults: {{dropout: {dropout}}}}}")
        for (method, dropout), both in accuracies.items()
        for seed, accuracy in enumerate(both, 1)
    ]  # fmt: skip


def test_the_robustness_grid_by_hand(grid, fedray) -> None:
    comparison = compare(grid, Criteria(protocol="robustness"))
    found = comparison.grid
    assert (found.keys, found.conditions) == (("fleet.faults.dropout",), (("0.0",), ("0.2",)))
    assert [row.method for row in found.rows] == ["fedit", "legend"]
    first, second = found.rows[0].cells
    assert first.accuracy.mean == pytest.approx(0.85)
    assert first.accuracy.high == pytest.approx(0.85 + T_1 * 0.05)
    assert first.change is None
    assert second.change.mean == pytest.approx(-0.2)  # 0.7 - 0.8 and 0.6 - 0.9
    assert second.change.low == pytest.approx(-0.2 - T_1 * 0.2 / sqrt(2) / sqrt(2))
    assert comparison.warnings == ()  # that the fleet differs is what was asked for
    text = fedray("compare", *[run.path for run in grid], "--protocol", "robustness").out
    for word in ("by fleet.faults.dropout", "-0.200", "change against 0.0"):
        assert word in text


def test_a_sweeps_grid_has_the_values_as_given_and_gaps(grid, tmp_path: Path) -> None:
    vary = {"method": [{"name": "fedit"}, {"name": "legend", "rho": 0.5}], "fleet.faults.dropout": [0, 0.2]}
    SweepDirectory(tmp_path).write(SweepRecord(1, vary, [1, 2], [run.path.name for run in grid]))
    found = compare(grid[:6], Criteria(protocol="robustness")).grid
    assert found.conditions == (("0",), ("0.2",))
    assert found.rows[1].cells[1] is None


def test_two_samples_of_one_cell_have_no_grid(grid, a_run: Run) -> None:
    again = a_run("again", 0.5, seed=1, scenario=f"{FEDIT}\nfleet: {{faults: {{dropout: 0.2}}}}")
    with pytest.raises(UserError, match="one method, one condition and one seed"):
        compare([*grid, again], Criteria(protocol="robustness"))

"""Regression: metrics by hand, ranges of the target, and targets that cannot be learned."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from fedray.errors import UserError
from fedray.experiment.sections import resolved
from fedray.learning.corpus import load_corpus
from fedray.learning.rows import Origin, Rows
from fedray.learning.tasks.regression import Regression, RegressionSection
from fedray.scenario import LoadedScenario, ScenarioError, Source

SOURCE = Source("scenario.yaml", {}, {})
TASK = Regression((), ("0 to 5",))
Load = Callable[..., LoadedScenario]


def rows(*labels: object) -> Rows:
    return Rows(["x"] * len(labels), None, labels, None, Origin(("task", "dataset")))


def fitted(*labels: object, bins: int = 10) -> Regression:
    return RegressionSection(kind="regression", bins=bins).fit(rows(*labels), SOURCE)


def test_metrics_by_hand() -> None:
    """Deviations from the means: predicted -1, 0, 1; true -1, 2, -1. Ranks: 1, 2, 3 and 1.5, 3, 1.5."""
    score = TASK.score(np.float32([1, 2, 3]), np.float32([0, 3, 0]), loss=11 / 3)
    assert list(score.metrics) == ["pearson", "spearman", "mse", "loss"]
    assert score.primary == score.metrics["pearson"] == pytest.approx(0)
    assert score.metrics["spearman"] == pytest.approx(0)
    assert score.metrics["mse"] == pytest.approx((1 + 1 + 9) / 3)
    # predicted 1, 2, 4 has deviations -4/3, -1/3, 5/3; true 1, 3, 2 has -1, 1, 0: 1 / sqrt(42/9 * 2)
    score = TASK.score(np.float32([1, 2, 4]), np.float32([1, 3, 2]), loss=0)
    assert score.primary == pytest.approx(1 / np.sqrt(42 / 9 * 2))
    assert score.metrics["spearman"] == pytest.approx(0.5)  # ranks 1, 2, 3 and 1, 3, 2
    assert score.label_accuracy is None


targets = arrays(np.float32, 12, elements=st.floats(-100, 100, width=32).map(lambda value: np.float32(round(value, 2))))


@settings(deadline=None, max_examples=50)
@given(predicted=targets, true=targets)
def test_correlations_are_those_of_scipy_or_zero_where_undefined(predicted, true) -> None:
    score = TASK.score(predicted, true, 0.0)
    if np.ptp(predicted) == 0 or np.ptp(true) == 0:
        assert (score.metrics["pearson"], score.metrics["spearman"]) == (0, 0)
        return
    wide, long = predicted.astype(np.float64), true.astype(np.float64)
    assert score.primary == pytest.approx(np.corrcoef(wide, long)[0, 1], abs=1e-9)
    ranks = stats.rankdata(wide), stats.rankdata(long)
    assert score.metrics["spearman"] == pytest.approx(np.corrcoef(*ranks)[0, 1], abs=1e-9)


@pytest.mark.parametrize("predicted", [[2, 2, 2], [1, float("nan"), 3], [1, float("inf"), 3]])
def test_a_model_that_answers_a_constant_or_no_number_scores_0(predicted) -> None:
    assert TASK.score(np.float32(predicted), np.float32([1, 2, 3]), 1.0).primary == 0


def test_the_loss_is_the_squared_error_of_every_example() -> None:
    outputs = torch.tensor([[1.0], [2.0], [-1.0]])
    assert TASK.losses(outputs, torch.tensor([3.0, 2.0, 1.0])).tolist() == [4.0, 0.0, 4.0]
    assert TASK.predictions(outputs).tolist() == [1.0, 2.0, -1.0]
    assert TASK.outputs == 1


def test_ranges_hold_equal_parts_of_the_training_targets() -> None:
    task = fitted(*range(100), bins=4)
    assert task.strata == ("0 to 24", "25 to 49", "50 to 74", "75 to 99")
    strata = task.strata_of(task.labels(rows(*range(100)), SOURCE))
    assert np.bincount(strata).tolist() == [25] * 4
    assert task.strata_of(np.float32([-7, 24.5, 1000])).tolist() == [0, 1, 3]  # targets of no training example


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 6), min_size=2, max_size=60).filter(lambda some: len(set(some)) > 1), st.integers(1, 12))
def test_no_range_is_empty_and_equal_targets_share_one(written, bins) -> None:
    task = fitted(*written, bins=bins)
    counts = np.bincount(task.strata_of(np.float32(written)), minlength=len(task.strata))
    assert (counts > 0).all()
    assert len(counts) <= min(bins, len(set(written)))


@pytest.mark.parametrize(
    ("train", "said"),
    [
        (
            "x,1.5\ny,abc\n",
            r"task.dataset.train: .*a.csv:3: example 1 \(from 0\) has the target 'abc'; allowed",
        ),
        ("x,1.5\n\ny,nan\n", r"a.csv:4: example 1 \(from 0\) has the target 'nan'"),
        ('"two\nlines",1.5\ny,inf\n', r"a.csv:4: example 1 \(from 0\) has the target inf"),
        ("x,1.5\ny,\n", r"a.csv:3: example 1 \(from 0\) has no target"),
        ("x,1.5\ny,1e39\n", r"a.csv:3: example 1 \(from 0\) has the target 1e\+39"),
        ("x,2\ny,2\n", "task.dataset.label: all 2 training targets are 2; allowed: at least two different ones"),
    ],
)
def test_targets_that_cannot_be_learned_are_named(train, said, scenario: Load, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\n" + train)
    files = "kind: files, train: a.csv, test: a.csv"
    with pytest.raises(UserError, match=said):
        load_corpus(scenario(f"schema_version: 1\ntask: {{kind: regression, dataset: {{{files}}}}}\n"))


@pytest.mark.parametrize("written", ["true", "null", '"x"', "[1]"])
def test_what_is_no_number_in_a_line_of_json_is_named(written: str, scenario: Load, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(f'\n{{"text": "y", "label": {written}}}\n' * 2)
    files = "kind: files, train: a.jsonl, test: a.jsonl"
    with pytest.raises(UserError, match=r"a.jsonl:2: example 0 \(from 0\) has (no|the) target"):
        load_corpus(scenario(f"schema_version: 1\ntask: {{kind: regression, dataset: {{{files}}}}}\n"))


def test_label_names_are_of_a_classification(scenario: Load, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\nx,1\ny,2\n")
    files = "kind: files, train: a.csv, test: a.csv, label_names: [low, high]"
    with pytest.raises(UserError, match=r"task.dataset.label_names: given 'low'; allowed: null"):
        load_corpus(scenario(f"schema_version: 1\ntask: {{kind: regression, dataset: {{{files}}}}}\n"))


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (
            "{kind: regresion}",
            r":2: task.kind: given 'regresion' \(did you mean 'regression'\?\); allowed: class",
        ),
        ("{kind: regression, bins: 0}", r":2: task.bins: given 0; allowed: an integer"),
        ("{bins: 4}", r":2: task.bins: unknown key; allowed: kind, dataset, partition"),
        ("{kind: regression, partition: {kind: dirichlet, alhpa: 1}}", r"partition.alhpa: unknown key .*'alpha'"),
    ],
)
def test_a_task_section_is_judged_by_its_kind(task: str, said: str, scenario: Load) -> None:
    with pytest.raises(ScenarioError, match=said):
        resolved(scenario(f"schema_version: 1\ntask: {task}\n"))


def test_problems_of_task_and_method_are_reported_together(scenario: Load) -> None:
    with pytest.raises(ScenarioError) as raised:
        resolved(scenario("schema_version: 1\ntask: {bins: 4}\nmethod: {name: fedit, rnk: 4}\n"))
    assert [line.split(": ")[1] for line in str(raised.value).splitlines()] == ["task.bins", "method.rnk"]

"""What holds for every kind of task, dataset and partition."""

import re
import subprocess
import sys

import numpy as np
import pytest

from fedray.errors import UserError
from fedray.learning.datasets import DATASETS
from fedray.learning.partitions import PARTITIONS
from fedray.learning.tasks import TASKS
from fedray.learning.tasks.classification import Classification
from fedray.learning.tasks.regression import Regression
from fedray.scenario import Source
from tests.conftest import PROJECT

LABELS = Classification(("0", "1", "2"), ("a", "b", "c"))
NUMBERS = Regression((), ("0 to 5",))


def test_nothing_outside_the_package_asks_which_task_runs() -> None:
    """Save the schema's discriminator, whose default is a kind."""
    asks = re.compile(rf"tasks\.({'|'.join(TASKS)})|[\"']({'|'.join(TASKS)})[\"']")
    own = PROJECT / "fedray" / "learning" / "tasks"
    schema = PROJECT / "fedray" / "scenario" / "schema" / "task.py"
    paths = [path for path in (PROJECT / "fedray").rglob("*.py") if own not in path.parents and path != schema]
    assert len(paths) > 150
    assert [path.name for path in paths if asks.search(path.read_text())] == []


def test_of_every_primary_metric_higher_is_better() -> None:
    assert all(task.metrics[0].better == "higher" for task in TASKS.values())


@pytest.mark.parametrize(
    ("task", "predicted", "true"),
    [(LABELS, np.int64([0, 1, 2]), np.int64([0, 1, 1])), (NUMBERS, np.float32([0, 1, 3]), np.float32([0, 1, 2]))],
    ids=["classification", "regression"],
)
def test_a_score_has_the_metrics_that_the_task_declares(task, predicted, true) -> None:
    assert list(task.score(predicted, true, 1.0).metrics) == [metric.name for metric in task.metrics]


@pytest.mark.parametrize("task", [LABELS, NUMBERS], ids=["classification", "regression"])
def test_the_loss_of_a_step_is_the_mean_over_its_examples(task) -> None:
    import torch

    outputs = torch.tensor([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0], [4.0, 0.0, 0.0]])[:, : task.outputs]
    labels = torch.tensor([0, 2, 1]) if task is LABELS else torch.tensor([0.0, 2.0, 1.0])
    losses = task.losses(outputs, labels)
    assert losses.shape == (3,)
    assert task.step_loss(outputs, labels).item() == pytest.approx(losses.mean().item(), rel=1e-6)


def test_only_a_regression_refuses_held_out_examples_that_are_all_the_same() -> None:
    source = Source("scenario.yaml", {}, {})
    LABELS.require_scorable(np.int64([1, 1]), "validation", source)
    NUMBERS.require_scorable(np.float32([1, 2]), "validation", source)
    for same in ([3], [3, 3]):
        with pytest.raises(UserError, match=rf"label: all {len(same)} validation targets are 3"):
            NUMBERS.require_scorable(np.float32(same), "validation", source)


def test_kinds_are_known_by_the_name_that_a_scenario_writes() -> None:
    assert list(TASKS) == ["classification", "regression"]
    assert list(DATASETS) == ["stdlib-docs", "files", "hub", "none"]
    assert list(PARTITIONS) == ["iid", "dirichlet", "pathological", "shard", "natural-id", "size-skewed"]


def test_sections_are_validated_without_the_libraries_that_read_and_divide() -> None:
    heavy = {"torch", "ray", "transformers", "datasets", "flwr_datasets", "scipy"}
    code = f"import sys, fedray.experiment.sections; print(sorted({heavy!r} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"

"""Metrics by hand, and held-out examples."""

from collections.abc import Callable

import numpy as np
import pytest

from fedray.errors import UserError
from fedray.learning.corpus import Corpus
from fedray.learning.evaluation import BlockScore, combine, device_accuracies
from fedray.learning.tasks.classification import Classification
from fedray.learning.texts import Texts
from fedray.learning.validation import hold_out
from fedray.scenario import LoadedScenario

Load = Callable[..., LoadedScenario]


def test_metrics_by_hand() -> None:
    truth = np.array([0, 0, 0, 1, 1, 2])
    blocks = [BlockScore(np.array([0, 0, 1]), 1.5), BlockScore(np.array([1, 0, 0]), 4.5)]
    score = combine(Classification(tuple("01234"), tuple("abcde")), blocks, truth)
    assert list(score.metrics) == ["accuracy", "macro_f1", "loss"]
    assert score.primary == score.metrics["accuracy"] == pytest.approx(3 / 6)
    assert score.metrics["loss"] == pytest.approx(6.0 / 6)
    # F1: label 0: 2*2/(3+4), label 1: 2*1/(2+2), label 2: 0; labels 3 and 4 occur nowhere
    assert score.metrics["macro_f1"] == pytest.approx((4 / 7 + 1 / 2 + 0) / 3)
    assert score.label_accuracy[:3].tolist() == pytest.approx([2 / 3, 1 / 2, 0])
    assert np.isnan(score.label_accuracy[3:]).all()


def test_a_devices_accuracy_follows_its_own_labels() -> None:
    label_accuracy = np.array([0.9, 0.5, np.nan])
    histograms = np.array([[4, 0, 0], [1, 3, 6], [0, 0, 5], [0, 0, 0]])
    found = device_accuracies(label_accuracy, histograms)
    assert found[:2].tolist() == pytest.approx([0.9, (0.9 + 3 * 0.5) / 4])
    assert np.isnan(found[2:]).all()


def a_corpus(count: int) -> Corpus:
    texts = Texts([f"text {i}" for i in range(count)], None, np.arange(count) % 2, [f"owner {i}" for i in range(count)])
    return Corpus(Classification(("0", "1"), ("a", "b")), texts, texts)


def test_validation_examples_are_taken_from_training_and_leave_the_test_alone(scenario: Load) -> None:
    corpus = a_corpus(50)
    kept, held_out = hold_out(corpus, scenario("schema_version: 1\ntask: {validation: {share: 0.2}}\n"))
    assert len(held_out) == 10
    assert sorted([*kept.train.texts, *held_out.texts]) == sorted(corpus.train.texts)
    assert kept.test is corpus.test
    assert [text.split()[1] for text in held_out.texts] == [owner.split()[1] for owner in held_out.owners]


def test_another_seed_holds_out_other_examples(scenario: Load) -> None:
    one, other, again = (
        hold_out(a_corpus(50), scenario("schema_version: 1\n", f"seed={seed}"))[1] for seed in (1, 2, 1)
    )
    assert one.texts != other.texts
    assert one.texts == again.texts


def test_without_validation_every_example_is_trained_on(scenario: Load) -> None:
    corpus = a_corpus(5)
    assert hold_out(corpus, scenario("schema_version: 1\ntask: {validation: null}\n")) == (corpus, None)


def test_a_tiny_training_set_keeps_an_example_on_both_sides(scenario: Load) -> None:
    kept, held_out = hold_out(a_corpus(2), scenario("schema_version: 1\ntask: {validation: {share: 0.99}}\n"))
    assert (len(kept.train), len(held_out)) == (1, 1)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("{file: validation.jsonl}", "file with dataset kind stdlib-docs"),
        ("{split: dev}", "split with dataset kind stdlib-docs"),
    ],
)
def test_a_file_or_split_that_the_dataset_cannot_have_is_refused(scenario: Load, section: str, words: str) -> None:
    with pytest.raises(UserError, match=rf":2: task.validation: given '{words}'; allowed: share"):
        hold_out(a_corpus(5), scenario(f"schema_version: 1\ntask: {{validation: {section}}}\n"))

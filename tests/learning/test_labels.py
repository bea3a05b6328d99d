"""Which classes a label column means, and which columns mean none."""

import json
from collections.abc import Sequence
from pathlib import Path

import datasets
import pytest

from fedray.errors import UserError
from fedray.learning.corpus import load_corpus
from fedray.learning.labels import LabelSet, label_set
from fedray.scenario import Source

SOURCE = Source("scenario.yaml", {}, {})


def classes(labels: Sequence[int | str], names: tuple[str, ...] | None = None) -> LabelSet:
    return label_set(labels, None, names, SOURCE)


def test_labels_are_numbered_by_value_and_named_as_written() -> None:
    assert classes([10, 2, 2, 10]).written == ("2", "10")
    assert classes(["b", "a", "1", "-1", "+1"]).names == ("-1", "1", "+1", "a", "b")


@pytest.mark.parametrize(("labels", "names"), [([0, 2, 2], ("x", "z")), ([1, 3, 3], ("x", "z")), ([1, 2], ("y", "z"))])
def test_integer_labels_are_named_from_0_or_from_1(labels, names) -> None:
    """Three names: 0 to 2, or 1 to 3 if 3 is among the labels; a name without examples is left out."""
    assert classes(labels, ("x", "y", "z")).names == names


@pytest.mark.parametrize(
    ("labels", "names", "said"),
    [
        ([0, 3, 3], ("x", "y", "z"), "3 names for labels from 0 to 3"),
        ([-1, 1], ("x", "y"), "2 names for labels from -1 to 1"),
        (["yes", "no"], ("x", "y"), "labels are words: no, yes"),
        ([0, 1], ("x", "x"), "given twice"),
    ],
)
def test_names_that_do_not_suit_the_labels_are_refused(labels, names, said) -> None:
    with pytest.raises(UserError, match=f"task.dataset.label_names: .*{said}"):
        classes(labels, names)


def test_free_text_is_not_a_classification() -> None:
    """400 answers were valid once and trained to an accuracy of 0.000."""
    answers = [f"the answer number {number} is long and is never given twice " * 4 for number in range(400)]
    with pytest.raises(
        UserError, match=r"400 different labels in 400 training examples.*swapped with text\?"
    ) as raised:
        classes(answers)
    assert len(str(raised.value)) < 350
    with pytest.raises(UserError, match="not a classification"):
        classes([*range(21), *range(20)])  # 21 labels, 41 examples
    assert len(classes(list(range(150)) * 2).written) == 150  # two examples of each: few-shot data
    assert len(classes(list(range(20))).written) == 20  # so few labels are never taken for text


@pytest.mark.parametrize("labels", [["4.5", "3.8", "1"], ["0.0", "2.5"]])
def test_numbers_with_fractions_are_not_a_classification(labels) -> None:
    with pytest.raises(UserError, match="numbers with fractions, for example"):
        classes(labels)


def test_numbers_among_words_and_whole_numbers_are_classes() -> None:
    assert classes(["3.10", "latest"]).names == ("3.10", "latest")
    assert classes(["1.0", "2.0"]).names == ("1.0", "2.0")


def test_class_labels_of_the_hub_carry_their_names(scenario, tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    folder.mkdir()
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])})
    rows = {"text": ["a", "b", "c"], "label": [1, 0, 1]}
    for split in ("train", "validation"):
        datasets.Dataset.from_dict(rows, features).to_parquet(folder / f"{split}.parquet")
    hub = f"schema_version: 1\ntask: {{dataset: {{kind: hub, path: {folder}%s}}}}\n"
    corpus = load_corpus(scenario(hub % ""))
    assert corpus.task.label_names == ("neg", "pos")
    assert corpus.train.labels.tolist() == [1, 0, 1]
    assert load_corpus(scenario(hub % ", label_names: [bad, good]")).task.label_names == ("bad", "good")
    with pytest.raises(UserError, match="training label -1 has no name in the data"):
        label_set([-1, 1], features["label"].names, None, SOURCE)


def test_named_labels_of_a_file(scenario, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\nx,2\ny,1\n")
    words = "kind: files, train: a.csv, test: a.csv, label_names: [first, second]"
    assert load_corpus(scenario(f"schema_version: 1\ntask: {{dataset: {{{words}}}}}\n")).task.label_names == (
        "first",
        "second",
    )


LONG = "a sentence that goes on and on " * 50


@pytest.mark.parametrize(
    ("train", "test", "said"),
    [
        ("swapped.jsonl", "swapped.jsonl", "100 different labels"),
        ("fine.jsonl", "swapped.jsonl", "no training example has: .* 88 more"),
        ("wide.csv", "wide.csv", "288 more"),
    ],
)
def test_what_a_message_quotes_of_the_data_is_cut(train, test, said, scenario, tmp_path: Path) -> None:
    """Swapped columns printed 132 kB on one line once."""
    swapped = [{"text": "x", "label": f"{LONG}{number}"} for number in range(100)]
    fine = [{"text": "x", "label": number % 9} for number in range(90)]
    for name, rows in (("swapped", swapped), ("fine", fine)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "wide.csv").write_text(",".join(f"{number} {LONG}" for number in range(300)) + f"\n{',' * 299}\n")
    loaded = scenario(f"schema_version: 1\ntask: {{dataset: {{kind: files, train: {train}, test: {test}}}}}\n")
    with pytest.raises(UserError, match=said) as raised:
        load_corpus(loaded)
    assert len(str(raised.value)) < 1000
    assert len(str(raised.value).splitlines()) == 1

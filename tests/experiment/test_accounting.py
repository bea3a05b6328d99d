"""What is said of the data, worked out by hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from fedray.display.data import data_lines, data_tables
from fedray.errors import UserError
from fedray.experiment.accounting import account, text_lengths
from fedray.learning.corpus import Corpus
from fedray.learning.partition import Shards
from fedray.learning.tasks.classification import Classification
from fedray.learning.texts import Texts
from fedray.results import DataReport, RunDirectory
from fedray.results.data_report import DeviceCounts, ExampleCounts, LabelCount, TextLengths

pytestmark = pytest.mark.model
TASK = Classification(("0", "1", "2"), ("a", "b", "c"))


def texts(labels: list[int]) -> Texts:
    return Texts(["x"] * len(labels), None, np.array(labels), None)


def ints(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


@pytest.fixture
def report() -> DataReport:
    """Ten examples on five devices: two hold three and two, one is topped up, one has two and sits out, one nothing.

    0, 1, 2 | 3, 4 | 5 and copies of 0, 9 | (6, 7) | –; no device has 8 and 9. Labels: six a, three b, one c; of five
    test examples two are a.
    """
    train, test = texts([0, 0, 0, 1, 0, 0, 1, 0, 1, 2]), texts([0, 1, 1, 0, 2])
    none = ints()
    shards = Shards(
        own=(ints(0, 1, 2), ints(3, 4), ints(5), none, none),
        copies=(none, none, ints(0, 9), none, none),
        dealt=ints(3, 2, 1, 2, 0),
    )
    lengths = text_lengths(np.arange(1, 11), ints(4, 5, 6, 7, 8), 6, "given")
    return account(Corpus(TASK, train, test, ("who",)), shards, lengths, validation=4)


def test_every_example_and_device_is_accounted_for(report) -> None:
    assert report == DataReport(
        examples=ExampleCounts(train=10, test=5, validation=4, used=6, dropped=4, copied=2, mean_uses=1.0, most_uses=1),
        devices=DeviceCounts(
            total=5, without_examples=1, topped_up=1, sitting_out=2, smallest=1, median=2.0, largest=3
        ),
        texts=TextLengths(
            max_length=6,
            chosen="given",
            train_p95=10,
            train_longest=10,
            train_cut=4,  # of 7 to 10 tokens
            train_cut_share=0.4,
            test_cut=2,
            test_cut_share=0.4,
        ),
        labels=(LabelCount("a", 6, 2), LabelCount("b", 3, 2), LabelCount("c", 1, 1)),
        majority_label="a",
        majority_accuracy=0.4,
        unused_columns=("who",),
    )


def test_uses_of_an_example_that_several_devices_drew() -> None:
    shards = Shards((ints(0, 1), ints(1, 2), ints(1, 0)), (ints(),) * 3, ints(2, 2, 2))
    corpus = Corpus(TASK, texts([0, 1, 0, 1]), texts([1]))
    counts = account(corpus, shards, text_lengths(ints(1), ints(1), 16, "auto"), validation=0).examples
    assert (counts.used, counts.dropped, counts.copied) == (3, 1, 0)
    assert (counts.mean_uses, counts.most_uses) == (2.0, 3)


def test_data_json_is_read_back_as_it_was(report, tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    assert run.data() is None
    run.write_data(report)
    assert run.data() == report
    assert json.loads((tmp_path / "data.json").read_text())["devices"]["sitting_out"] == 2
    (tmp_path / "data.json").write_text("{}")
    with pytest.raises(UserError, match="not the data report of a run"):
        run.data()


def test_a_run_says_it_in_a_few_short_lines(report) -> None:
    first, second, third = data_lines(report)
    assert first == (
        "data: 6 of 10 training examples used, 4 dropped, 2 copied; 4 for validation and 5 for the test held out; "
        "3 of 5 devices hold 1 to 3, median 2, 1 topped up, 2 sit out, 1 of them empty"
    )
    assert "cut to 6 tokens (given): 4 training (40.0%) and 2 test texts (40.0%)" in second
    assert "3 labels, always answering a scores 0.400" in second
    assert third == "columns of the data that are not used: who"
    assert len(list(data_tables(report))) == 2

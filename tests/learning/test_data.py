"""Texts, tokens, and who holds which."""

import gzip
import json
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

import datasets
import numpy as np
import pytest

from fedray.errors import UserError
from fedray.learning.corpus import load_corpus
from fedray.learning.evaluation import BLOCK, evaluation_set
from fedray.learning.stdlib_docs import PACKAGES, read_standard_library
from fedray.learning.texts import Texts
from fedray.learning.tokens import Tokens, choose_max_length, encode, percentile, tokenise

ROWS = [
    {"text": "a \"quoted' word", "text2": "one", "label": "no", "who": "x"},
    {"text": "b, with comma", "text2": "two", "label": "yes", "who": "y"},
    {"text": "c", "text2": "three", "label": "yes", "who": "x"},
]


def test_the_embedded_task_is_what_it_says() -> None:
    examples = read_standard_library()
    test = [example for example in examples if example.test]
    there = {package for package in PACKAGES if find_spec(package)}  # Debian packs tkinter apart
    least = 4200 if "tkinter" in there else 3400
    assert least < len(examples) - len(test) < 5200
    assert 950 < len(test) < 1400
    assert {example.package for example in test} == there
    assert len({example.text for example in examples}) == len(examples)
    assert all(8 <= len(example.text.split()) <= 64 for example in examples)
    largest = max(sum(example.package == package for example in test) for package in PACKAGES)
    assert 0.15 < largest / len(test) < 0.25


def test_a_class_and_its_methods_fall_on_one_side() -> None:
    examples = read_standard_library()
    methods = [e for e in examples if e.file == "asyncio/queues.py" and "Queue" in e.text]
    assert len(methods) > 2
    by_definition = {}
    for example in methods:
        if "| class Queue(" in example.text or "self._maxsize" in example.text:
            by_definition.setdefault(example.test, []).append(example.text)
    assert len(by_definition) == 1


def write(folder: Path, suffix: str) -> None:
    table = datasets.Dataset.from_list(ROWS)
    for name in ("train", "test"):
        path = folder / f"{name}{suffix}"
        if suffix == ".jsonl.gz":
            path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in ROWS).encode()))
        elif suffix == ".jsonl":
            table.to_json(path)
        elif suffix == ".csv":
            table.to_csv(path, index=False)
        elif suffix == ".tsv":
            lines = ["\t".join(ROWS[0]), *("\t".join(row.values()) for row in ROWS)]
            path.write_text("\n".join(lines) + "\n")
        else:
            table.to_parquet(path)


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".csv", ".tsv", ".parquet"])
def test_local_files_of_every_format_read_alike(suffix, scenario, tmp_path: Path) -> None:
    write(tmp_path, suffix)
    files = f"kind: files, train: train{suffix}, test: test{suffix}, text_pair: text2, natural_id: who"
    corpus = load_corpus(scenario(f"schema_version: 1\ntask: {{dataset: {{{files}}}}}\n"))
    assert corpus.task.label_names == ("no", "yes")
    assert corpus.train.labels.tolist() == [0, 1, 1]
    assert corpus.train.texts == [row["text"] for row in ROWS]
    assert corpus.train.pairs == ["one", "two", "three"]
    assert corpus.train.owners == ["x", "y", "x"]
    assert corpus.unused == ()
    alone = load_corpus(scenario(f"schema_version: 1\ntask: {{dataset: {{{files.split(', text_pair')[0]}}}}}\n"))
    assert alone.unused == ("text2", "who")  # a pair half of which is silently not read is a trap


def test_a_hub_dataset_is_read_by_split_and_column(scenario, tmp_path: Path) -> None:
    """A local folder of a hub dataset's form stands in for the hub, through the same call."""
    folder = tmp_path / "dataset"
    folder.mkdir()
    for split, rows in (("train", ROWS), ("validation", ROWS[:2])):
        datasets.Dataset.from_list(rows).to_parquet(folder / f"{split}.parquet")
    corpus = load_corpus(scenario(f"schema_version: 1\ntask: {{dataset: {{kind: hub, path: {folder}}}}}\n"))
    assert (len(corpus.train), len(corpus.test)) == (3, 2)
    assert corpus.task.label_names == ("no", "yes")
    with pytest.raises(UserError, match=r"task.dataset.path: cannot load"):
        load_corpus(
            scenario(f"schema_version: 1\ntask: {{dataset: {{kind: hub, path: {folder}, train_split: dev}}}}\n")
        )


def test_labels_only_the_test_set_has_are_refused(scenario, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\nx,1\ny,2\n")
    (tmp_path / "b.csv").write_text("text,label\nx,7\n")
    loaded = scenario("schema_version: 1\ntask: {dataset: {kind: files, train: a.csv, test: b.csv}}\n")
    with pytest.raises(UserError, match="no training example has: 7"):
        load_corpus(loaded)


@pytest.mark.parametrize(
    ("train", "said"),
    [
        ("x,1\ny,\nz,2\n", r"task.dataset.train: .*/a.csv:3: example 1 \(from 0\) has no label"),
        ("x,1.5\ny,2.5\n", r"a.csv:2: example 0 \(from 0\) has the label 1.5"),
        ("x,1\ny,1\n", "every example has the label '1'"),
    ],
)
def test_labels_that_cannot_be_learned_are_named(train, said, scenario, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\n" + train)
    loaded = scenario("schema_version: 1\ntask: {dataset: {kind: files, train: a.csv, test: a.csv}}\n")
    with pytest.raises(UserError, match=said):
        load_corpus(loaded)


def test_an_example_without_an_owner_is_refused(scenario, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label,who\nx,1,a\ny,2,\n")
    files = "kind: files, train: a.csv, test: a.csv, natural_id: who"
    with pytest.raises(UserError, match=r"natural_id: .*/a.csv:3: example 1 \(from 0\) has no owner"):
        load_corpus(scenario(f"schema_version: 1\ntask: {{dataset: {{{files}}}}}\n"))


def test_what_looks_missing_or_like_a_number_stays_what_was_written(scenario, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\n0,1\nNA,x\n7,NA\n")
    (tmp_path / "b.csv").write_text("text,label\n0,1\n")
    corpus = load_corpus(scenario("schema_version: 1\ntask: {dataset: {kind: files, train: a.csv, test: b.csv}}\n"))
    assert corpus.train.texts == ["0", "NA", "7"]
    assert corpus.task.label_names == ("1", "NA", "x")
    assert corpus.test.labels.tolist() == [0]


def test_a_file_that_is_not_what_its_name_says_is_refused(scenario, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("not json\n")
    loaded = scenario("schema_version: 1\ntask: {dataset: {kind: files, train: a.jsonl, test: a.jsonl}}\n")
    with pytest.raises(UserError, match=r"task.dataset.train: cannot read"):
        load_corpus(loaded)


def some_tokens(lengths: list[int]) -> Tokens:
    offsets = np.cumsum([0, *lengths]).astype(np.int64)
    return Tokens(np.arange(1, offsets[-1] + 1, dtype=np.int32), None, offsets, np.zeros(len(lengths), np.int64), 0)


@pytest.mark.parametrize("pairs", [False, True])
def test_cutting_encoded_texts_is_what_the_tokenizer_does(pairs, backbone) -> None:
    """Oracle: the tokenizer's own truncation of all texts at once."""
    texts = [" ".join(["a cat sat"] * count) for count in (1, 30, 2, 9)]
    second = ["why not", "the mat " * 20, "x", "loss of signal"] if pairs else None
    tokenizer = backbone.tokenizer()
    encoded = tokenizer(texts, second, truncation=True, max_length=16)
    uncut = encode(Texts(texts, second, np.zeros(4, np.int64), None), tokenizer)
    tokens = uncut.cut(16)
    assert tokens.lengths.tolist() == [len(row) for row in encoded["input_ids"]]
    assert tokens.ids.tolist() == list(chain.from_iterable(encoded["input_ids"]))
    if pairs:
        assert tokens.types.tolist() == list(chain.from_iterable(encoded["token_type_ids"]))
    assert uncut.lengths.tolist() == [len(row) for row in tokenizer(texts, second)["input_ids"]]
    assert uncut.lengths.max() > 90
    assert tokenise(uncut.texts, tokenizer, 512).lengths.tolist() == uncut.lengths.tolist()


def test_auto_cuts_to_the_95th_percentile_in_steps_of_16() -> None:
    lengths = np.arange(1, 101)
    assert percentile(lengths, 0.95) == 95  # 95 of 100 texts have at most 95 tokens
    assert choose_max_length(lengths, 512) == 96
    assert choose_max_length(np.full(20, 33), 512) == 48
    assert choose_max_length(np.full(20, 32), 512) == 32
    assert choose_max_length(np.full(20, 3), 512) == 16
    assert choose_max_length(np.full(20, 9000), 8192) == 512
    assert choose_max_length(np.full(20, 9000), 514) == 512  # RoBERTa: two of its positions are no tokens'
    assert choose_max_length(np.full(20, 9000), 66) == 64


def test_batches_are_padded_to_a_multiple_of_16_on_the_right() -> None:
    batch = some_tokens([3, 17, 5]).batch(np.array([2, 0]))
    ids, mask = batch.inputs["input_ids"], batch.inputs["attention_mask"]
    assert ids.shape == (2, 16)
    assert ids[1, :4].tolist() == [1, 2, 3, 0]
    assert mask.sum(1).tolist() == [5, 3]
    assert some_tokens([3, 17]).batch(np.array([0, 1])).inputs["input_ids"].shape == (2, 32)


def test_evaluation_takes_a_fixed_subset_in_blocks() -> None:
    tokens = some_tokens(np.random.default_rng(0).integers(1, 30, 300).tolist())
    whole = evaluation_set(tokens, None, seed=1).blocks
    assert sorted(np.concatenate(whole).tolist()) == list(range(300))
    assert [len(block) for block in whole] == [BLOCK] * 4 + [300 - 4 * BLOCK]
    some = np.concatenate(evaluation_set(tokens, 100, seed=1).blocks)
    assert len(set(some.tolist())) == 100
    assert (some == np.concatenate(evaluation_set(tokens, 100, seed=1).blocks)).all()

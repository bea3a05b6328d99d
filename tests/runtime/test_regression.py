"""A regression, as sentence similarity is one, from the file to the comparison."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch

import fedray
from fedray.analysis import compare
from fedray.results import RunDirectory, Summary
from fedray.results.lines import round_line

NOUNS = ("apple", "river", "stone", "cloud", "horse", "paper", "music", "garden", "winter", "bridge", "candle",
         "mirror", "forest", "engine", "pocket", "silver", "island", "button", "ladder", "basket")  # fmt: skip
LENGTH = 5  # words of a sentence


def pair(random: Random) -> dict[str, object]:
    """Two sentences, and five times the share of their words that both have."""
    first = random.sample(NOUNS, LENGTH)
    kept = random.sample(first, random.randint(0, LENGTH))
    second = kept + random.sample([word for word in NOUNS if word not in first], LENGTH - len(kept))
    random.shuffle(second)
    share = len(set(first) & set(second)) / len(set(first) | set(second))
    return {"text": " ".join(first), "other": " ".join(second), "similarity": round(5 * share, 3)}


@pytest.fixture
def pairs(tmp_path: Path, two_layers: Path) -> Path:
    """Four boards that learn how similar two sentences are, on two real layers."""
    random = Random(0)
    for name, count in (("train", 400), ("test", 100)):
        rows = [json.dumps(pair(random)) for _ in range(count)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(rows) + "\n")
    path = tmp_path / "pairs.yaml"
    path.write_text(f"""
schema_version: 1
name: pairs
seed: 2
task:
  kind: regression
  bins: 4
  dataset: {{kind: files, train: train.jsonl, test: test.jsonl, text_pair: other, label: similarity}}
  partition: {{kind: dirichlet, alpha: 1.0}}
model: {{backbone: {two_layers}}}
fleet: {{groups: [{{profile: jetson-tx2, count: 4}}]}}
method: {{name: fedit}}
training:
  rounds: 6
  local_steps: 8
  batch_size: 8
  optimiser: {{learning_rate: 3.0e-3, head_learning_rate: 1.0e-2}}
""")
    return path


def test_a_fleet_learns_how_similar_sentences_are(run: Callable[..., Summary], pairs: Path, tmp_path: Path) -> None:
    summary = run("method={name: fedit, rank: 8}", scenario=pairs)
    directory = RunDirectory(tmp_path / "run")
    records = list(directory.rounds())
    curve = [record.metrics["pearson"] for record in records]
    assert curve[0] < 0.5 < 0.7 < curve[-1]
    assert records[-1].metrics["mse"] < 0.7 * records[0].metrics["mse"]
    # files: the primary metric is the first and the score, on the validation examples; there is no accuracy
    assert list(records[-1].metrics) == ["pearson", "spearman", "mse", "loss"]
    assert records[-1].score == records[-1].validation["pearson"] == summary.final_score
    assert records[-1].accuracy is summary.final_accuracy is summary.majority_accuracy is None
    assert summary.primary.name == "pearson"
    assert f"round 6/6  pearson {curve[-1]:.3f}  emulated" in round_line(records[-1], 6, 0)
    # partitions and groups count ranges of the target
    labels, held = directory.labels(), json.loads((tmp_path / "run" / "data.json").read_text())
    assert len(labels) == 4
    assert [label["name"] for label in held["labels"]] == list(labels)
    assert held["strata"] == "ranges of the target"
    comparison = compare([directory])
    assert comparison.metric == "pearson"
    assert comparison.rows[0].final_primary.mean == curve[-1]
    assert comparison.rows[0].final_accuracy.mean is None
    origin = json.loads((tmp_path / "run" / "adapter" / "training.json").read_text())
    assert origin["labels"] == []
    # the loaded model has one output, which correlates with the test's targets as the run says
    model, tokenizer, names = fedray.open_run(tmp_path / "run").load_model()
    assert names == ()
    rows = [json.loads(line) for line in (tmp_path / "test.jsonl").read_text().splitlines()]
    texts = [row["text"] for row in rows], [row["other"] for row in rows]
    with torch.no_grad():
        outputs = model(**tokenizer(*texts, padding=True, return_tensors="pt")).logits
    assert outputs.shape == (100, 1)
    pearson = np.corrcoef(outputs[:, 0].numpy(), [row["similarity"] for row in rows])[0, 1]
    assert pearson == pytest.approx(summary.final_metrics["pearson"], abs=1e-4)


def test_a_target_score_of_a_regression_ends_the_run(run: Callable[..., Summary], pairs: Path) -> None:
    summary = run("training.stop={target: 0.3, hold: 1}", "training.rounds=6", scenario=pairs)
    assert summary.status == "completed"
    assert summary.target.accuracy == 0.3
    assert summary.rounds_completed == summary.target.round < 6


@pytest.mark.parametrize("command", ["validate", "plan"])
def test_a_regression_is_validated_and_planned(command: str, fedray, pairs: Path) -> None:
    found = fedray(command, pairs, "--json")
    assert found.code == 0, found.err
    answer = json.loads(found.out)
    if command == "validate":
        assert answer["scenario"]["task"]["bins"] == 4
        assert sum(label["train"] for label in answer["data"]["labels"]) == 360
        told = fedray("validate", pairs).out
        assert "ranges of the target" in told
        assert "accuracy" not in told
    else:
        assert len(answer["devices"]) == 4

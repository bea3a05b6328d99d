"""Two real layers and a few texts, and training of one device on them."""

from pathlib import Path

import numpy as np
import pytest

from fedray.learning import trainer
from fedray.learning.backbone import Backbone, find_backbone
from fedray.learning.tasks.classification import Classification
from fedray.learning.texts import Texts
from fedray.learning.tokens import Tokens, tokenise
from fedray.protocol import Assignment

WORDS = ["loss of signal in the tunnel", "a cat", "the parser reads a stream of tokens and builds a tree", "why not"]

TASK = Classification(("0", "1", "2"), ("a", "b", "c"))


@pytest.fixture(scope="session")
def backbone(two_layers: Path, tmp_path_factory) -> Backbone:
    from fedray.scenario import load_scenario

    path = tmp_path_factory.mktemp("model") / "s.yaml"
    path.write_text(f"schema_version: 1\ntask: {{max_length: 32}}\nmodel: {{backbone: {two_layers}}}\n")
    return find_backbone(load_scenario(path), labels=3)


@pytest.fixture(scope="session")
def tokens(backbone: Backbone) -> Tokens:
    labels = np.array([0, 1, 2, 1] * 5)
    return tokenise(Texts(WORDS * 5, None, labels, None), backbone.tokenizer(), 32)


def train(model, spec, values, tokens, batches, optimiser, train_head, **words) -> trainer.LocalResult:
    """Train a spec as device 0's assignment; `words` are the assignment's quantisation or hook."""
    given = Assignment(0, 0, spec, len(batches), 1, **words)
    return trainer.train(model, TASK, given, values, tokens, batches, optimiser, train_head, np.random.default_rng(0))


def batches(count: int = 3) -> list[np.ndarray]:
    """Batches of four neighbouring texts."""
    return [np.arange(i, i + 4) for i in range(count)]

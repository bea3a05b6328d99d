"""Judging an adapter on test examples, in blocks that are the same whoever evaluates them."""

from dataclasses import dataclass

import numpy as np
import torch

from fedray.learning.adapted import AdaptedModel
from fedray.learning.tokens import Tokens
from fedray.protocol import Ints
from fedray.seeds import Purpose, generator

BLOCK = 64  # examples evaluated together


@dataclass(frozen=True)
class BlockScore:
    """How one block of examples fared."""

    correct: int
    loss_sum: float
    examples: int


@dataclass(frozen=True)
class Score:
    """Accuracy and mean cross-entropy over all evaluated examples."""

    accuracy: float
    loss: float


def evaluation_blocks(tokens: Tokens, max_examples: int | None, seed: int) -> list[Ints]:
    """The evaluated examples (a fixed random subset, or all), sorted by length and cut into blocks."""
    chosen = np.arange(len(tokens))
    if max_examples is not None and max_examples < len(tokens):
        chosen = np.sort(generator(seed, Purpose.EVAL_SUBSET).permutation(len(tokens))[:max_examples])
    chosen = chosen[np.argsort(tokens.lengths[chosen], kind="stable")]
    return [chosen[start : start + BLOCK] for start in range(0, len(chosen), BLOCK)]


def evaluate_block(model: AdaptedModel, tokens: Tokens, block: Ints) -> BlockScore:
    """Score one block with the adapter the model holds."""
    batch = tokens.batch(block)
    with torch.inference_mode():
        logits = model.logits(batch).cpu()
        losses = torch.nn.functional.cross_entropy(logits, batch.labels, reduction="none")
    correct = int((logits.argmax(-1) == batch.labels).sum())
    return BlockScore(correct, float(np.sum(losses.double().numpy())), len(block))


def combine(scores: list[BlockScore]) -> Score:
    """The whole from its blocks, summed in the order given."""
    examples = sum(score.examples for score in scores)
    return Score(
        accuracy=sum(score.correct for score in scores) / examples,
        loss=float(np.sum(np.array([score.loss_sum for score in scores], dtype=np.float64))) / examples,
    )

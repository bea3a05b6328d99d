"""Judging an adapter on held-out examples, in blocks that are the same whichever host evaluates them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from fedray.arrays import Floats, Ints
from fedray.learning.adapted import AdaptedModel
from fedray.learning.tokens import Tokens
from fedray.seeds import Purpose, generator

BLOCK = 64  # examples evaluated together


@dataclass(frozen=True)
class EvaluationSet:
    """Examples that no device holds, and the blocks in which they are evaluated."""

    tokens: Tokens
    blocks: tuple[Ints, ...]

    @property
    def labels(self) -> Ints:
        """The evaluated examples' labels, block by block, (examples,)."""
        return self.tokens.labels[np.concatenate(self.blocks)]


@dataclass(frozen=True)
class BlockScore:
    """One evaluated block: the predicted label of each example, (examples,), and the sum of their cross-entropies."""

    predictions: Ints
    loss_sum: float


@dataclass(frozen=True)
class Score:
    """Metrics over all evaluated examples.

    `macro_f1` is the mean F1 of the labels that occur among the true or the predicted ones. `label_accuracy` is the
    share of each label's examples that are predicted right, (labels,); nan for a label without examples.
    """

    accuracy: float
    loss: float
    macro_f1: float
    label_accuracy: Floats

    @property
    def metrics(self) -> Mapping[str, float]:
        """Every metric by name; accuracy is the primary one, higher is better."""
        return {"accuracy": self.accuracy, "macro_f1": self.macro_f1, "loss": self.loss}


def evaluation_set(tokens: Tokens, max_examples: int | None, seed: int) -> EvaluationSet:
    """The evaluated examples (a fixed random subset, or all), sorted by length and cut into blocks."""
    chosen = np.arange(len(tokens))
    if max_examples is not None and max_examples < len(tokens):
        chosen = np.sort(generator(seed, Purpose.EVAL_SUBSET).permutation(len(tokens))[:max_examples])
    chosen = chosen[np.argsort(tokens.lengths[chosen], kind="stable")]
    return EvaluationSet(tokens, tuple(chosen[start : start + BLOCK] for start in range(0, len(chosen), BLOCK)))


def evaluate_block(model: AdaptedModel, tokens: Tokens, block: Ints) -> BlockScore:
    """Score one block with the adapter the model holds."""
    batch = tokens.batch(block)
    with torch.inference_mode():
        logits = model.logits(batch).cpu()
        losses = torch.nn.functional.cross_entropy(logits, batch.labels, reduction="none")
    return BlockScore(logits.argmax(-1).numpy(), float(np.sum(losses.double().numpy())))


def combine(scores: Iterable[BlockScore], truth: Ints, labels: int) -> Score:
    """The metrics of all blocks, given in the order of `truth`, (examples,), of which there are `labels` kinds."""
    blocks = list(scores)
    confusion = np.zeros((labels, labels), np.int64)  # rows: true, columns: predicted
    np.add.at(confusion, (truth, np.concatenate([block.predictions for block in blocks])), 1)
    right, actual, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    occurring = actual + predicted > 0
    return Score(
        accuracy=float(right.sum() / len(truth)),
        loss=float(np.sum(np.array([block.loss_sum for block in blocks], dtype=np.float64))) / len(truth),
        macro_f1=float((2 * right / np.maximum(actual + predicted, 1))[occurring].mean()),
        label_accuracy=np.where(actual > 0, right / np.maximum(actual, 1), np.nan),
    )


def device_accuracies(label_accuracy: Floats, label_histograms: Ints) -> Floats:
    """The accuracy that each device may expect on texts of its own label mix, (devices,).

    The test accuracy of every label, (labels,), is weighted by the device's own examples of it, (devices, labels).
    Labels that the test examples lack are left out; nan for a device without examples of any other. An estimate: a
    device's texts may differ from the test's in more than their labels.
    """
    known = ~np.isnan(label_accuracy)
    held = label_histograms[:, known]
    total = held.sum(axis=1)
    weighted = (held * label_accuracy[known]).sum(axis=1)
    accuracies: Floats = np.divide(weighted, total, out=np.full(len(held), np.nan), where=total > 0)
    return accuracies


def every_block(sets: Mapping[str, EvaluationSet]) -> list[tuple[str, int]]:
    """Every block of every set, as (set, number): set by set, ascending."""
    return [(name, number) for name, one in sets.items() for number in range(len(one.blocks))]


def combine_sets(sets: Mapping[str, EvaluationSet], scores: Sequence[BlockScore], labels: int) -> dict[str, Score]:
    """The score of every set from those of its blocks, which stand in the order of `every_block`."""
    places = every_block(sets)
    return {
        name: combine(
            [score for (mine, _), score in zip(places, scores, strict=True) if mine == name], one.labels, labels
        )
        for name, one in sets.items()
    }

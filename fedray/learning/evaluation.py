"""Judging an adapter on held-out examples, in blocks that are the same whichever host evaluates them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from fedray.arrays import Floats, Ints
from fedray.learning.adapted import AdaptedModel
from fedray.learning.tasks import Score, Task
from fedray.learning.texts import Labels
from fedray.learning.tokens import Tokens
from fedray.seeds import Purpose, generator

BLOCK = 64  # examples evaluated together


@dataclass(frozen=True)
class EvaluationSet:
    """Examples that no device holds, and the blocks in which they are evaluated."""

    tokens: Tokens
    blocks: tuple[Ints, ...]

    @property
    def labels(self) -> Labels:
        """The evaluated examples' labels, block by block, (examples,)."""
        return self.tokens.labels[np.concatenate(self.blocks)]


@dataclass(frozen=True)
class BlockScore:
    """One evaluated block: what is predicted for each example, (examples,), and the sum of their losses."""

    predictions: NDArray[np.generic]
    loss_sum: float


def evaluation_set(tokens: Tokens, max_examples: int | None, seed: int) -> EvaluationSet:
    """The evaluated examples (a fixed random subset, or all), sorted by length and cut into blocks."""
    chosen = np.arange(len(tokens))
    if max_examples is not None and max_examples < len(tokens):
        chosen = np.sort(generator(seed, Purpose.EVAL_SUBSET).permutation(len(tokens))[:max_examples])
    chosen = chosen[np.argsort(tokens.lengths[chosen], kind="stable")]
    return EvaluationSet(tokens, tuple(chosen[start : start + BLOCK] for start in range(0, len(chosen), BLOCK)))


def evaluate_block(model: AdaptedModel, task: Task, tokens: Tokens, block: Ints) -> BlockScore:
    """Score one block with the adapter the model holds."""
    batch = tokens.batch(block)
    with torch.inference_mode():
        outputs = model.logits(batch).cpu()
        losses = task.losses(outputs, batch.labels)
    return BlockScore(task.predictions(outputs), float(np.sum(losses.double().numpy())))


def combine(task: Task, scores: Iterable[BlockScore], truth: Labels) -> Score:
    """The metrics of all blocks, given in the order of `truth`, (examples,)."""
    blocks = list(scores)
    loss = float(np.sum(np.array([block.loss_sum for block in blocks], dtype=np.float64))) / len(truth)
    return task.score(np.concatenate([block.predictions for block in blocks]), truth, loss)


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


def combine_sets(task: Task, sets: Mapping[str, EvaluationSet], scores: Sequence[BlockScore]) -> dict[str, Score]:
    """The score of every set from those of its blocks, which stand in the order of `every_block`."""
    of_set: dict[str, list[BlockScore]] = {name: [] for name in sets}
    for (name, _), score in zip(every_block(sets), scores, strict=True):
        of_set[name].append(score)
    return {name: combine(task, of_set[name], one.labels) for name, one in sets.items()}

"""The data of a task made ready: read, held out, dealt to the devices, tokenised, accounted for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fedray.arrays import Ints
from fedray.experiment.accounting import account, text_lengths
from fedray.learning.backbone import Backbone, find_backbone, find_tokenizer
from fedray.learning.corpus import load_corpus
from fedray.learning.evaluation import EvaluationSet, evaluation_set
from fedray.learning.partition import partition
from fedray.learning.partitions import Pool
from fedray.learning.tasks import Task, task_section
from fedray.learning.tokens import Tokens, choose_max_length, encode
from fedray.learning.validation import hold_out
from fedray.results import DataReport, Split
from fedray.scenario import LoadedScenario


@dataclass(frozen=True)
class TaskData:
    """A task, its tokenised examples, who trains on which of them, and those held out by split.

    `shards` are what devices train on: their own examples, and copies where they were topped up.
    """

    task: Task
    train: Tokens
    shards: tuple[Ints, ...]
    held_out: Mapping[str, EvaluationSet]  # test, and validation if the task has it
    report: DataReport

    @property
    def scored_on(self) -> Split:
        """The split whose primary metric is the score."""
        return "validation" if "validation" in self.held_out else "test"


@dataclass(frozen=True)
class PreparedTask:
    """A task's data with the backbone that reads it; `loaded` holds the `max_length` that was chosen.

    `examples` (devices,) and `label_histograms` (devices, strata) count what devices hold of their own.
    """

    loaded: LoadedScenario
    backbone: Backbone
    data: TaskData
    examples: Ints
    label_histograms: Ints


def read_task_data(loaded: LoadedScenario, devices: int) -> PreparedTask:
    """Read a scenario's data and deal it to its devices; UserError, with place and key, where that cannot be done."""
    section, seed, source = task_section(loaded), loaded.scenario.seed, loaded.source
    corpus, validation = hold_out(load_corpus(loaded), loaded)
    task = corpus.task
    tokenizer, longest = find_tokenizer(loaded)
    train = encode(corpus.train, tokenizer)
    held_out = {
        split: encode(texts, tokenizer)
        for split, texts in (("test", corpus.test), ("validation", validation))
        if texts is not None
    }
    # not by the training texts alone: which of them are held out depends on the seed
    known = [train.lengths, *([held_out["validation"].lengths] if validation is not None else [])]
    chosen: Literal["auto", "given"] = "auto" if section.max_length == "auto" else "given"
    loaded = loaded.with_max_length(choose_max_length(np.concatenate(known), longest))
    max_length = loaded.scenario.task.max_tokens
    backbone = find_backbone(loaded, task.outputs)
    strata = task.strata_of(corpus.train.labels)
    shards = partition(Pool(strata, corpus.train.owners), section, devices, seed, source)
    lengths = text_lengths(train.lengths, held_out["test"].lengths, max_length, chosen)
    judged = {
        split: evaluation_set(uncut.cut(max_length), section.eval.max_examples, seed)
        for split, uncut in held_out.items()
    }
    for split, examples in judged.items():
        task.require_scorable(examples.labels, split, source)
    data = TaskData(
        task=task,
        train=train.cut(max_length),
        shards=tuple(shards.trained(device) for device in range(devices)),
        held_out=judged,
        report=account(corpus, shards, lengths, 0 if validation is None else len(validation)),
    )
    return PreparedTask(
        loaded=loaded,
        backbone=backbone,
        data=data,
        examples=np.array([len(own) for own in shards.own]),
        label_histograms=np.stack([np.bincount(strata[own], minlength=len(task.strata)) for own in shards.own]),
    )

"""Counting what became of the data: from the corpus and its shards to a DataReport."""

from typing import Literal

import numpy as np

from fedray.arrays import Ints
from fedray.learning.corpus import Corpus
from fedray.learning.partition import Shards
from fedray.learning.tokens import COVERED, percentile
from fedray.results.data_report import DataReport, DeviceCounts, ExampleCounts, LabelCount, TextLengths


def account(corpus: Corpus, shards: Shards, texts: TextLengths, validation: int) -> DataReport:
    """The report on a corpus that is dealt to devices and cut to a length; `validation` examples are held out."""
    task = corpus.task
    train, test = (
        np.bincount(task.strata_of(texts.labels), minlength=len(task.strata)) for texts in (corpus.train, corpus.test)
    )
    baseline = task.baseline(corpus.train.labels, corpus.test.labels)
    return DataReport(
        examples=_example_counts(corpus, shards, validation),
        devices=_device_counts(shards),
        texts=texts,
        labels=tuple(
            LabelCount(name, *counts) for name, *counts in zip(task.strata, train.tolist(), test.tolist(), strict=True)
        ),
        majority_label=baseline.answer if baseline else None,
        majority_accuracy=baseline.score if baseline else None,
        unused_columns=corpus.unused,
        strata=task.strata_are,
    )


def text_lengths(train: Ints, test: Ints, max_length: int, chosen: Literal["auto", "given"]) -> TextLengths:
    """How much a length cuts; `train` and `test` are tokens of the uncut texts, (examples,)."""
    train_cut, test_cut = int((train > max_length).sum()), int((test > max_length).sum())
    return TextLengths(
        max_length=max_length,
        chosen=chosen,
        train_p95=percentile(train, COVERED),
        train_longest=int(train.max()),
        train_cut=train_cut,
        train_cut_share=train_cut / len(train),
        test_cut=test_cut,
        test_cut_share=test_cut / len(test),
    )


def _example_counts(corpus: Corpus, shards: Shards, validation: int) -> ExampleCounts:
    uses = np.bincount(np.concatenate(shards.own), minlength=len(corpus.train))
    used = int((uses > 0).sum())
    return ExampleCounts(
        train=len(corpus.train),
        test=len(corpus.test),
        validation=validation,
        used=used,
        dropped=len(corpus.train) - used,
        copied=sum(map(len, shards.copies)),
        mean_uses=float(uses.sum() / used),
        most_uses=int(uses.max()),
    )


def _device_counts(shards: Shards) -> DeviceCounts:
    own = np.array([len(mine) for mine in shards.own])
    holding = own[own > 0]
    return DeviceCounts(
        total=len(own),
        without_examples=int((shards.dealt == 0).sum()),
        topped_up=sum(len(copies) > 0 for copies in shards.copies),
        sitting_out=int((own == 0).sum()),
        smallest=int(holding.min()),
        median=float(np.median(holding)),
        largest=int(holding.max()),
    )

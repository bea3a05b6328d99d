"""Texts as token ids: tokenised once, kept flat, shared read-only by all hosts of a node."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from fedray.arrays import Ints
from fedray.learning.texts import Labels, Texts

PAD_MULTIPLE = 16  # padding to a multiple of 16 leaves an example's hidden states bit-equal in any batch
COVERED = 0.95  # of the training texts are not cut by `max_length: auto`: the tail is long, and devices pad to it
LONGEST_AUTO = 512  # tokens: the table of BERT and its kin, and what a board pays grows with every token


@dataclass(frozen=True)
class Batch:
    """A padded batch: int64 ids and mask of shape (batch, tokens), labels (batch,)."""

    inputs: dict[str, torch.Tensor]
    labels: torch.Tensor


@dataclass(frozen=True)
class Tokens:
    """Examples end to end: example i is `ids[offsets[i]:offsets[i + 1]]`; `types` marks the second text of a pair."""

    ids: NDArray[np.int32]
    types: NDArray[np.uint8] | None
    offsets: Ints
    labels: Labels
    pad_id: int

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def lengths(self) -> Ints:
        return np.diff(self.offsets)

    def padded_length(self, indices: Ints) -> int:
        """Tokens of every text of a batch."""
        longest = int((self.offsets[indices + 1] - self.offsets[indices]).max())
        return -(-longest // PAD_MULTIPLE) * PAD_MULTIPLE

    def batch(self, indices: Ints) -> Batch:
        """The examples, padded on the right to a common multiple of 16."""
        spans = [slice(self.offsets[i], self.offsets[i + 1]) for i in indices]
        shape = (len(spans), self.padded_length(indices))
        ids = np.full(shape, self.pad_id, np.int64)
        mask = np.zeros(shape, np.int64)
        types = np.zeros(shape, np.int64)
        for row, span in enumerate(spans):
            length = span.stop - span.start
            ids[row, :length] = self.ids[span]
            mask[row, :length] = 1
            if self.types is not None:
                types[row, :length] = self.types[span]
        inputs = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
        if self.types is not None:
            inputs["token_type_ids"] = torch.from_numpy(types)
        return Batch(inputs, torch.from_numpy(self.labels[indices].copy()))


@dataclass(frozen=True)
class Uncut:
    """Texts (or pairs) as token ids in their full length, from which `cut` makes what is trained on."""

    texts: Texts
    tokenizer: PreTrainedTokenizerBase
    ids: Sequence[Sequence[int]]
    types: Sequence[Sequence[int]] | None

    @cached_property
    def lengths(self) -> Ints:
        """Tokens of each text, special ones included."""
        return np.array([len(row) for row in self.ids], np.int64)

    def cut(self, max_length: int) -> Tokens:
        """Every text, or the longer one of a pair token by token, cut to `max_length` tokens in all."""
        ids = list(self.ids)
        types = list(self.types) if self.types is not None else None
        long = np.flatnonzero(self.lengths > max_length).tolist()
        if long:  # by the tokenizer, which keeps its special tokens at the end
            again = _encode(self.texts, self.tokenizer, long, max_length)
            for place, row in enumerate(long):
                ids[row] = again["input_ids"][place]
                if types is not None:
                    types[row] = again["token_type_ids"][place]
        return Tokens(
            ids=np.fromiter(chain.from_iterable(ids), np.int32),
            types=np.fromiter(chain.from_iterable(types), np.uint8) if types is not None else None,
            offsets=np.cumsum([0, *map(len, ids)]).astype(np.int64),
            labels=self.texts.labels,
            pad_id=padding_token(self.tokenizer),
        )


def encode(texts: Texts, tokenizer: PreTrainedTokenizerBase) -> Uncut:
    """All texts as token ids, none cut."""
    encoded = _encode(texts, tokenizer, range(len(texts)), None)
    with_types = texts.pairs is not None and "token_type_ids" in encoded
    return Uncut(texts, tokenizer, encoded["input_ids"], encoded["token_type_ids"] if with_types else None)


def tokenise(texts: Texts, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Tokens:
    """Texts (or pairs) as token ids, cut to `max_length` tokens."""
    return encode(texts, tokenizer).cut(max_length)


def choose_max_length(lengths: Ints, longest: int) -> int:
    """`task.max_length: auto`: tokens that most texts do not exceed.

    The 95th percentile of the lengths (of training texts, in tokens), rounded up to a multiple of 16, at most 512 and
    at most the multiple of 16 within `longest`, the tokens that the backbone reads.
    """
    wanted = -(-percentile(lengths, COVERED) // PAD_MULTIPLE) * PAD_MULTIPLE
    return max(min(wanted, LONGEST_AUTO, longest // PAD_MULTIPLE * PAD_MULTIPLE), PAD_MULTIPLE)


def percentile(lengths: Ints, share: float) -> int:
    """The smallest length that at least this share of the texts does not exceed."""
    return int(np.quantile(lengths, share, method="inverted_cdf"))


def _encode(
    texts: Texts, tokenizer: PreTrainedTokenizerBase, rows: Sequence[int], max_length: int | None
) -> Mapping[str, Sequence[Sequence[int]]]:
    chosen = [texts.texts[row] for row in rows]
    pairs = [texts.pairs[row] for row in rows] if texts.pairs is not None else None
    encoded: Mapping[str, Sequence[Sequence[int]]] = tokenizer(
        chosen, pairs, truncation=max_length is not None, max_length=max_length
    )
    return encoded


def padding_token(tokenizer: PreTrainedTokenizerBase) -> int:
    """The padding id; models without one (LLaMA) pad with their end-of-text token."""
    return int(tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id)

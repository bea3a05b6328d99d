"""Texts as token ids: tokenised once, kept flat, shared read-only by all hosts of a node."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from fedray.learning.corpus import Texts
from fedray.protocol import Ints

PAD_MULTIPLE = 16  # padding to a multiple of 16 leaves an example's hidden states bit-equal in any batch


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
    labels: Ints
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


def tokenise(texts: Texts, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Tokens:
    """Cut every text (or pair) to `max_length` tokens."""
    pairs = list(texts.pairs) if texts.pairs is not None else None
    encoded = tokenizer(list(texts.texts), pairs, truncation=True, max_length=max_length)
    ids = encoded["input_ids"]
    with_types = texts.pairs is not None and "token_type_ids" in encoded
    return Tokens(
        ids=np.fromiter((token for row in ids for token in row), np.int32),
        types=np.fromiter((t for row in encoded["token_type_ids"] for t in row), np.uint8) if with_types else None,
        offsets=np.cumsum([0, *(len(row) for row in ids)]).astype(np.int64),
        labels=texts.labels,
        pad_id=padding_token(tokenizer),
    )


def padding_token(tokenizer: PreTrainedTokenizerBase) -> int:
    """The padding id; models without one (LLaMA) pad with their end-of-text token."""
    return int(tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id)

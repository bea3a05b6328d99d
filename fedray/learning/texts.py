"""Examples that a task can learn from: texts, and labels as numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedray.arrays import Ints

Labels = NDArray[np.int64] | NDArray[np.float32]  # (examples,): what a task predicts; classes or targets


@dataclass(frozen=True)
class Texts:
    """Examples in a fixed order, each with what its task predicts."""

    texts: Sequence[str]
    pairs: Sequence[str] | None
    labels: Labels
    owners: Sequence[str] | None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: Ints) -> "Texts":
        """The examples at these positions, in this order."""
        pairs, owners = self.pairs, self.owners
        return Texts(
            texts=[self.texts[i] for i in indices],
            pairs=None if pairs is None else [pairs[i] for i in indices],
            labels=self.labels[indices],
            owners=None if owners is None else [owners[i] for i in indices],
        )

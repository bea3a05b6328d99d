"""Partition kind natural-id."""

import heapq
from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from fedray.arrays import Ints
from fedray.errors import UserError
from fedray.learning.partitions.base import PartitionSection, Pool, split_by
from fedray.learning.partitions.shuffle import shuffle
from fedray.scenario import Source


class NaturalId(PartitionSection):
    """An owner's examples stay together on one device, which may hold several owners.

    The owner with most examples is placed first, each on the device with fewest so far; which device that is among
    equals is drawn. More devices than owners leaves devices without examples, which sit out.
    """

    kind: Literal["natural-id"] = Field(
        description="One owner's examples stay on one device; needs `natural_id` in the dataset."
    )

    def divide(self, pool: Pool, devices: int, seed: int, source: Source) -> Sequence[Ints]:
        """All examples of an owner on one device, the largest owner first, each where there are fewest so far.

        Graham's LPT rule: the fullest device holds at most a third more than in the best division (R. L. Graham, SIAM
        J. Appl. Math. 17, 1969). Which of equally full devices comes first is drawn, or the largest owners would
        always be on the first boards.
        """
        if pool.owners is None:
            raise UserError(source.problem(("task", "dataset", "natural_id"), "missing; partition natural-id needs it"))
        chooser = shuffle(pool, seed).chooser
        _, owner_of, sizes = np.unique(np.array(pool.owners), return_inverse=True, return_counts=True)
        emptiest = [(0, rank, device) for rank, device in enumerate(chooser.permutation(devices).tolist())]
        home = np.empty(len(sizes), np.int64)
        for owner in np.argsort(-sizes, kind="stable"):
            size, rank, device = emptiest[0]
            home[owner] = device
            heapq.heapreplace(emptiest, (size + int(sizes[owner]), rank, device))
        return split_by(home[owner_of], devices)

"""Partition kind size-skewed."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from fedray.arrays import Ints
from fedray.learning.partitions.base import PartitionSection, Pool
from fedray.learning.partitions.shuffle import shuffle
from fedray.scenario import Source


class SizeSkewed(PartitionSection):
    """Random labels; sizes grow linearly, squared or exponentially over the devices, in an order that is drawn.

    Device ids follow the boards of `fleet.groups`, so sizes by id would make data a property of the board.
    """

    kind: Literal["size-skewed"] = Field(description="Random labels, and a different number of examples per device.")
    growth: Literal["linear", "square", "exponential"] = Field(
        "linear", description="How the number of examples grows from the smallest device to the largest."
    )

    def divide(self, pool: Pool, devices: int, seed: int, source: Source) -> Sequence[Ints]:
        """One ascending array of example indices per device."""
        from flwr_datasets import partitioner as flwr

        from fedray.learning.partitions.library import deal

        partitioners = {
            "linear": flwr.LinearPartitioner,
            "square": flwr.SquarePartitioner,
            "exponential": flwr.ExponentialPartitioner,
        }
        drawn = shuffle(pool, seed)
        shards = deal(partitioners[self.growth](devices), self.kind, pool, drawn.order, devices, source)
        return [shards[place] for place in drawn.chooser.permutation(devices)]

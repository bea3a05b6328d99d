"""Partition kind shard."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from fedray.arrays import Ints
from fedray.learning.partitions.base import PartitionSection, Pool
from fedray.learning.partitions.shuffle import shuffle
from fedray.scenario import Source
from fedray.scenario.schema import Positive


class Shard(PartitionSection):
    """Examples sorted by label, cut into shards, a few shards dealt to each device."""

    kind: Literal["shard"] = Field(description="A few shards of label-sorted examples per device.")
    shards_per_device: Positive = Field(2, description="Number of shards each device receives.")

    def divide(self, pool: Pool, devices: int, seed: int, source: Source) -> Sequence[Ints]:
        """One ascending array of example indices per device."""
        from flwr_datasets import partitioner as flwr

        from fedray.learning.partitions.library import COLUMN, deal

        drawn = shuffle(pool, seed)
        partitioner = flwr.ShardPartitioner(
            devices, COLUMN, num_shards_per_partition=self.shards_per_device, seed=drawn.library_seed
        )
        return deal(partitioner, self.kind, pool, drawn.order, devices, source)

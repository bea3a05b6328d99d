"""Partition kind pathological."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from fedray.arrays import Ints
from fedray.learning.partitions.base import PartitionSection, Pool
from fedray.learning.partitions.shuffle import shuffle
from fedray.scenario import Source
from fedray.scenario.schema import Positive


class Pathological(PartitionSection):
    """Each device holds only a few labels."""

    kind: Literal["pathological"] = Field(description="A few labels per device.")
    labels_per_device: Positive = Field(2, description="Number of labels each device holds.")

    def divide(self, pool: Pool, devices: int, seed: int, source: Source) -> Sequence[Ints]:
        """One ascending array of example indices per device."""
        from flwr_datasets import partitioner as flwr

        from fedray.learning.partitions.library import COLUMN, deal

        drawn = shuffle(pool, seed)
        partitioner = flwr.PathologicalPartitioner(devices, COLUMN, self.labels_per_device, seed=drawn.library_seed)
        return deal(partitioner, self.kind, pool, drawn.order, devices, source)

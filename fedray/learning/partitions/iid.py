"""Partition kind iid."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from fedray.arrays import Ints
from fedray.learning.partitions.base import ExamplesPerDevice, PartitionSection, Pool, device_generators
from fedray.learning.partitions.shuffle import shuffle
from fedray.learning.replacement import draw_evenly
from fedray.scenario import Source


class Iid(PartitionSection):
    """Equal shares, drawn at random."""

    kind: Literal["iid"] = Field(description="Equal shares of all labels.")
    examples_per_device: ExamplesPerDevice | None = Field(
        None,
        description="Draw as many for every device from the whole training set: devices may hold the same example, so "
        "a large fleet holds data. null: every example goes to one device.",
    )

    def divide(self, pool: Pool, devices: int, seed: int, source: Source) -> Sequence[Ints]:
        """One ascending array of example indices per device."""
        wanted = self.examples_per_device
        if wanted is not None:
            generators = device_generators(wanted, devices, seed, source)
            return [draw_evenly(np.arange(len(pool)), wanted, rng) for rng in generators]
        from flwr_datasets import partitioner as flwr

        from fedray.learning.partitions.library import deal

        return deal(flwr.IidPartitioner(devices), self.kind, pool, shuffle(pool, seed).order, devices, source)

"""Partition kind dirichlet."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from fedray.arrays import Ints
from fedray.learning.partitions.base import ExamplesPerDevice, PartitionSection, Pool, device_generators, split_by
from fedray.learning.partitions.shuffle import shuffle
from fedray.learning.replacement import draw_by_label_mix
from fedray.scenario import Source
from fedray.scenario.schema import LARGEST


class Dirichlet(PartitionSection):
    """Each label's examples are divided over the devices by Dirichlet(alpha): the smaller alpha, the more skewed."""

    kind: Literal["dirichlet"] = Field(description="A label mix per device, drawn from a Dirichlet distribution.")
    alpha: float = Field(
        1.0,
        gt=0,
        le=LARGEST,
        description="Concentration of the Dirichlet distribution; a small one is a strong label skew.",
    )
    examples_per_device: ExamplesPerDevice | None = Field(
        None,
        description="Draw as many for every device from the whole training set, by a label mix of its own from "
        "Dirichlet(alpha * label shares) (Hsu et al. 2019): devices may hold the same example, so a large fleet holds "
        "data. null: every example goes to one device.",
    )

    def divide(self, pool: Pool, devices: int, seed: int, source: Source) -> Sequence[Ints]:
        """One ascending array of example indices per device."""
        wanted = self.examples_per_device
        if wanted is not None:
            generators = device_generators(wanted, devices, seed, source)
            by_stratum = [part for part in split_by(pool.strata, int(pool.strata.max()) + 1) if len(part)]
            return [draw_by_label_mix(by_stratum, self.alpha, wanted, rng) for rng in generators]
        from flwr_datasets import partitioner as flwr

        from fedray.learning.partitions.library import COLUMN, deal

        drawn = shuffle(pool, seed)
        # minimum 0: the library gives up when a minimum cannot be met; our own rule comes after
        partitioner = flwr.DirichletPartitioner(
            devices, COLUMN, self.alpha, min_partition_size=0, seed=drawn.library_seed
        )
        return deal(partitioner, self.kind, pool, drawn.order, devices, source)

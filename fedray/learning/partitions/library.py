"""Dividing by a partitioner of flwr-datasets."""

from collections.abc import Sequence

import datasets
import numpy as np
from flwr_datasets import partitioner as flwr

from fedray.arrays import Ints
from fedray.errors import UserError
from fedray.learning.partitions.base import Pool
from fedray.scenario import Source

COLUMN = "label"  # the stratum's, in the table that a partitioner sees


def deal(
    partitioner: flwr.Partitioner, kind: str, pool: Pool, order: Ints, devices: int, source: Source
) -> Sequence[Ints]:
    """What a partitioner deals from the examples in an `order`, (examples,): ascending indices per device.

    UserError, naming the `kind` of partition, if it cannot serve the devices.
    """
    partitioner.dataset = datasets.Dataset.from_dict({"index": order, COLUMN: pool.strata[order]})
    try:
        return [np.sort(np.array(partitioner.load_partition(i)["index"], np.int64)) for i in range(devices)]
    except (ValueError, IndexError, ZeroDivisionError) as error:
        problem = f"{kind} cannot divide {len(pool)} examples among {devices} devices: {error}"
        raise UserError(source.problem(("task", "partition"), problem)) from None

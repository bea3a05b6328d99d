"""Which device holds which training examples: the field's partitioners, and our rule for devices with too few."""

from collections.abc import Sequence

import datasets
import numpy as np
from flwr_datasets import partitioner as flwr

from fedray.errors import UserError
from fedray.learning.corpus import Texts
from fedray.protocol import Ints
from fedray.scenario import Source
from fedray.scenario.schema import Dirichlet, Iid, NaturalId, Partition, Pathological, Shard, Task
from fedray.seeds import Purpose, generator

_SIZE_SKEWED = {
    "linear": flwr.LinearPartitioner,
    "square": flwr.SquarePartitioner,
    "exponential": flwr.ExponentialPartitioner,
}


def partition(train: Texts, task: Task, devices: int, seed: int, source: Source) -> tuple[Ints, ...]:
    """One ascending array of example indices per device.

    A device with fewer than `task.min_examples` tops up with examples drawn from the whole training set without
    replacement (copies: others keep theirs), or sits out with an empty shard, as `task.too_few` says.

    Raises
    ------
    UserError
        if the partitioner cannot serve so many devices, or every device would sit out.
    """
    shards = _divide(train, task.partition, devices, seed, source)
    if task.too_few == "top-up":
        return tuple(_top_up(shard, device, task.min_examples, len(train), seed) for device, shard in enumerate(shards))
    kept = tuple(shard if len(shard) >= task.min_examples else shard[:0] for shard in shards)
    if not any(len(shard) for shard in kept):
        problem = f"every device would sit out: none of {devices} holds {task.min_examples} examples"
        raise UserError(source.problem(("task", "too_few"), problem))
    return kept


def _divide(train: Texts, section: Partition, devices: int, seed: int, source: Source) -> Sequence[Ints]:
    chooser = generator(seed, Purpose.PARTITION)
    order = chooser.permutation(len(train))  # some partitioners cut in file order
    library_seed = int(chooser.integers(2**31))
    columns = {"index": order, "label": train.labels[order]}
    if isinstance(section, NaturalId):
        if train.owners is None:
            raise UserError(source.problem(("task", "dataset", "natural_id"), "missing; partition natural-id needs it"))
        columns["owner"] = np.array(train.owners)[order]
    divider = _divider(section, devices, library_seed)
    divider.dataset = datasets.Dataset.from_dict(columns)
    try:
        available = min(devices, divider.num_partitions)
        shards = [np.sort(np.array(divider.load_partition(i)["index"], np.int64)) for i in range(available)]
    except (ValueError, IndexError, ZeroDivisionError) as error:
        problem = f"{section.kind} cannot divide {len(train)} examples among {devices} devices: {error}"
        raise UserError(source.problem(("task", "partition"), problem)) from None
    return shards + [np.empty(0, np.int64)] * (devices - available)


def _divider(section: Partition, devices: int, seed: int) -> flwr.Partitioner:
    if isinstance(section, Iid):
        return flwr.IidPartitioner(devices)
    if isinstance(section, Dirichlet):
        # minimum 0: the library gives up when a minimum cannot be met; our own rule comes after
        return flwr.DirichletPartitioner(devices, "label", section.alpha, min_partition_size=0, seed=seed)
    if isinstance(section, Pathological):
        return flwr.PathologicalPartitioner(devices, "label", section.labels_per_device, seed=seed)
    if isinstance(section, Shard):
        return flwr.ShardPartitioner(devices, "label", num_shards_per_partition=section.shards_per_device, seed=seed)
    if isinstance(section, NaturalId):
        return flwr.NaturalIdPartitioner("owner")
    return _SIZE_SKEWED[section.growth](devices)


def _top_up(shard: Ints, device: int, wanted: int, examples: int, seed: int) -> Ints:
    missing = min(wanted, examples) - len(shard)
    if missing <= 0:
        return shard
    others = np.setdiff1d(np.arange(examples), shard)
    extra = generator(seed, Purpose.TOP_UP, 0, device).choice(others, missing, replace=False)
    return np.sort(np.concatenate([shard, extra]))

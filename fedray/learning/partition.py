"""Which device holds which training examples: the field's partitioners, and our rule for devices with too few."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import datasets
import numpy as np
from flwr_datasets import partitioner as flwr

from fedray.arrays import Ints
from fedray.errors import UserError
from fedray.learning.corpus import Texts
from fedray.learning.replacement import draw_by_label_mix, draw_evenly
from fedray.scenario import Source
from fedray.scenario.schema import Dirichlet, Iid, NaturalId, Partition, Pathological, Shard, SizeSkewed, Task
from fedray.seeds import Purpose, generator

_SIZE_SKEWED = {
    "linear": flwr.LinearPartitioner,
    "square": flwr.SquarePartitioner,
    "exponential": flwr.ExponentialPartitioner,
}
MOST_DRAWN = 50_000_000  # examples of all devices together, drawn with replacement: 400 MB of indices


@dataclass(frozen=True)
class Shards:
    """Who holds which training examples, by device.

    `own` are ascending indices, the device's weight and label histogram; empty for a device that sits out. `copies`
    are those that a topped-up device also trains on: they are others', and count nowhere. `dealt` (devices,) are the
    numbers of examples before the rule for devices with too few.
    """

    own: tuple[Ints, ...]
    copies: tuple[Ints, ...]
    dealt: Ints

    def trained(self, device: int) -> Ints:
        """What a device trains on: its own examples and its copies, ascending."""
        if not len(self.copies[device]):
            return self.own[device]
        return np.sort(np.concatenate([self.own[device], self.copies[device]]))


def partition(train: Texts, task: Task, devices: int, seed: int, source: Source) -> Shards:
    """Deal the training examples to the devices.

    Every example goes to one device at most, unless the partition says `examples_per_device`. A device without any
    sits out. One with fewer than `task.min_examples` sits out, too, or is topped up to as many with copies from the
    whole training set, drawn without replacement, as `task.too_few` says.

    Raises
    ------
    UserError
        if the partitioner cannot serve the devices, or every device would sit out.
    """
    dealt = _divide(train, task.partition, devices, seed, source)
    nothing = np.empty(0, np.int64)
    copies = [nothing] * devices
    own = dealt
    if task.too_few == "top-up":
        copies = [_copies(mine, device, task.min_examples, len(train), seed) for device, mine in enumerate(dealt)]
    else:
        own = [mine if len(mine) >= task.min_examples else nothing for mine in dealt]
    if not any(map(len, own)):
        problem = f"every device would sit out: none of {devices} holds {task.min_examples} examples"
        raise UserError(source.problem(("task", "too_few"), problem))
    return Shards(tuple(own), tuple(copies), np.array([len(mine) for mine in dealt]))


def _divide(train: Texts, section: Partition, devices: int, seed: int, source: Source) -> Sequence[Ints]:
    """One ascending array of example indices per device."""
    if isinstance(section, Iid | Dirichlet) and section.examples_per_device is not None:
        return _drawn(train, section, section.examples_per_device, devices, seed, source)
    chooser = generator(seed, Purpose.PARTITION)
    order = chooser.permutation(len(train))  # some partitioners cut in file order
    library_seed = int(chooser.integers(2**31))
    if isinstance(section, NaturalId):
        return _by_owner(train, devices, chooser, source)
    divider = _divider(section, devices, library_seed)
    divider.dataset = datasets.Dataset.from_dict({"index": order, "label": train.labels[order]})
    try:
        shards = [np.sort(np.array(divider.load_partition(i)["index"], np.int64)) for i in range(devices)]
    except (ValueError, IndexError, ZeroDivisionError) as error:
        problem = f"{section.kind} cannot divide {len(train)} examples among {devices} devices: {error}"
        raise UserError(source.problem(("task", "partition"), problem)) from None
    if isinstance(section, SizeSkewed):  # sizes by id would follow the boards
        return [shards[place] for place in chooser.permutation(devices)]
    return shards


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
    if isinstance(section, SizeSkewed):
        return _SIZE_SKEWED[section.growth](devices)
    raise TypeError(f"{section.kind} is not divided by a library")


def _by_owner(train: Texts, devices: int, chooser: np.random.Generator, source: Source) -> Sequence[Ints]:
    """All examples of an owner on one device, the largest owner first, each where there are fewest examples so far.

    Graham's LPT rule: the fullest device holds at most a third more than in the best division (R. L. Graham, SIAM J.
    Appl. Math. 17, 1969). Which of equally full devices comes first is drawn, or the largest owners would always be
    on the first boards.
    """
    if train.owners is None:
        raise UserError(source.problem(("task", "dataset", "natural_id"), "missing; partition natural-id needs it"))
    _, owner_of, sizes = np.unique(np.array(train.owners), return_inverse=True, return_counts=True)
    emptiest = [(0, rank, device) for rank, device in enumerate(chooser.permutation(devices).tolist())]
    home = np.empty(len(sizes), np.int64)
    for owner in np.argsort(-sizes, kind="stable"):
        size, rank, device = emptiest[0]
        home[owner] = device
        heapq.heapreplace(emptiest, (size + int(sizes[owner]), rank, device))
    return _split_by(home[owner_of], devices)


def _split_by(device_of: Ints, devices: int) -> Sequence[Ints]:
    """The ascending indices of each device, from the device of each index."""
    order = np.argsort(device_of, kind="stable")
    ends = np.searchsorted(device_of[order], np.arange(devices), side="right")
    return np.split(order, ends[:-1])


def _drawn(
    train: Texts, section: Iid | Dirichlet, wanted: int, devices: int, seed: int, source: Source
) -> Sequence[Ints]:
    """As many examples for every device, each device's draw by a generator of its own."""
    if wanted * devices > MOST_DRAWN:
        allowed = f"at most {max(1, MOST_DRAWN // devices):,} on {devices:,} devices"
        raise source.error(("task", "partition", "examples_per_device"), wanted, allowed)
    generators = (generator(seed, Purpose.PARTITION, 0, device) for device in range(devices))
    if isinstance(section, Iid):
        return [draw_evenly(np.arange(len(train)), wanted, rng) for rng in generators]
    by_label = [pool for pool in _split_by(train.labels, int(train.labels.max()) + 1) if len(pool)]
    return [draw_by_label_mix(by_label, section.alpha, wanted, rng) for rng in generators]


def _copies(own: Ints, device: int, wanted: int, examples: int, seed: int) -> Ints:
    """What a device with some examples lacks, from those of others."""
    missing = min(wanted, examples) - len(own)
    if missing <= 0 or not len(own):
        return np.empty(0, np.int64)
    others = np.setdiff1d(np.arange(examples), own)
    extra = generator(seed, Purpose.TOP_UP, 0, device).choice(others, missing, replace=False)
    return np.sort(extra)

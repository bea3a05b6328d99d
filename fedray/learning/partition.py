"""Which device holds which training examples: what a partition deals, and our rule for devices with too few."""

from dataclasses import dataclass

import numpy as np

from fedray.arrays import Ints
from fedray.errors import UserError
from fedray.learning.partitions import Pool
from fedray.learning.tasks.base import TaskSection
from fedray.scenario import Source
from fedray.seeds import Purpose, generator


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


def partition(pool: Pool, task: TaskSection, devices: int, seed: int, source: Source) -> Shards:
    """Deal the training examples to the devices.

    Every example goes to one device at most, unless the partition says `examples_per_device`. A device without any
    sits out. One with fewer than `task.min_examples` sits out, too, or is topped up to as many with copies from the
    whole training set, drawn without replacement, as `task.too_few` says.

    Raises
    ------
    UserError
        if the partitioner cannot serve the devices, or every device would sit out.
    """
    dealt = task.partition.divide(pool, devices, seed, source)
    nothing = np.empty(0, np.int64)
    copies = [nothing] * devices
    own = dealt
    if task.too_few == "top-up":
        copies = [_copies(mine, device, task.min_examples, len(pool), seed) for device, mine in enumerate(dealt)]
    else:
        own = [mine if len(mine) >= task.min_examples else nothing for mine in dealt]
    if not any(map(len, own)):
        problem = f"every device would sit out: none of {devices} holds {task.min_examples} examples"
        raise UserError(source.problem(("task", "too_few"), problem))
    return Shards(tuple(own), tuple(copies), np.array([len(mine) for mine in dealt]))


def _copies(own: Ints, device: int, wanted: int, examples: int, seed: int) -> Ints:
    """What a device with some examples lacks, from those of others."""
    missing = min(wanted, examples) - len(own)
    if missing <= 0 or not len(own):
        return np.empty(0, np.int64)
    others = np.setdiff1d(np.arange(examples), own)
    extra = generator(seed, Purpose.TOP_UP, 0, device).choice(others, missing, replace=False)
    return np.sort(extra)

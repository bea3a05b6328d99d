"""What a partition is: its section of the scenario, and how it divides the training examples."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from fedray.arrays import Ints
from fedray.scenario import Source
from fedray.scenario.schema import Section
from fedray.seeds import Purpose, generator

ExamplesPerDevice = Annotated[int, Field(ge=1, le=1_000_000)]
MOST_DRAWN = 50_000_000  # examples of all devices together, drawn with replacement: 400 MB of indices


@dataclass(frozen=True)
class Pool:
    """The training examples as a partition sees them: the stratum of each, (examples,), and its owner, if known.

    A stratum is what the task tells examples apart by: the label of a classification, the range of a target.
    """

    strata: Ints
    owners: Sequence[str] | None

    def __len__(self) -> int:
        return len(self.strata)


class PartitionSection(Section):
    """A section `task.partition`; a kind of partition is one file with a subclass, and a line in the registry.

    The libraries that divide take seconds to import: modules of kinds import them when they divide, so that a wrong
    scenario is refused before.
    """

    kind: str

    @abstractmethod
    def divide(self, pool: Pool, devices: int, seed: int, source: Source) -> Sequence[Ints]:
        """One ascending array of example indices per device; UserError if the devices cannot be served."""


def device_generators(wanted: int, devices: int, seed: int, source: Source) -> Sequence[np.random.Generator]:
    """One generator per device, to draw `wanted` examples each; UserError if they are too many."""
    if wanted * devices > MOST_DRAWN:
        allowed = f"at most {max(1, MOST_DRAWN // devices):,} on {devices:,} devices"
        raise source.error(("task", "partition", "examples_per_device"), wanted, allowed)
    return [generator(seed, Purpose.PARTITION, 0, device) for device in range(devices)]


def split_by(number_of: Ints, count: int) -> Sequence[Ints]:
    """The ascending indices of each of `count` numbers, from the number of each index."""
    order = np.argsort(number_of, kind="stable")
    ends = np.searchsorted(number_of[order], np.arange(count), side="right")
    return np.split(order, ends[:-1])

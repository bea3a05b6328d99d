"""The devices that share a link's or an availability's section."""

from dataclasses import dataclass

import numpy as np

from fedray.seeds import Purpose, generator


@dataclass(frozen=True)
class Members:
    """The `count` devices of fleet group `group` in a run with seed `seed`."""

    seed: int
    group: int
    count: int

    def generator(self, purpose: Purpose, round_: int = 0, *place: int) -> np.random.Generator:
        """The generator of the group's draws for a purpose; with a `place` in the group, of one device's."""
        return generator(self.seed, purpose, round_, self.group, *place)

"""What a kind of availability is: a section of the scenario that says when each device of a group is online."""

from abc import ABC, abstractmethod

import numpy as np

from fedray.environment.members import Members
from fedray.environment.windows import OnlineWindows
from fedray.sections import KindSection
from fedray.seeds import Purpose


class AvailabilitySection(KindSection, ABC):
    """What every availability has: a kind adds its key `kind`, its parameters and `windows`."""

    @abstractmethod
    def windows(self, members: Members) -> tuple[OnlineWindows, ...]:
        """When each device of a group is online; SectionError if a file of the section is unusable."""


class DrawnAvailability(AvailabilitySection):
    """A kind that draws each device's windows from a generator of its own."""

    @abstractmethod
    def draw(self, rng: np.random.Generator, place: int) -> OnlineWindows:
        """The windows of the device at a place of its group, repeated after a day or about one."""

    def windows(self, members: Members) -> tuple[OnlineWindows, ...]:
        places = range(members.count)
        return tuple(self.draw(members.generator(Purpose.PRESENCE, 0, place), place) for place in places)

"""`kind: always`."""

from typing import Literal

from pydantic import Field

from fedray.environment.availability.base import AvailabilitySection
from fedray.environment.members import Members
from fedray.environment.windows import ALWAYS, OnlineWindows


class Always(AvailabilitySection):
    """Every device is online all the time."""

    kind: Literal["always"] = Field(description="Every device is online all the time.")

    def windows(self, members: Members) -> tuple[OnlineWindows, ...]:
        return (ALWAYS,) * members.count

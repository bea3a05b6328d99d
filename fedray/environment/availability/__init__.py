"""When devices are online: one file per kind, which holds its section of the scenario and its behaviour."""

from fedray.environment.availability.always import Always
from fedray.environment.availability.base import AvailabilitySection, DrawnAvailability
from fedray.environment.availability.registry import AVAILABILITIES, Availability

__all__ = ["AVAILABILITIES", "Always", "Availability", "AvailabilitySection", "DrawnAvailability"]

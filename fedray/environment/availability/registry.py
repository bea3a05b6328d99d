"""All kinds of availability: a new one is a file, a test, and a line here."""

from collections.abc import Mapping
from typing import Annotated

from fedray.environment.availability.always import Always
from fedray.environment.availability.base import AvailabilitySection
from fedray.environment.availability.bernoulli import Bernoulli
from fedray.environment.availability.diurnal import Diurnal
from fedray.environment.availability.onoff import OnOff
from fedray.environment.availability.trace import RecordedPresence
from fedray.sections import OneOf

AVAILABILITIES: Mapping[str, type[AvailabilitySection]] = {
    "always": Always,
    "bernoulli": Bernoulli,
    "onoff": OnOff,
    "diurnal": Diurnal,
    "trace": RecordedPresence,
}
Availability = Annotated[AvailabilitySection, OneOf(AVAILABILITIES)]

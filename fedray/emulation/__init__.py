"""Time passing on devices: when each starts, finishes or fails, under the virtual clock."""

from fedray.emulation.corruption import corrupted
from fedray.emulation.energy import Limits
from fedray.emulation.flights import Flights, Landing, take_off
from fedray.emulation.schedule import Outcome, Rules, Schedule, simulate

__all__ = [
    "Flights",
    "Landing",
    "Limits",
    "Outcome",
    "Rules",
    "Schedule",
    "corrupted",
    "simulate",
    "take_off",
]

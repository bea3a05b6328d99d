"""Time passing on devices: when each starts, finishes or fails, under the virtual clock."""

from fedray.emulation.corruption import corrupted
from fedray.emulation.energy import Limits
from fedray.emulation.in_flight import InFlightUpdates, ServerStep, dispatch
from fedray.emulation.schedule import Outcome, Rules, Schedule, simulate

__all__ = [
    "InFlightUpdates",
    "Limits",
    "Outcome",
    "Rules",
    "Schedule",
    "ServerStep",
    "corrupted",
    "dispatch",
    "simulate",
]

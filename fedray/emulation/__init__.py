"""Time passing on devices: when each starts, finishes or fails, under the virtual clock."""

from fedray.emulation.corruption import corrupted
from fedray.emulation.energy import DeviceLimits
from fedray.emulation.in_flight import InFlightUpdates, ServerStep, busy_devices
from fedray.emulation.schedule import RoundTermination, Schedule, simulate

__all__ = [
    "DeviceLimits",
    "InFlightUpdates",
    "RoundTermination",
    "Schedule",
    "ServerStep",
    "busy_devices",
    "corrupted",
    "simulate",
]

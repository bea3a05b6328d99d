"""Time passing on the devices: the schedule of a round under the virtual clock."""

from fedray.emulation.schedule import Schedule, simulate

__all__ = ["Schedule", "simulate"]

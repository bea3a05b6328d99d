"""What an assignment costs a device: seconds, bytes, memory, joules. Pure functions of architecture and assignment."""

from fedray.costs.work import Pricing, Work, joules, transfer_seconds

__all__ = [
    "Pricing",
    "Work",
    "joules",
    "transfer_seconds",
]

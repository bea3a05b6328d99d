"""What an assignment costs a device: seconds, bytes, memory, joules. Pure functions of architecture and assignment."""

from fedray.costs.fit import ThroughputFit, fit_throughput
from fedray.costs.work import Pricing, Work, compute_seconds, joules, transfer_seconds

__all__ = [
    "Pricing",
    "ThroughputFit",
    "Work",
    "compute_seconds",
    "fit_throughput",
    "joules",
    "transfer_seconds",
]

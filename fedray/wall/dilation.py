"""How much slower than the clock on the wall emulated time has to go."""

import numpy as np

from fedray.arrays import Floats

BUSY = 0.6  # share of the machine that devices may ask for at once: steps that coincide still end in their slots
SLOT = 0.5  # share of its slot that a device's own step may take


def needed_dilation(begins: Floats, ends: Floats, machine_seconds: Floats, cores: float) -> float:
    """Wall seconds per emulated second so that the machine can do what the devices ask of it; at least 1.

    Each device computes from `begins` to `ends`, emulated seconds, and that takes `machine_seconds` of one of the
    machine's cores; all (devices,). Those who compute at the same time must not ask for more than `BUSY` of the
    machine together, nor anyone for more than `SLOT` of one core.
    """
    computing = (machine_seconds > 0) & (ends > begins)
    if not computing.any():
        return 1.0
    cores_asked = machine_seconds[computing] / (ends - begins)[computing]
    moments = np.concatenate([ends[computing], begins[computing]])  # who ends makes room for who begins then
    changes = np.concatenate([-cores_asked, cores_asked])
    together = np.cumsum(changes[np.argsort(moments, kind="stable")])
    return max(1.0, float(together.max()) / (BUSY * cores), float(cores_asked.max()) / SLOT)

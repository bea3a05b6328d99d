"""How fast the machine is that really computes: what it takes this one, not an emulated device."""

from dataclasses import dataclass

import numpy as np

from fedray.roofline import Kernels


@dataclass(frozen=True)
class MachineSpeed:
    """One process of this machine while its other cores are busy, too.

    `step_factor` is what a real training step took over what its kernels come to by the other three figures.
    """

    flops_per_second: float
    bytes_per_second: float
    launch_seconds: float
    step_factor: float = 1.0

    def seconds(self, kernels: Kernels) -> float:
        """What it takes this machine to do that."""
        rates = (np.array([rate]) for rate in (self.flops_per_second, self.bytes_per_second, self.launch_seconds))
        return self.step_factor * float(kernels.seconds(*rates)[0])

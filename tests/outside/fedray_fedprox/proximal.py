"""The torch half of the proximal term; only processes that train import it."""

import torch

from fedray.adapters import Layout
from fedray.learning.adapted import AdaptedModel
from fedray.learning.hooks import HookRunner
from fedray_fedprox.fedprox import ProximalTerm


class ProximalRunner(HookRunner[ProximalTerm]):
    """Keeps what the device received, and pulls what it trains towards it."""

    def __init__(self, hook: ProximalTerm, model: AdaptedModel, layout: Layout) -> None:
        super().__init__(hook, model, layout)
        self.received = [(entry, model.part(entry).detach().clone()) for entry in self.trained()]

    def penalty(self) -> torch.Tensor:
        distances = [(self.model.part(entry) - start).square().sum() for entry, start in self.received]
        return 0.5 * self.hook.mu * torch.stack(distances).sum()

    def memory_bytes(self) -> int:
        return sum(start.nbytes for _, start in self.received)

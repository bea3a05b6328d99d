"""HetLoRA's penalty on the ranks that a device may soon prune."""

from typing import Protocol

import torch

from fedray.adapters import Layout
from fedray.learning.adapted import AdaptedModel
from fedray.learning.hooks import HookRunner


class Tail(Protocol):
    """The parameters of the hook: ranks from `keep` on are the tail."""

    @property
    def keep(self) -> int: ...

    @property
    def strength(self) -> float: ...


class TailTrainer(HookRunner[Tail]):
    """The penalty on the tail, and its size before and after."""

    def __init__(self, hook: Tail, model: AdaptedModel, layout: Layout) -> None:
        super().__init__(hook, model, layout)
        with torch.no_grad():
            self.before = float(self._tail())

    def penalty(self) -> torch.Tensor:
        return self.hook.strength * self._tail()

    def measured(self) -> tuple[float, ...]:
        with torch.no_grad():
            return self.before, float(self._tail())

    def _tail(self) -> torch.Tensor:
        keep, products = self.hook.keep, []
        factors = {(entry.module, entry.factor): self.model.part(entry) for entry in self.lora}
        for module, factor in factors:
            if factor == "A":
                a, b = factors[module, "A"][keep:], factors[module, "B"][:, keep:]
                products.append(torch.linalg.vector_norm(b) * torch.linalg.vector_norm(a))
        return torch.stack(products).sum()

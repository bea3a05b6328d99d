"""What FedQuad's devices measure: the gradient norm of every trained layer."""

from fedray.adapters import Layout
from fedray.learning.adapted import AdaptedModel
from fedray.learning.hooks import HookRunner


class NormMeter(HookRunner[object]):
    """The mean over steps of each trained layer's squared LoRA gradient norm."""

    def __init__(self, hook: object, model: AdaptedModel, layout: Layout) -> None:
        super().__init__(hook, model, layout)
        self.squares: dict[int | None, float] = {}
        self.steps = 0

    def after_backward(self) -> None:
        self.steps += 1
        for entry in self.trained():
            square = float(self.model.gradient(entry).double().square().sum())
            self.squares[entry.layer] = self.squares.get(entry.layer, 0.0) + square

    def measured(self) -> tuple[float, ...]:
        return tuple(square / self.steps for square in self.squares.values())

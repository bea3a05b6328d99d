"""What methods ask of a device beyond plain training: terms of the loss, and what it measures of its gradients."""

import numpy as np
import torch

from fedray.adapters import Layout
from fedray.arrays import Values
from fedray.learning.adapted import AdaptedModel
from fedray.protocol import GradientNorms, LocalHook, Selection, TailDecay, TripletSelection


class HookRunner:
    """Runs a hook during one local training. This one does nothing; subclasses implement one hook each."""

    def __init__(self, model: AdaptedModel, layout: Layout) -> None:
        self.model = model
        self.lora = [entry for entry in layout.entries if entry.layer is not None]

    def penalty(self) -> torch.Tensor | None:
        """What is added to the loss of a step."""
        return None

    def after_backward(self) -> None:
        """Look at the gradients of a step, before the optimiser takes it."""

    def measured(self) -> tuple[float, ...]:
        """What the server is told in the end."""
        return ()

    def selection(self) -> Selection | None:
        """Which triplets are sent; None: all there is."""
        return None


class NormMeter(HookRunner):
    """GradientNorms: the mean over steps of each trained layer's squared LoRA gradient norm."""

    def __init__(self, model: AdaptedModel, layout: Layout) -> None:
        super().__init__(model, layout)
        self.squares: dict[int | None, float] = {}
        self.steps = 0

    def after_backward(self) -> None:
        self.steps += 1
        for entry in self.lora:
            if self.model.parameters[entry.module, entry.factor].requires_grad:
                square = float(self.model.gradient(entry).double().square().sum())
                self.squares[entry.layer] = self.squares.get(entry.layer, 0.0) + square

    def measured(self) -> tuple[float, ...]:
        return tuple(square / self.steps for square in self.squares.values())


class TailTrainer(HookRunner):
    """TailDecay: the penalty on the tail, and its size before and after."""

    def __init__(self, model: AdaptedModel, layout: Layout, hook: TailDecay) -> None:
        super().__init__(model, layout)
        self.hook = hook
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


class TripletSelector(HookRunner):
    """TripletSelection: AdaLoRA's importance of every triplet, moving averages over this training's steps alone.

    I = |w * gradient|; mean <- s * mean + (1 - s) * I; doubt <- s * doubt + (1 - s) * |I - mean|; a weight scores
    mean * doubt, a triplet the score of its E entry and the mean scores of its A row and its B column.
    """

    def __init__(self, model: AdaptedModel, layout: Layout, hook: TripletSelection) -> None:
        super().__init__(model, layout)
        self.hook = hook
        self.averages = [(torch.zeros(entry.shape), torch.zeros(entry.shape)) for entry in self.lora]

    def penalty(self) -> torch.Tensor | None:
        if not self.hook.orthogonality:
            return None
        rows = [self.model.part(e) if e.factor == "A" else self.model.part(e).T for e in self.lora if e.factor != "E"]
        grams = [part @ part.T for part in rows]
        distances = [torch.linalg.matrix_norm(gram - torch.eye(len(gram), device=gram.device)) for gram in grams]
        return self.hook.orthogonality * torch.stack(distances).mean()

    @torch.no_grad()
    def after_backward(self) -> None:
        share = self.hook.smoothing
        for entry, (mean, doubt) in zip(self.lora, self.averages, strict=True):
            importance = (self.model.part(entry) * self.model.gradient(entry)).abs().cpu()
            mean.mul_(share).add_(importance, alpha=1 - share)
            doubt.mul_(share).add_((importance - mean).abs(), alpha=1 - share)

    def selection(self) -> Selection:
        scores = self._scores()
        kept = np.zeros(len(scores), np.bool_)
        kept[np.argsort(-scores, kind="stable")[: self.hook.keep]] = True
        return Selection(kept, scores)

    def _scores(self) -> Values:
        by_module: dict[str, torch.Tensor] = {}
        for entry, (mean, doubt) in zip(self.lora, self.averages, strict=True):
            score = mean * doubt
            if entry.factor != "E":
                score = score.mean(1 if entry.factor == "A" else 0)
            by_module[entry.module] = by_module.get(entry.module, torch.zeros(())) + score
        return torch.cat(list(by_module.values())).numpy()


def hook_for(hook: LocalHook | None, model: AdaptedModel, layout: Layout) -> HookRunner:
    """The runner of a hook on a model with a loaded adapter."""
    if isinstance(hook, GradientNorms):
        return NormMeter(model, layout)
    if isinstance(hook, TailDecay):
        return TailTrainer(model, layout, hook)
    if isinstance(hook, TripletSelection):
        return TripletSelector(model, layout, hook)
    return HookRunner(model, layout)

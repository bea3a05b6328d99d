"""Which triplets FedARA's devices vote for: AdaLoRA's importance, within one local training."""

from typing import Protocol

import numpy as np
import torch

from fedray.adapters import Layout
from fedray.arrays import Values
from fedray.learning.adapted import AdaptedModel
from fedray.learning.hooks import HookRunner
from fedray.protocol import Selection


class Triplets(Protocol):
    """The parameters of the hook; see FedARA's TripletSelection."""

    @property
    def keep(self) -> int: ...

    @property
    def orthogonality(self) -> float: ...

    @property
    def smoothing(self) -> float: ...


class TripletSelector(HookRunner[Triplets]):
    """AdaLoRA's importance of every triplet, moving averages over this training's steps alone.

    I = |w * gradient|; mean <- s * mean + (1 - s) * I; doubt <- s * doubt + (1 - s) * |I - mean|; a weight scores
    mean * doubt, a triplet the score of its E entry and the mean scores of its A row and its B column.
    """

    def __init__(self, hook: Triplets, model: AdaptedModel, layout: Layout) -> None:
        super().__init__(hook, model, layout)
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

"""FedSVD: FedARA's adaptation without its rank allocation (arXiv 2501.14406, its own baseline).

dW = scaling * B diag(E) A on every target module, A and B normal, E zero at the start; A, E and B are averaged
separately. The paper's text could not be had: initial values follow AdaLoRA.

Why it learns at five times LoRA's rate. Adam moves an entry by about its learning rate a step, so after k steps by
u = rate * k. An entry of dW is then, for signs at random, scaling * sqrt(rank) times

    LoRA  u * a              with a = 1 / sqrt(3 * in), the standard deviation of A
    SVD   u * (0.02^2 + u^2) as E has gone u, and A and B have left their 0.02 by u

At LoRA's 1e-3 the second is a hundredth of the first for a whole round: only the head learns. They are equal where
u_svd^3 is about u_lora * a: at a multiplier of (a / u_lora^2)^(1/3). After 16 steps at 1e-3 that is 4.9 at width 384
and 4.3 at width 768; it is 5 here. Growth is cubic: LoRA's size is reached after some 16 steps, in one round or in
several, and much higher rates overshoot it. `python -m benchmarks.learning_rate` measures this on real rounds: TREC,
four rounds of 4 steps, |dW| 0.52 (FedSVD) and 0.80 (FedARA) against LoRA's 1.08; two of 16 steps, 2.35 against 2.00.
"""

from typing import Literal, TypeVar

from pydantic import Field

from fedray.adapters import AdapterSpec
from fedray.methods.base import Method, MethodSection
from fedray.protocol import Plan, View
from fedray.scenario.schema import LARGEST


class SVDSection(MethodSection):
    """Parameters of the methods whose adapters have a diagonal between their factors."""

    learning_rate_multiplier: float = Field(
        5.0,
        gt=0,
        le=LARGEST,
        description="The LoRA tensors learn at training.optimiser.learning_rate times this: the product of three small "
        "factors starts smaller than LoRA's.",
    )


class FedSVDSection(SVDSection):
    """FedSVD: truncated-SVD adapters of one rank."""

    name: Literal["fedsvd"] = Field(description="SVD adapters of one rank (the baseline of arXiv 2501.14406).")


Config = TypeVar("Config", bound=MethodSection)


class SVDMethod(Method[Config]):
    """Every participant trains the whole adapter, whose factors have a diagonal between them."""

    def adapter(self) -> AdapterSpec:
        layers, targets = self.context.shape.layers, len(self.context.shape.targets)
        return AdapterSpec.of_modules(((self.config.rank,) * targets,) * layers, self.config.scaling, "svd")

    def plan(self, view: View) -> Plan:
        return self.uniform_plan(view, self.adapter())


class FedSVD(SVDMethod[FedSVDSection]):
    """The SVD adapter at a fixed rank."""

    section = FedSVDSection

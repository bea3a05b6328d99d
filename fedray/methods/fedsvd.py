"""FedSVD: FedARA's adaptation without its rank allocation (arXiv 2501.14406, its own baseline).

dW = scaling * B diag(E) A on every target module, A and B normal, E zero at the start; A, E and B are averaged
separately. The paper's text could not be had: initial values follow AdaLoRA.
"""

from typing import Literal, TypeVar

from fedray.adapters import AdapterSpec
from fedray.methods.base import Method, MethodSection
from fedray.protocol import Plan, View


class FedSVDSection(MethodSection):
    """FedSVD: truncated-SVD adapters of one rank."""

    name: Literal["fedsvd"]


Config = TypeVar("Config", bound=MethodSection)


class SVDMethod(Method[Config]):
    """Every participant trains the whole adapter, whose factors have a diagonal between them."""

    def adapter(self) -> AdapterSpec:
        layers, targets = self.context.shape.layers, len(self.context.shape.targets)
        return AdapterSpec.of_modules(((self.config.rank,) * targets,) * layers, self.config.scaling, "svd")

    def plan(self, view: View) -> Plan:
        return self.same_for_all(view, self.adapter())


class FedSVD(SVDMethod[FedSVDSection]):
    """The SVD adapter at a fixed rank."""

    section = FedSVDSection

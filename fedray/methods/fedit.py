"""FedIT (arXiv 2305.05644): the same LoRA on every device, FedAvg of A and B separately."""

from typing import Literal

from pydantic import Field

from fedray.adapters import AdapterSpec
from fedray.methods.base import Method, MethodSection, ParameterError
from fedray.protocol import Plan, View
from fedray.scenario.schema import Positive


class FedITSection(MethodSection):
    """FedIT: the same LoRA on every device."""

    name: Literal["fedit"] = Field(description="The same LoRA on every device (arXiv 2305.05644).")
    depth: Positive | None = Field(
        None, description="Ablation: number of layers with LoRA, counted from the output; null: all."
    )


class FedIT(Method[FedITSection]):
    """Every participant trains the whole adapter; what does not fit its memory is lost."""

    section = FedITSection

    def adapter(self) -> AdapterSpec:
        layers = self.context.shape.layers
        depth = self.config.depth or layers
        if depth > layers:
            raise ParameterError("depth", f"an integer ≤ {layers}, the backbone's layers, or null")
        full = AdapterSpec((self.config.rank,) * layers, tuple(range(layers)), self.config.scaling)
        return full.deepest(depth)

    def plan(self, view: View) -> Plan:
        return self.uniform_plan(view, self.adapter())

"""FFA-LoRA (arXiv 2403.12313): A stays as it was drawn, and only B is trained and sent."""

from typing import Literal

from fedray.adapters import AdapterSpec
from fedray.methods import Method, MethodSection
from fedray.protocol import Plan, View


class FFALoRASection(MethodSection):
    """FFA-LoRA: A is the same random matrix on every device for good; B is trained and sent."""

    name: Literal["ffa-lora"]


class FFALoRA(Method[FFALoRASection]):
    """The mean of B is exact: with A fixed, the mean of the products is the product of the means."""

    section = FFALoRASection

    def adapter(self) -> AdapterSpec:
        layers = self.context.shape.layers
        return AdapterSpec((self.config.rank,) * layers, tuple(range(layers)), self.config.scaling, fixed=("A",))

    def plan(self, view: View) -> Plan:
        return self.uniform_plan(view, self.adapter())

"""FedProx (arXiv 1812.06127) on LoRA: the loss has a term mu/2 |w - w_global|^2 over the LoRA tensors."""

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from fedray.adapters import AdapterSpec
from fedray.methods import Method, MethodSection
from fedray.protocol import LocalHook, Plan, PricedAdapter, View
from fedray.roofline import FLOAT, Kernel, Kernels
from fedray.scenario.schema import LARGEST


class FedProxSection(MethodSection):
    """FedProx: the same LoRA on every device, kept near the global adapter by a proximal term."""

    name: Literal["fedprox"]
    mu: float = Field(0.01, ge=0, le=LARGEST, description="Weight of the proximal term.")


@dataclass(frozen=True)
class ProximalTerm(LocalHook):
    """A device adds mu/2 |w - w_global|^2 over the LoRA tensors it trains to its loss; it keeps a copy of w_global."""

    runner = "fedray_fedprox.proximal:ProximalRunner"

    mu: float

    def step_kernels(self, adapter: PricedAdapter) -> Kernels:
        """Of a tensor of n floats: the difference, its squares summed, mu times it, and that added to the gradient."""
        sizes = [entry.size for entry in adapter.up.entries if entry.layer is not None]
        moved = ((1, 3), (2, 1), (1, 2), (1, 3))  # operations, and floats read or written, per weight
        return Kernels.of(Kernel(float(flops * n), float(FLOAT * floats * n)) for n in sizes for flops, floats in moved)

    def memory_bytes(self, adapter: PricedAdapter) -> float:
        return float(FLOAT * adapter.up.lora_size)


class FedProx(Method[FedProxSection]):
    """Every participant trains the whole adapter; the server averages."""

    section = FedProxSection

    def adapter(self) -> AdapterSpec:
        layers = self.context.shape.layers
        return AdapterSpec((self.config.rank,) * layers, tuple(range(layers)), self.config.scaling)

    def plan(self, view: View) -> Plan:
        return self.uniform_plan(view, self.adapter(), ProximalTerm(self.config.mu))

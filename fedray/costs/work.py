"""The price of an assignment, independent of who carries it out; and what it takes a given device."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from fedray.adapters import AdapterSpec, BackboneShape, download_layout, upload_layout
from fedray.arrays import Floats, Ints
from fedray.costs.kernels import layer_forward_flops, step_kernels
from fedray.costs.memory import training_memory_bytes
from fedray.protocol import Assignment, LocalHook, PricedAdapter, Quantisation
from fedray.roofline import FLOAT, Kernels


@dataclass(frozen=True)
class Work:
    """One device's round: the kernels of a local step, how many steps, bytes both ways, peak training memory.

    `layer_passes` expresses all operations in forward passes of one layer, the unit in which capacity is estimated:
    estimated compute seconds = layer_passes * layer_seconds.
    """

    step: Kernels
    steps: float
    layer_passes: float
    download_bytes: int
    upload_bytes: int
    memory_bytes: float

    @property
    def flops(self) -> float:
        """Operations of all steps."""
        return self.steps * self.step.flops

    def compute_seconds(self, flops_per_second: Floats, bytes_per_second: Floats, launch_seconds: Floats) -> Floats:
        """Seconds of all steps on devices of these rates, elementwise."""
        return self.steps * self.step.seconds(flops_per_second, bytes_per_second, launch_seconds)


@dataclass(frozen=True)
class Pricing:
    """Prices assignments for one architecture and training setting. Public knowledge: methods may use it.

    The architecture is the backbone's own or that of a cost twin: an adapter is then stretched to the twin's layers
    (see AdapterSpec.stretched_to), and `steps_scale` of the twin's steps stand for one of ours. Devices are taken to
    pad every text to `sequence_length` tokens, as on-device training does; the emulator's own shorter batches only save
    the emulator's time.
    """

    shape: BackboneShape
    batch_size: int
    sequence_length: int
    head: Literal["shared", "local", "frozen"]
    steps_scale: float = 1.0

    def work(
        self,
        spec: AdapterSpec,
        local_steps: int,
        quantisation: Quantisation | None = None,
        hook: LocalHook | None = None,
    ) -> Work:
        """The work of `local_steps` steps of a spec and one transfer each way."""
        return _work(self, spec, local_steps, quantisation, hook)

    def work_of(self, assignment: Assignment) -> Work:
        """The work of an assignment."""
        return self.work(assignment.spec, assignment.local_steps, assignment.quantisation, assignment.hook)


@lru_cache(maxsize=16384)
def _work(
    pricing: Pricing, spec: AdapterSpec, local_steps: int, quantisation: Quantisation | None, hook: LocalHook | None
) -> Work:
    shape, batch, length = pricing.shape, pricing.batch_size, pricing.sequence_length
    priced = spec if spec.layers == shape.layers else spec.stretched_to(shape.layers)
    if quantisation is not None and spec.layers != shape.layers:
        kept = tuple(j for j in range(shape.layers) if j * spec.layers // shape.layers in quantisation.layers)
        quantisation = replace(quantisation, layers=kept)
    steps = local_steps * pricing.steps_scale
    step = step_kernels(shape, priced, batch, length, len(quantisation.layers) if quantisation else 0)
    head_travels = pricing.head == "shared"
    down = download_layout(shape, priced, head_travels)
    up = upload_layout(shape, priced, head_travels)
    memory = training_memory_bytes(shape, priced, batch, length, quantisation)
    down_bytes, up_bytes = FLOAT * down.size, FLOAT * up.size
    if hook is not None:
        adapter = PricedAdapter(priced, spec.layers, down, up)
        step += hook.step_kernels(adapter)
        memory += hook.memory_bytes(adapter)
        down_bytes += hook.download_bytes(adapter)
        up_bytes += hook.upload_bytes(adapter)
    return Work(
        step=step,
        steps=steps,
        layer_passes=steps * step.flops / layer_forward_flops(shape, batch, length),
        download_bytes=down_bytes,
        upload_bytes=up_bytes,
        memory_bytes=memory,
    )


def transfer_seconds(size_bytes: Floats | Ints, mbps: Floats, latency_seconds: Floats | float = 0.0) -> Floats:
    """Seconds of one transfer: latency once, then the bytes at `mbps` (1e6 bits per second), elementwise."""
    return latency_seconds + 8e-6 * size_bytes / mbps


def joules(
    powered: Floats,
    idle_watts: Floats,
    compute: Floats,
    compute_watts: Floats,
    transfer: Floats,
    radio_watts: Floats,
) -> Floats:
    """Energy of a device over its seconds, elementwise.

    It draws `idle_watts` for all the seconds it is powered, `compute_watts` in their place while it computes, and
    `radio_watts` beside them while it sends or receives.
    """
    return powered * idle_watts + compute * (compute_watts - idle_watts) + transfer * radio_watts

"""The price of an assignment, independent of who carries it out; and what it takes a given device."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from fedray.adapters import AdapterSpec, BackboneShape, download_layout, upload_layout
from fedray.costs.flops import layer_forward_flops, step_flops
from fedray.costs.memory import training_memory_bytes
from fedray.protocol import Floats, Ints

FLOAT_BYTES = 4


@dataclass(frozen=True)
class Work:
    """One device's round: operations, local steps, bytes both ways, peak training memory.

    `layer_passes` expresses all operations in forward passes of one layer, the unit in which capacity is estimated:
    estimated compute seconds = layer_passes * layer_seconds.
    """

    flops: float
    steps: int
    layer_passes: float
    download_bytes: int
    upload_bytes: int
    memory_bytes: float


@dataclass(frozen=True)
class Pricing:
    """Prices assignments for one backbone and training setting. Public knowledge: methods may use it.

    Devices are taken to pad every text to `sequence_length` tokens, as on-device training does; the emulator's own
    shorter batches only save the emulator's time.
    """

    shape: BackboneShape
    batch_size: int
    sequence_length: int
    head: Literal["shared", "local", "frozen"]

    def work(self, spec: AdapterSpec, local_steps: int, quantised_layers: int = 0) -> Work:
        """The work of `local_steps` steps of a spec."""
        return _work(self, spec, local_steps, quantised_layers)


@lru_cache(maxsize=4096)
def _work(pricing: Pricing, spec: AdapterSpec, local_steps: int, quantised_layers: int) -> Work:
    shape, batch, length = pricing.shape, pricing.batch_size, pricing.sequence_length
    flops = local_steps * step_flops(shape, spec, batch, length)
    head_travels = pricing.head == "shared"
    return Work(
        flops=flops,
        steps=local_steps,
        layer_passes=flops / layer_forward_flops(shape, batch, length),
        download_bytes=FLOAT_BYTES * download_layout(shape, spec, head_travels).size,
        upload_bytes=FLOAT_BYTES * upload_layout(shape, spec, head_travels).size,
        memory_bytes=training_memory_bytes(shape, spec, batch, length, quantised_layers),
    )


def compute_seconds(flops: Floats, steps: Floats, flops_per_second: Floats, step_overhead_seconds: Floats) -> Floats:
    """Seconds of arithmetic and per-step overhead, elementwise."""
    return flops / flops_per_second + steps * step_overhead_seconds


def transfer_seconds(size_bytes: Floats | Ints, mbps: Floats, latency_seconds: Floats | float = 0.0) -> Floats:
    """Seconds of one transfer: latency once, then the bytes at `mbps` (1e6 bits per second), elementwise."""
    return latency_seconds + 8e-6 * size_bytes / mbps


def joules(compute: Floats, compute_watts: Floats, transfer: Floats, radio_watts: Floats) -> Floats:
    """Energy of computing and of the radio, seconds times watts; idle draw while waiting is not counted."""
    return compute * compute_watts + transfer * radio_watts

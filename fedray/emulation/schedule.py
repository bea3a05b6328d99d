"""The events of one synchronous round: download, compute, upload, wait; or running out of memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import NDArray

from fedray.costs import Pricing, compute_seconds, joules, transfer_seconds
from fedray.fleet import Conditions
from fedray.protocol import Assignment, DeviceReport, Floats, Ints, Plan


@dataclass(frozen=True)
class Schedule:
    """When everything happens, in emulated seconds from the start of the round; every column is (assignments,).

    A device that runs out of memory does so when it would start computing: it has downloaded, it sends nothing, and
    nobody waits for it. Devices do not disturb each other, so each device's events follow from its own times alone.
    """

    devices: Ints
    download_end: Floats
    compute_end: Floats
    upload_end: Floats
    fits: NDArray[np.bool_]
    layer_seconds: Floats  # true seconds of one layer's forward pass, as the device would measure them
    down_mbps: Floats  # goodput as the server measures it: latency counts
    up_mbps: Floats
    bytes_down: Ints
    bytes_up: Ints
    memory_bytes: Floats
    memory_limit_bytes: Floats
    joules: Floats

    @property
    def round_seconds(self) -> float:
        """Until the last update is in; if nobody finishes, until the last device has failed."""
        ends = self.upload_end[self.fits] if self.fits.any() else self.upload_end
        return float(ends.max()) if ends.size else 0.0

    @property
    def waiting_seconds(self) -> Floats:
        """From a device's own end to the end of the round; 0 for devices that failed."""
        return np.where(self.fits, self.round_seconds - self.upload_end, 0.0)

    @property
    def mean_waiting_seconds(self) -> float:
        """Over the devices that finished."""
        return float(self.waiting_seconds[self.fits].mean()) if self.fits.any() else 0.0

    @property
    def peak_memory_bytes(self) -> int:
        """The most any device needs, whether it has it or not."""
        return int(self.memory_bytes.max())

    def finishing(self, plan: Plan) -> list[Assignment]:
        """The assignments that come to an end."""
        return [assignment for assignment, fits in zip(plan.assignments, self.fits, strict=True) if fits]

    def reports(self, losses: Mapping[int, float]) -> list[DeviceReport]:
        """What the server measures of every device that finished; `losses` by device, nan where none is known."""
        columns = (self.devices, self.layer_seconds, self.down_mbps, self.up_mbps)
        rows = zip(*(column[self.fits].tolist() for column in columns), strict=True)
        return [DeviceReport(device, layer, down, up, losses.get(device, nan)) for device, layer, down, up in rows]


def simulate(plan: Plan, conditions: Conditions, pricing: Pricing) -> Schedule:
    """The schedule of a plan under the truth of the round."""
    works = [pricing.work(assignment.spec, assignment.local_steps) for assignment in plan.assignments]
    devices = np.array([assignment.device for assignment in plan.assignments], np.int64)
    bytes_down = np.array([work.download_bytes for work in works], np.int64)
    fits = np.array([work.memory_bytes for work in works]) <= conditions.memory_bytes[devices]
    bytes_up = np.where(fits, [work.upload_bytes for work in works], 0)
    passes = np.array([work.layer_passes for work in works])

    latency = conditions.latency_seconds[devices]
    download = transfer_seconds(bytes_down, conditions.down_mbps[devices], latency)
    compute = compute_seconds(
        np.array([work.flops for work in works]),
        np.array([work.steps for work in works]),
        conditions.flops_per_second[devices],
        conditions.step_overhead_seconds[devices],
    )
    spent_computing = np.where(fits, compute, 0.0)
    upload = np.where(fits, transfer_seconds(bytes_up, conditions.up_mbps[devices], latency), 0.0)
    energy = joules(
        spent_computing, conditions.compute_watts[devices], download + upload, conditions.radio_watts[devices]
    )
    return Schedule(
        devices=devices,
        download_end=download,
        compute_end=download + spent_computing,
        upload_end=download + spent_computing + upload,
        fits=fits,
        layer_seconds=compute / passes,
        down_mbps=_goodput(bytes_down, download),
        up_mbps=_goodput(bytes_up, upload),
        bytes_down=bytes_down,
        bytes_up=bytes_up,
        memory_bytes=np.array([work.memory_bytes for work in works]),
        memory_limit_bytes=conditions.memory_bytes[devices],
        joules=energy,
    )


def _goodput(size_bytes: Ints, seconds: Floats) -> Floats:
    """Mb/s reached; 0 where nothing was sent."""
    mbps: Floats = np.divide(8e-6 * size_bytes, seconds, out=np.zeros_like(seconds), where=seconds > 0)
    return mbps

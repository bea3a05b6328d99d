"""One synchronous round: download, compute, upload, wait, for every device; or running out of memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from fedray.costs import Pricing, Work, joules, transfer_seconds
from fedray.fleet import Conditions
from fedray.protocol import Assignment, DeviceReport, Floats, Ints, Plan


@dataclass(frozen=True)
class Schedule:
    """What everything takes, in emulated seconds; every column is (assignments,).

    Groups run independently of each other and meet at the end of the round. Inside a group, every one of its inner
    rounds is a download, a share of the local steps, an upload, and waiting for the slowest member; conditions hold
    for a whole round, so inner rounds are equally long, and a group's time is the largest sum over its members.
    Seconds, bytes and joules are such sums.

    A device that runs out of memory does so when it would start computing: it has downloaded once, it sends nothing,
    and nobody waits for it. Devices do not disturb each other, so each one's events follow from its own times alone.
    """

    devices: Ints
    download_seconds: Floats
    compute_seconds: Floats
    upload_seconds: Floats
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
    def busy_seconds(self) -> Floats:
        """What each device does itself."""
        return self.download_seconds + self.compute_seconds + self.upload_seconds

    @property
    def round_seconds(self) -> float:
        """Until the last update is in; if nobody finishes, until the last device has failed."""
        busy = self.busy_seconds[self.fits] if self.fits.any() else self.busy_seconds
        return float(busy.max()) if busy.size else 0.0

    @property
    def waiting_seconds(self) -> Floats:
        """What is left of the round, for the group's slowest member or for other groups; 0 for devices that failed."""
        return np.where(self.fits, self.round_seconds - self.busy_seconds, 0.0)

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

    def reports(
        self, losses: Mapping[int, float], measured: Mapping[int, tuple[float, ...]] = MappingProxyType({})
    ) -> list[DeviceReport]:
        """What the server learns of every device that finished; `losses` and what duties measured, by device."""
        columns = (self.devices, self.layer_seconds, self.down_mbps, self.up_mbps)
        rows = zip(*(column[self.fits].tolist() for column in columns), strict=True)
        return [
            DeviceReport(device, layer, down, up, losses.get(device, nan), measured.get(device, ()))
            for device, layer, down, up in rows
        ]


def simulate(plan: Plan, conditions: Conditions, pricing: Pricing) -> Schedule:
    """The schedule of a plan under the truth of the round."""
    works = [pricing.work_of(assignment) for assignment in plan.assignments]
    devices = np.array([assignment.device for assignment in plan.assignments], np.int64)
    by_group = {group.id: group.inner_rounds for group in plan.groups}
    inner_rounds = np.array([by_group[assignment.group] for assignment in plan.assignments], np.int64)
    memory = np.array([work.memory_bytes for work in works])
    fits = memory <= conditions.memory_bytes[devices]

    latency = conditions.latency_seconds[devices]
    one_down = np.array([work.download_bytes for work in works], np.int64)
    one_up = np.array([work.upload_bytes for work in works], np.int64)
    down_seconds = transfer_seconds(one_down, conditions.down_mbps[devices], latency)
    up_seconds = transfer_seconds(one_up, conditions.up_mbps[devices], latency)
    computing = _compute_seconds(works, devices, conditions)
    download = np.where(fits, inner_rounds, 1) * down_seconds
    upload = np.where(fits, inner_rounds * up_seconds, 0.0)
    compute = np.where(fits, computing, 0.0)
    return Schedule(
        devices=devices,
        download_seconds=download,
        compute_seconds=compute,
        upload_seconds=upload,
        fits=fits,
        layer_seconds=computing / np.array([work.layer_passes for work in works]),
        down_mbps=_goodput(one_down, down_seconds),
        up_mbps=_goodput(one_up, up_seconds),
        bytes_down=np.where(fits, inner_rounds, 1) * one_down,
        bytes_up=np.where(fits, inner_rounds * one_up, 0),
        memory_bytes=memory,
        memory_limit_bytes=conditions.memory_bytes[devices],
        joules=joules(compute, conditions.compute_watts[devices], download + upload, conditions.radio_watts[devices]),
    )


def _compute_seconds(works: Sequence[Work], devices: Ints, conditions: Conditions) -> Floats:
    """Seconds of every work on its device; devices with the same work are taken together."""
    places: dict[int, list[int]] = {}
    for place, work in enumerate(works):
        places.setdefault(id(work), []).append(place)
    seconds = np.empty(len(works))
    for alike in places.values():
        mine = devices[alike]
        seconds[alike] = works[alike[0]].compute_seconds(
            conditions.flops_per_second[mine], conditions.bytes_per_second[mine], conditions.launch_seconds[mine]
        )
    return seconds


def _goodput(size_bytes: Ints, seconds: Floats) -> Floats:
    """Mb/s reached; 0 where nothing was sent."""
    mbps: Floats = np.divide(8e-6 * size_bytes, seconds, out=np.zeros_like(seconds), where=size_bytes > 0)
    return mbps

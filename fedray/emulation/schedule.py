"""One synchronous round: download, compute, upload, wait, for every device; or running out of memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from fedray.costs import Pricing, Work, joules
from fedray.fleet import Conditions
from fedray.protocol import Assignment, DeviceReport, Floats, Ints, Plan


@dataclass(frozen=True)
class Schedule:
    """What everything takes, in emulated seconds; every column is (assignments,).

    Groups run independently of each other and meet at the end of the round. Inside a group, every one of its inner
    rounds is a download, a share of the local steps, an upload, and waiting for the slowest member. Seconds, bytes and
    joules are sums over inner rounds; `end_seconds` counts from the start of the round to a device's last upload.

    A device that runs out of memory does so when it would start computing: it has downloaded once, it sends nothing,
    and nobody waits for it. Devices do not disturb each other but for that waiting.
    """

    devices: Ints
    download_seconds: Floats
    compute_seconds: Floats
    upload_seconds: Floats
    end_seconds: Floats
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
        ends = self.end_seconds[self.fits] if self.fits.any() else self.end_seconds
        return float(ends.max()) if ends.size else 0.0

    @property
    def waiting_seconds(self) -> Floats:
        """What is left of the round, for the group's slowest member or for other groups; 0 for devices that failed."""
        return np.where(self.fits, np.maximum(self.round_seconds - self.busy_seconds, 0.0), 0.0)

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


def simulate(plan: Plan, conditions: Conditions, pricing: Pricing, started: float) -> Schedule:
    """The schedule of a plan under the truth of a round that starts so many emulated seconds into the run."""
    works = [pricing.work_of(assignment) for assignment in plan.assignments]
    devices = np.array([assignment.device for assignment in plan.assignments], np.int64)
    places = {group.id: place for place, group in enumerate(plan.groups)}
    place_of_group = np.array([places[assignment.group] for assignment in plan.assignments], np.int64)
    inner_rounds = np.array([group.inner_rounds for group in plan.groups], np.int64)[place_of_group]
    memory = np.array([work.memory_bytes for work in works])
    fits = memory <= conditions.memory_bytes[devices]
    one_down = np.array([work.download_bytes for work in works], np.int64)
    one_up = np.array([work.upload_bytes for work in works], np.int64)
    computing = _compute_seconds(works, devices, conditions)

    download, upload, end, begin = (np.zeros(len(devices)) for _ in range(4))
    for inner in range(int(inner_rounds.max(initial=0))):
        taking = np.flatnonzero((inner_rounds > inner) & (fits | (inner == 0)))
        mine, going = devices[taking], fits[taking]
        received = conditions.down.transfer_seconds(mine, one_down[taking], started + begin[taking])
        ready = begin[taking] + received + np.where(going, computing[taking] / inner_rounds[taking], 0.0)
        sent = np.where(going, conditions.up.transfer_seconds(mine, one_up[taking], started + ready), 0.0)
        download[taking] += received
        upload[taking] += sent
        end[taking] = np.where(going, ready + sent, received)
        latest = np.zeros(len(plan.groups))
        np.maximum.at(latest, place_of_group[taking[going]], end[taking[going]])
        begin = latest[place_of_group]

    compute = np.where(fits, computing, 0.0)
    downloads, uploads = np.where(fits, inner_rounds, 1), np.where(fits, inner_rounds, 0)
    return Schedule(
        devices=devices,
        download_seconds=download,
        compute_seconds=compute,
        upload_seconds=upload,
        end_seconds=end,
        fits=fits,
        layer_seconds=computing / np.array([work.layer_passes for work in works]),
        down_mbps=_goodput(downloads * one_down, download),
        up_mbps=_goodput(uploads * one_up, upload),
        bytes_down=downloads * one_down,
        bytes_up=uploads * one_up,
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

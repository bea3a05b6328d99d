"""The devices of one round as columns."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from fedray.arrays import Flags, Floats, Ints
from fedray.protocol import Outcome
from fedray.results.records import DeviceRecord


@dataclass(frozen=True)
class RoundDevices:
    """The devices of one round; every column has shape (devices,), ordered by ascending id."""

    round: int
    ids: Ints
    profiles: tuple[str, ...]
    modes: tuple[str, ...]
    groups: Ints
    depths: Ints
    mean_ranks: Floats  # over the tuned layers, 0 where there are none
    quantised_layers: Ints
    inner_rounds: Ints
    download_seconds: Floats
    compute_seconds: Floats
    upload_seconds: Floats
    waiting_seconds: Floats
    finished: Flags
    outcomes: tuple[str, ...]

    @property
    def busy_seconds(self) -> Floats:
        """Of all downloads, computing and uploads."""
        return self.download_seconds + self.compute_seconds + self.upload_seconds


def columns(round_: int, records: Iterable[DeviceRecord]) -> RoundDevices:
    """The columns of a round's records, in any order."""
    devices = sorted(records, key=lambda device: device.id)
    return RoundDevices(
        round=round_,
        ids=np.array([device.id for device in devices], np.int64),
        profiles=tuple(str(device.profile) for device in devices),
        modes=tuple(str(device.mode) for device in devices),
        groups=np.array([device.group for device in devices], np.int64),
        depths=np.array([device.depth for device in devices], np.int64),
        mean_ranks=np.array([sum(device.ranks) / max(len(device.ranks), 1) for device in devices], np.float64),
        quantised_layers=np.array([device.quantised_layers for device in devices], np.int64),
        inner_rounds=np.array([device.inner_rounds for device in devices], np.int64),
        download_seconds=np.array([device.download_seconds for device in devices], np.float64),
        compute_seconds=np.array([device.compute_seconds for device in devices], np.float64),
        upload_seconds=np.array([device.upload_seconds for device in devices], np.float64),
        waiting_seconds=np.array([device.waiting_seconds for device in devices], np.float64),
        finished=np.array([device.finished for device in devices], np.bool_),
        outcomes=tuple(device.outcome if device.fits else Outcome.OUT_OF_MEMORY.value for device in devices),
    )

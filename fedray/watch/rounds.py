"""A round as the page shows it: every device's timeline, and the groups."""

from collections.abc import Mapping, Sequence

import numpy as np

from fedray.protocol import Outcome
from fedray.results import DeviceRecord
from fedray.results.divergence import LabelMixes
from fedray.results.downsample import evenly
from fedray.results.round_devices import RoundDevices, columns
from fedray.results.timeline import Change, timelines
from fedray.watch.views import DeviceView, GroupView, RoundView

MOST_DEVICES = 2_000  # boards of a grid that a browser moves without stutter
MOST_GROUPS = 200


def round_view(
    number: int,
    seconds: float,
    devices: Sequence[DeviceRecord],
    losses: Mapping[int, float | None] | None,
    links: Sequence[str],
    mixes: LabelMixes,
    own_time: bool,
) -> RoundView:
    """A round and its length in seconds; `losses` are None while it is in progress, `links` are the whole fleet's.

    On their own time devices end at different moments and began before the step: all that is known is how long they
    worked and waited until it took their updates.
    """
    ordered = sorted(devices, key=lambda device: device.id)
    shown = evenly(len(ordered), MOST_DEVICES).tolist() if ordered else []
    cols = columns(number, ordered)
    changes = timelines(cols) if ordered else []
    begins = seconds - cols.waiting_seconds - cols.busy_seconds if own_time else np.zeros(len(ordered))
    return RoundView(
        round=number,
        complete=losses is not None,
        own_time=own_time,
        round_seconds=seconds,
        fleet=len(links),
        left_out=len(ordered) - len(shown),
        devices=[
            _device(ordered[i], changes[i], float(begins[i]), (losses or {}).get(ordered[i].id), links) for i in shown
        ],
        groups=[] if own_time else _groups(cols, mixes),
    )


def _device(
    device: DeviceRecord, changes: Sequence[Change], begins: float, loss: float | None, links: Sequence[str]
) -> DeviceView:
    return DeviceView(
        id=device.id,
        profile=device.profile,
        mode=device.mode,
        link=links[device.id] if device.id < len(links) else "",
        group=device.group,
        depth=device.depth,
        ranks=device.ranks,
        quantised_layers=device.quantised_layers,
        memory_bytes=device.memory_bytes,
        memory_limit_bytes=device.memory_limit_bytes,
        bytes_up=device.bytes_up,
        bytes_down=device.bytes_down,
        busy_seconds=device.download_seconds + device.compute_seconds + device.upload_seconds,
        waiting_seconds=device.waiting_seconds,
        joules=device.joules,
        outcome=device.outcome if device.fits else Outcome.OUT_OF_MEMORY.value,
        loss=loss,
        timeline=[(begins + change.seconds, change.activity.value) for change in changes],
    )


def _groups(devices: RoundDevices, mixes: LabelMixes) -> list[GroupView]:
    found = []
    for group in np.unique(devices.groups)[:MOST_GROUPS].tolist():
        mine = devices.groups == group
        found.append(
            GroupView(
                id=group,
                devices=int(mine.sum()),
                inner_rounds=int(devices.inner_rounds[mine].max()),
                mean_depth=float(devices.depths[mine].mean()),
                busy_seconds=float(devices.busy_seconds[mine].max()),
                label_divergence=mixes.divergence(devices.ids[mine].tolist()),
            )
        )
    return found

"""A round as the page shows it: every device's timeline, and the groups."""

from collections.abc import Sequence

import numpy as np

from fedray.results import DeviceRecord
from fedray.results.downsample import evenly
from fedray.results.label_mixes import LabelMixes
from fedray.results.round_devices import RoundDevices
from fedray.results.timeline import Change, timelines
from fedray.watch.views import DeviceView, GroupView, RoundView

MOST_DEVICES = 2_000  # boards of a grid that a browser moves without stutter
MOST_GROUPS = 200


def round_view(
    seconds: float,
    devices: RoundDevices,
    losses: Sequence[float | None] | None,
    links: Sequence[str],
    mixes: LabelMixes,
    own_time: bool,
) -> RoundView:
    """A round and its length in seconds; `losses` of the devices are None while it is in progress.

    `links` are the whole fleet's.

    On their own time devices end at different moments and began before the step: all that is known is how long they
    worked and waited until it took their updates.
    """
    shown = evenly(len(devices), MOST_DEVICES).tolist() if len(devices) else []
    changes = timelines(devices) if len(devices) else []
    begins = seconds - devices.waiting_seconds - devices.busy_seconds if own_time else np.zeros(len(devices))
    return RoundView(
        round=devices.round,
        complete=losses is not None,
        own_time=own_time,
        round_seconds=seconds,
        fleet=len(links),
        left_out=len(devices) - len(shown),
        devices=[
            _device(record, changes[i], float(begins[i]), losses[i] if losses else None, links)
            for i, record in zip(shown, devices.rows(shown), strict=True)
        ],
        groups=[] if own_time else _groups(devices, mixes),
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
        outcome=device.outcome,
        loss=loss,
        timeline=[(begins + change.seconds, change.activity.value) for change in changes],
    )


def _groups(devices: RoundDevices, mixes: LabelMixes) -> list[GroupView]:
    found = []
    for group in np.unique(devices.group)[:MOST_GROUPS].tolist():
        mine = devices.group == group
        found.append(
            GroupView(
                id=group,
                devices=int(mine.sum()),
                inner_rounds=int(devices.inner_rounds[mine].max()),
                mean_depth=float(devices.depth[mine].mean()),
                busy_seconds=float(devices.busy_seconds[mine].max()),
                label_divergence=mixes.divergence(devices.id[mine].tolist()),
            )
        )
    return found

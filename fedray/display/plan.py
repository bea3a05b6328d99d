"""A planned round: every device, and the means of each profile."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import mean
from typing import TYPE_CHECKING

from rich.table import Table

from fedray.display.tables import table
from fedray.results import DeviceRecord
from fedray.results.quantities import size

if TYPE_CHECKING:
    from fedray.experiment.dry_run import PlannedRound

DEVICE_ROWS = 100  # larger fleets are shown by profile only; --json has every device


def plan_tables(planned_round: PlannedRound) -> Iterable[Table | str]:
    """A planned round: by device if there are few, then by profile."""
    if len(planned_round.devices) <= DEVICE_ROWS:
        yield _device_table(planned_round.devices)
    groups: dict[str, list[DeviceRecord]] = defaultdict(list)
    for device in planned_round.devices:
        groups[device.profile].append(device)
    right = ("devices", "depth", "compute s", "transfer s", "waiting s", "memory", "not finished")
    rows = table(f"means of round {planned_round.round}", ("profile",), right)
    for profile, devices in sorted(groups.items()):
        rows.add_row(
            profile,
            str(len(devices)),
            f"{mean(device.depth for device in devices):.1f}",
            f"{mean(device.compute_seconds for device in devices):.2f}",
            f"{mean(device.download_seconds + device.upload_seconds for device in devices):.2f}",
            f"{mean(device.waiting_seconds for device in devices):.2f}",
            size(mean(device.memory_bytes for device in devices)),
            str(sum(not device.finished for device in devices)),
        )
    yield rows
    if len(planned_round.groups) > 1:
        yield _group_table(planned_round)
    if planned_round.twin:
        yield f"all costs are those of {planned_round.twin}; a small stand-in would be trained"
    yield (
        f"round {planned_round.round_seconds:.1f} s, mean waiting {planned_round.mean_waiting_seconds:.1f} s, "
        f"{size(planned_round.bytes_up)} up, {size(planned_round.bytes_down)} down"
    )


def _group_table(planned_round: PlannedRound) -> Table:
    rows = table("groups", ("id",), ("devices", "depth", "inner rounds", "divergence of labels (nats)"))
    for group in planned_round.groups:
        numbers = (len(group.devices), group.depth, group.inner_rounds)
        rows.add_row(str(group.id), *map(str, numbers), f"{group.label_divergence:.4f}")
    return rows


def _device_table(devices: Sequence[DeviceRecord]) -> Table:
    right = ("depth", "quantised", "compute s", "down s", "up s", "waiting s", "sent", "memory", "outcome")
    rows = table("devices", ("id", "profile", "mode", "ranks"), right)
    for device in devices:
        rows.add_row(
            str(device.id),
            device.profile,
            device.mode,
            " ".join(f"{rank:g}" for rank in device.ranks),
            str(device.depth),
            str(device.quantised_layers),
            f"{device.compute_seconds:.2f}",
            f"{device.download_seconds:.2f}",
            f"{device.upload_seconds:.2f}",
            f"{device.waiting_seconds:.2f}",
            size(device.bytes_up),
            size(device.memory_bytes),
            device.outcome,
        )
    return rows

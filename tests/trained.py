"""Devices of a round as columns, from records that a test writes down."""

from collections.abc import Sequence

from fedray.results import TrainedDeviceRecord
from fedray.results.round_devices import TrainedDevices, round_devices


def trained(records: Sequence[TrainedDeviceRecord]) -> TrainedDevices:
    """The columns of some records of one round."""
    ordered = sorted(records, key=lambda record: record.device.id)
    return TrainedDevices(
        round_devices(ordered[0].round, [record.device for record in ordered]),
        loss=tuple(record.loss for record in ordered),
        rejected=tuple(record.rejected for record in ordered),
        enforced=tuple(record.enforced for record in ordered),
    )

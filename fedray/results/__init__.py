"""What runs and sweeps leave behind: records and directories."""

from fedray.results.device_accuracy import summarise_devices
from fedray.results.digest import result_digest
from fedray.results.records import (
    AdapterOrigin,
    DeviceAccuracy,
    DeviceRecord,
    Enforced,
    Enforcement,
    Progress,
    RoundRecord,
    RoundUnderWay,
    TrainedDeviceRecord,
)
from fedray.results.run_directory import RunDirectory
from fedray.results.summary import Split, Status, Steps, Summary, Tally, Target, reached, summarise
from fedray.results.sweep_directory import SweepDirectory, SweepRecord, expand

__all__ = [
    "AdapterOrigin",
    "DeviceAccuracy",
    "DeviceRecord",
    "Enforced",
    "Enforcement",
    "Progress",
    "RoundRecord",
    "RoundUnderWay",
    "RunDirectory",
    "Split",
    "Status",
    "Steps",
    "Summary",
    "SweepDirectory",
    "SweepRecord",
    "Tally",
    "Target",
    "TrainedDeviceRecord",
    "expand",
    "reached",
    "result_digest",
    "summarise",
    "summarise_devices",
]

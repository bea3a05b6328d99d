"""What runs and sweeps leave behind: records and directories."""

from fedray.results.data_report import DataReport
from fedray.results.device_accuracy import summarise_devices
from fedray.results.digest import result_digest
from fedray.results.records import (
    AdapterOrigin,
    DeviceAccuracy,
    DeviceRecord,
    MeasuredPhases,
    Progress,
    RoundRecord,
    RoundUnderWay,
    TrainedDeviceRecord,
    WallClockStats,
)
from fedray.results.run_directory import RunDirectory
from fedray.results.summary import Split, Status, Steps, Summary, SummaryInputs, Target, reached, summarise
from fedray.results.sweep_directory import SweepDirectory, SweepRecord, expand

__all__ = [
    "AdapterOrigin",
    "DataReport",
    "DeviceAccuracy",
    "DeviceRecord",
    "MeasuredPhases",
    "Progress",
    "RoundRecord",
    "RoundUnderWay",
    "RunDirectory",
    "Split",
    "Status",
    "Steps",
    "Summary",
    "SummaryInputs",
    "SweepDirectory",
    "SweepRecord",
    "Target",
    "TrainedDeviceRecord",
    "WallClockStats",
    "expand",
    "reached",
    "result_digest",
    "summarise",
    "summarise_devices",
]

"""What runs and sweeps leave behind and how runs compare: records, directories, comparison."""

from fedray.results.comparison import ComparedRow, ComparedRun, Comparison, Statistic, compare
from fedray.results.device_accuracy import summarise_devices
from fedray.results.digest import result_digest
from fedray.results.fidelity import Fidelity, fidelity
from fedray.results.records import (
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
    "ComparedRow",
    "ComparedRun",
    "Comparison",
    "DeviceAccuracy",
    "DeviceRecord",
    "Enforced",
    "Enforcement",
    "Fidelity",
    "Progress",
    "RoundRecord",
    "RoundUnderWay",
    "RunDirectory",
    "Split",
    "Statistic",
    "Status",
    "Steps",
    "Summary",
    "SweepDirectory",
    "SweepRecord",
    "Tally",
    "Target",
    "TrainedDeviceRecord",
    "compare",
    "expand",
    "fidelity",
    "reached",
    "result_digest",
    "summarise",
    "summarise_devices",
]

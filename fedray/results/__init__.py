"""What runs and sweeps leave behind and how runs compare: records, directories, comparison."""

from fedray.results.comparison import ComparedRow, ComparedRun, Comparison, Statistic, compare
from fedray.results.data_report import DataReport
from fedray.results.digest import result_digest
from fedray.results.fidelity import Fidelity, fidelity
from fedray.results.records import (
    DeviceRecord,
    Enforced,
    Enforcement,
    Progress,
    RoundRecord,
    RoundUnderWay,
    Status,
    Summary,
    Tally,
    Target,
    TrainedDeviceRecord,
    reached,
    summarise,
)
from fedray.results.run_directory import RunDirectory
from fedray.results.sweep_directory import SweepDirectory, SweepRecord, expand

__all__ = [
    "ComparedRow",
    "ComparedRun",
    "Comparison",
    "DataReport",
    "DeviceRecord",
    "Enforced",
    "Enforcement",
    "Fidelity",
    "Progress",
    "RoundRecord",
    "RoundUnderWay",
    "RunDirectory",
    "Statistic",
    "Status",
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
]

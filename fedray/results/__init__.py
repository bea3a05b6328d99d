"""What a run leaves behind and how runs compare: records, run directory, comparison."""

from fedray.results.comparison import ComparedRun, Comparison, compare
from fedray.results.digest import result_digest
from fedray.results.records import (
    DeviceRecord,
    RoundRecord,
    Status,
    Summary,
    Tally,
    Target,
    TrainedDeviceRecord,
    reached,
    summarise,
)
from fedray.results.run_directory import RunDirectory

__all__ = [
    "ComparedRun",
    "Comparison",
    "DeviceRecord",
    "RoundRecord",
    "RunDirectory",
    "Status",
    "Summary",
    "Tally",
    "Target",
    "TrainedDeviceRecord",
    "compare",
    "reached",
    "result_digest",
    "summarise",
]

"""reference/results.md: the keys of a run's files, from the dataclasses that are written."""

from dataclasses import MISSING, Field, fields
from inspect import getdoc
from typing import Any

from docs.generate.markdown import code, page, table
from fedray.results import records, summary

FILES = (
    ("summary.json", (summary.Summary, summary.Target, summary.Steps)),
    ("rounds.jsonl", (records.RoundRecord, records.DeviceAccuracy, records.WallClockStats)),
    ("devices.jsonl", (records.TrainedDeviceRecord, records.DeviceRecord, records.MeasuredPhases)),
    ("current.json", (records.RoundUnderWay,)),
    ("progress.json", (records.Progress,)),
    ("adapter/training.json", (records.AdapterOrigin,)),
)


def results_page() -> str:
    """A heading per file and a table per record in it."""
    parts = [
        f"## {name}\n\n" + "\n".join(_record(record, first=place == 0) for place, record in enumerate(of))
        for name, of in FILES
    ]
    intro = (
        "What each file is for stands in [Run directory](run-directory.md). In `devices.jsonl` the keys of "
        "`DeviceRecord` stand beside those of `TrainedDeviceRecord`, and `enforced` exists under the wall clock only.\n"
    )
    return page("Keys of a run's files", "`fedray.results`", [intro, *parts])


def _record(record: type, first: bool) -> str:
    heading = "" if first else f"### {record.__name__}\n\n"
    rows = [(code(one.name), code(_type(one)), _default(one)) for one in fields(record)]
    return f"{heading}{getdoc(record)}\n\n{table(('key', 'type', 'default'), rows)}"


def _type(one: "Field[Any]") -> str:
    return one.type if isinstance(one.type, str) else getattr(one.type, "__name__", "") or str(one.type)


def _default(one: "Field[Any]") -> str:
    if one.default_factory is not MISSING:
        return code(one.default_factory())
    return "" if one.default is MISSING else code(one.default)

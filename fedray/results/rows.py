"""Lines and tables of a run's files, back into records and columns."""

from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from fedray.errors import UserError
from fedray.results.records import RoundRecord
from fedray.results.round_devices import TrainedDevices, round_devices, trained_devices

_ROUND = TypeAdapter(RoundRecord)


def devices_of_lines(round_: int, lines: Sequence[Mapping[str, Any]]) -> TrainedDevices:
    """The devices of a round from its lines of devices.jsonl.

    Raises
    ------
    TypeError, ValueError, KeyError
        if the lines are not those of a run.
    """
    if not lines:
        return TrainedDevices(round_devices(round_, ()), (), (), ())
    names = {name for line in lines for name in line} - {"enforced"}
    columns = {name: [line[name] for line in lines] for name in names}
    return trained_devices(round_, columns | {"enforced": [line.get("enforced") for line in lines]})


def round_record(line: str | bytes) -> RoundRecord:
    """The record of one line of rounds.jsonl; ValueError if its keys are not ours, or a number is none."""
    record = _ROUND.validate_json(line, strict=True)
    if not all(isfinite(value) for value in vars(record).values() if isinstance(value, float)):
        raise ValueError("a number is not finite")
    return record


def parquet_path(run: Path, round_: int) -> Path:
    """Where the devices of a round are, above 1,000 devices."""
    return run / "devices.parquet" / f"round-{round_:06}.parquet"


def devices_of_parquet(path: Path) -> TrainedDevices:
    """The devices of a round from its parquet file; UserError if the file is not one of ours."""
    try:
        columns = pq.read_table(path).to_pydict()
        return trained_devices(int(columns["round"][0]), columns)
    except (OSError, pa.ArrowInvalid, TypeError, ValueError, KeyError, IndexError):
        raise UserError(f"{path}: not the devices of a run") from None

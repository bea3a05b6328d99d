"""Records as lines of files and rows of tables, and back."""

from collections.abc import Iterator
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from fedray.errors import UserError
from fedray.results.records import DeviceRecord, MeasuredPhases, RoundRecord, TrainedDeviceRecord

_ROUND = TypeAdapter(RoundRecord)


def device_row(record: TrainedDeviceRecord) -> dict[str, Any]:
    """The keys of one line."""
    row = {"round": record.round, **asdict(record.device), "loss": record.loss, "rejected": record.rejected}
    return row | {"enforced": asdict(record.enforced)} if record.enforced else row


def trained_record(row: dict[str, Any]) -> TrainedDeviceRecord:
    """The record of one line; TypeError or KeyError if its keys are not ours."""
    outcome = {name: row.pop(name) for name in ("round", "loss", "rejected")}
    if enforced := row.pop("enforced", None):
        outcome["enforced"] = MeasuredPhases(**enforced)
    return TrainedDeviceRecord(device=DeviceRecord(**{**row, "ranks": tuple(row["ranks"])}), **outcome)


def round_record(line: str | bytes) -> RoundRecord:
    """The record of one line of rounds.jsonl; ValueError if its keys are not ours, or a number is none."""
    record = _ROUND.validate_json(line, strict=True)
    if not all(isfinite(value) for value in vars(record).values() if isinstance(value, float)):
        raise ValueError("a number is not finite")
    return record


def parquet_path(run: Path, round_: int) -> Path:
    """Where the devices of a round are, above 1,000 devices."""
    return run / "devices.parquet" / f"round-{round_:06}.parquet"


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


def parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of one round; UserError if the file is not one of ours."""
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid):
        raise UserError(f"{path}: not the devices of a run") from None
    yield from table.to_pylist()

"""The devices of one round as columns: how they go from the schedule to the file, and into figures."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa

from fedray.arrays import Flags, Floats, Ints
from fedray.protocol import Outcome
from fedray.results.records import DeviceRecord, MeasuredPhases, TrainedDeviceRecord


@dataclass(frozen=True)
class RoundDevices:
    """The devices of one round, named as the keys of DeviceRecord; columns of shape (devices,), ascending by id."""

    round: int
    id: Ints
    profile: tuple[str, ...]
    mode: tuple[str, ...]
    group: Ints
    depth: Ints
    ranks: tuple[tuple[float, ...], ...]
    quantised_layers: Ints
    compute_seconds: Floats
    download_seconds: Floats
    upload_seconds: Floats
    waiting_seconds: Floats
    bytes_up: Ints
    bytes_down: Ints
    memory_bytes: Ints
    memory_limit_bytes: Ints
    joules: Floats
    fits: Flags
    inner_rounds: Ints
    outcome: tuple[str, ...]
    staleness: Ints

    def __len__(self) -> int:
        return len(self.id)

    @property
    def busy_seconds(self) -> Floats:
        """Of all downloads, computing and uploads."""
        return self.download_seconds + self.compute_seconds + self.upload_seconds

    @property
    def finished(self) -> Flags:
        """Whose updates arrived."""
        return self.fits & np.array([outcome == Outcome.FINISHED for outcome in self.outcome], np.bool_)

    @property
    def mean_ranks(self) -> Floats:
        """Over the tuned layers, 0 where there are none."""
        means = {ranks: sum(ranks) / max(len(ranks), 1) for ranks in set(self.ranks)}
        return np.array([means[ranks] for ranks in self.ranks], np.float64)

    def rows(self, places: Iterable[int] | None = None) -> list[DeviceRecord]:
        """A record per device, or of the devices at some places of the columns."""
        columns = list(_plain(self).values())
        chosen = range(len(self)) if places is None else places
        return [DeviceRecord(*(column[place] for column in columns)) for place in chosen]


@dataclass(frozen=True)
class TrainedDevices:
    """The devices of a completed round: their mean training losses, why updates were refused, and what was enforced.

    All (devices,), None where there is nothing to say; `enforced` has phases under the wall clock only.
    """

    devices: RoundDevices
    loss: tuple[float | None, ...]
    rejected: tuple[str | None, ...]
    enforced: tuple[MeasuredPhases | None, ...]

    def rows(self) -> list[TrainedDeviceRecord]:
        """A record per device."""
        columns = zip(self.devices.rows(), self.loss, self.rejected, self.enforced, strict=True)
        return [TrainedDeviceRecord(self.devices.round, *row) for row in columns]

    def lines(self) -> list[dict[str, Any]]:
        """The objects of devices.jsonl; the key `enforced` exists only under the wall clock."""
        columns = _plain(self.devices)
        names = ("round", *columns, "loss", "rejected")
        rounds = [self.devices.round] * len(self.devices)
        rows = zip(rounds, *columns.values(), self.loss, self.rejected, strict=True)
        lines: list[dict[str, Any]] = [dict(zip(names, row, strict=True)) for row in rows]
        for line, enforced in zip(lines, self.enforced, strict=True):
            if enforced:
                line["enforced"] = asdict(enforced)
        return lines

    def table(self) -> pa.Table:
        """The same as columns of a parquet file."""
        columns: dict[str, Any] = {"round": np.full(len(self.devices), self.devices.round)}
        columns |= {name: getattr(self.devices, name) for name in _KEYS}
        columns |= {
            "ranks": pa.array(self.devices.ranks, pa.list_(pa.float64())),
            "loss": pa.array(self.loss, pa.float64()),
            "rejected": pa.array(self.rejected, pa.string()),
        }
        if any(self.enforced):
            columns["enforced"] = pa.array([asdict(one) if one else None for one in self.enforced])
        return pa.table(columns)


def trained_devices(round_: int, columns: Mapping[str, Sequence[Any]]) -> TrainedDevices:
    """The devices of a round from the columns of a file; keys that older runs lack take the defaults of DeviceRecord.

    Raises
    ------
    TypeError, ValueError, KeyError
        if the keys or the values are not those of device records.
    """
    given = dict(columns)
    size = len(given["id"])
    none: tuple[None, ...] = (None,) * size
    loss, rejected = tuple(given.pop("loss", none)), tuple(given.pop("rejected", none))
    enforced = tuple(MeasuredPhases(**one) if one else None for one in given.pop("enforced", none))
    given.pop("round", None)
    missing = {field.name: field.default for field in fields(DeviceRecord) if field.name not in given}
    if strange := sorted(given.keys() - set(_KEYS)):
        raise KeyError(strange[0])
    if any(default is MISSING for default in missing.values()):
        raise KeyError(sorted(missing)[0])
    given |= {name: [default] * size for name, default in missing.items()}
    return TrainedDevices(_columns(round_, given), loss, rejected, enforced)


def round_devices(round_: int, records: Iterable[DeviceRecord]) -> RoundDevices:
    """The columns of a round's records."""
    rows = list(records)
    return _columns(round_, {name: [getattr(row, name) for row in rows] for name in _KEYS})


def _columns(round_: int, given: Mapping[str, Sequence[Any]]) -> RoundDevices:
    order = np.argsort(np.array(given["id"], np.int64), kind="stable").tolist()
    sorted_ = {name: [given[name][place] for place in order] for name in _KEYS}
    columns: dict[str, Any] = {name: np.array(sorted_[name], dtype) for name, dtype in _DTYPES.items()}
    columns |= {name: tuple(map(str, sorted_[name])) for name in ("profile", "mode")}
    columns["ranks"] = tuple(map(tuple, sorted_["ranks"]))
    fitting = zip(sorted_["outcome"], columns["fits"].tolist(), strict=True)
    columns["outcome"] = tuple(outcome if fits else Outcome.OUT_OF_MEMORY.value for outcome, fits in fitting)
    return RoundDevices(round_, **columns)


def _plain(devices: RoundDevices) -> dict[str, Sequence[Any]]:
    """Every column but the round, as Python values."""
    columns = {name: getattr(devices, name) for name in _KEYS}
    return {name: c.tolist() if isinstance(c, np.ndarray) else c for name, c in columns.items()}


_KEYS = tuple(field.name for field in fields(DeviceRecord))
_ARRAYS: dict[Any, type[np.generic]] = {Ints: np.int64, Floats: np.float64, Flags: np.bool_}
_DTYPES = {field.name: _ARRAYS[field.type] for field in fields(RoundDevices) if field.type in _ARRAYS}

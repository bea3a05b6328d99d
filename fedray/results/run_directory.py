"""The folder of a run: scenario, rounds, devices, summary. Written by the coordinator, read by anybody."""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from fedray.arrays import Ints
from fedray.errors import UserError
from fedray.results.data_report import DataReport
from fedray.results.records import (
    AdapterOrigin,
    Progress,
    RoundRecord,
    RoundUnderWay,
)
from fedray.results.round_devices import TrainedDevices
from fedray.results.rows import devices_of_lines, devices_of_parquet, parquet_path, round_record
from fedray.results.summary import Summary

_SUMMARY = TypeAdapter(Summary)
_DATA = TypeAdapter(DataReport)
_ORIGIN = TypeAdapter(AdapterOrigin)

LARGEST_IN_LINES = 1000  # devices of a fleet; beyond that lines of JSON are slow to write and to read


@dataclass(frozen=True)
class RunDirectory:
    """Names and reads the files of one run; every whole file is written to a temporary name and renamed."""

    path: Path

    @property
    def run_id(self) -> str:
        return self.path.name

    @property
    def adapter(self) -> Path:
        return self.path / "adapter"

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint"

    @property
    def scenario(self) -> Path:
        return self.path / "scenario.yaml"

    def require_usable(self) -> None:
        """UserError if the folder already holds something or could not be made; nothing is written."""
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise self._in_use()
        parent = next(folder for folder in (self.path, *self.path.absolute().parents) if folder.exists())
        if not parent.is_dir() or not os.access(parent, os.W_OK):
            raise UserError(f"{self.path}: cannot write the run directory: {parent} is not a writable folder")

    def create(self, scenario_yaml: str) -> None:
        """Make the folder and write the resolved scenario; of two runs that try at once, one gets a UserError."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with self.scenario.open("x") as file:
                file.write(scenario_yaml)
        except FileExistsError:
            raise self._in_use() from None
        except OSError as error:
            raise UserError(f"{self.path}: cannot write the run directory: {error.strerror}") from None

    def rewrite_scenario(self, scenario_yaml: str) -> None:
        """The scenario of a resumed run, which may have been given more rounds."""
        self._write("scenario.yaml", scenario_yaml)

    def write_labels(self, names: Sequence[str]) -> None:
        """labels.json: the name of each label number."""
        self._write("labels.json", json.dumps(list(names)) + "\n")

    def write_data(self, report: DataReport) -> None:
        """data.json: what became of the data."""
        self._write("data.json", json.dumps(report.as_json(), indent=2, ensure_ascii=False) + "\n")

    def write_shards(self, label_histograms: Ints) -> None:
        """shards.jsonl: how many examples of each label every device holds; (devices, labels)."""
        rows = enumerate(label_histograms.tolist())
        self._write("shards.jsonl", "".join(f'{{"device": {device}, "labels": {row}}}\n' for device, row in rows))

    def lock(self) -> int:
        """Keep other processes from writing here while this one lives; UserError if one already does."""
        descriptor = os.open(self.path / ".lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise UserError(f"{self.path}: another process is running this run") from None
        return descriptor

    def _in_use(self) -> UserError:
        return UserError(f"{self.path}: already holds something; give another --run-dir, or --resume {self.path}")

    def append_round(self, record: RoundRecord) -> None:
        with (self.path / "rounds.jsonl").open("a") as file:
            file.write(json.dumps(record.as_json()) + "\n")

    def append_devices(self, trained: TrainedDevices, fleet_size: int) -> None:
        """One line per device; above 1,000 devices a parquet file per round in the folder devices.parquet."""
        if fleet_size <= LARGEST_IN_LINES:
            with (self.path / "devices.jsonl").open("a") as file:
                file.writelines(json.dumps(line) + "\n" for line in trained.lines())
        elif len(trained.devices):
            path = parquet_path(self.path, trained.devices.round)
            path.parent.mkdir(exist_ok=True)
            pq.write_table(trained.table(), path)

    def truncate(self, rounds: int) -> None:
        """Forget everything after a round: what was written past the last checkpoint is done again."""
        for name in ("rounds.jsonl", "devices.jsonl"):
            if (self.path / name).is_file():
                kept = [line for line in self._lines(name) if line["round"] <= rounds]
                self._write(name, "".join(json.dumps(line) + "\n" for line in kept))
        for part in (self.path / "devices.parquet").glob("round-*.parquet"):
            if int(part.stem.removeprefix("round-")) > rounds:
                part.unlink()

    def rounds(self) -> list[RoundRecord]:
        """All complete lines of rounds.jsonl; UserError if the file is not one of ours."""
        try:
            return [round_record(json.dumps(line)) for line in self._lines("rounds.jsonl")]
        except ValueError:
            raise UserError(f"{self.path / 'rounds.jsonl'}: not the rounds of a run") from None

    def devices(self) -> Iterator[TrainedDevices]:
        """The devices of every round that had any, as written; UserError if there are none or they are not ours."""
        folder = self.path / "devices.parquet"
        if folder.is_dir():
            yield from map(devices_of_parquet, sorted(folder.glob("round-*.parquet")))
            return
        by_round = groupby(self._lines("devices.jsonl"), lambda line: line["round"])
        try:
            yield from (devices_of_lines(number, list(lines)) for number, lines in by_round)
        except (TypeError, ValueError, KeyError):
            raise UserError(f"{self.path}: its device records are not those of a run") from None

    def rounds_with_devices(self) -> Iterator[tuple[RoundRecord, TrainedDevices | None]]:
        """Every completed round and its devices, None if it had none; UserError as from `rounds` and `devices`."""
        devices = {trained.devices.round: trained for trained in self.devices()}
        for record in self.rounds():
            yield record, devices.get(record.round)

    def labels(self) -> tuple[str, ...]:
        """The name of each label number; UserError if they are missing or not ours."""
        path = self.path / "labels.json"
        try:
            names = json.loads(path.read_text())
        except OSError as error:
            raise UserError(f"{path}: {error.strerror}; is this a run?") from None
        except ValueError:
            raise UserError(f"{path}: not JSON") from None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise UserError(f"{path}: not the labels of a run")
        return tuple(names)

    def data(self) -> DataReport | None:
        """What became of the data; None if the run wrote nothing of it, UserError if it is not ours."""
        path = self.path / "data.json"
        if not path.is_file():
            return None
        try:
            return _DATA.validate_json(path.read_bytes())
        except ValidationError:
            raise UserError(f"{path}: not the data report of a run") from None

    def shards(self) -> dict[int, tuple[int, ...]] | None:
        """Examples per label by device; None if the run wrote none, UserError if they are not ours."""
        if not (self.path / "shards.jsonl").is_file():
            return None
        try:
            return {
                int(line["device"]): tuple(int(count) for count in line["labels"])
                for line in self._objects("shards.jsonl")
            }
        except (TypeError, ValueError, KeyError):
            raise UserError(f"{self.path / 'shards.jsonl'}: not the shards of a run") from None

    def write_current(self, under_way: RoundUnderWay) -> None:
        """current.json: what people who watch see of a round before it is complete."""
        self._write("current.json", json.dumps(asdict(under_way)) + "\n")

    def write_progress(self, progress: Progress) -> None:
        counts = {key: value for key, value in asdict(progress).items() if key != "passed"}  # time goes on unwritten
        self._write("progress.json", json.dumps(counts) + "\n")

    def write_summary(self, summary: Summary) -> None:
        self._write("summary.json", json.dumps(summary.as_json(), indent=2) + "\n")

    def write_origin(self, origin: AdapterOrigin) -> None:
        """adapter/training.json, beside the files that peft reads."""
        self._write("adapter/training.json", json.dumps(asdict(origin), indent=2) + "\n")

    def origin(self) -> AdapterOrigin:
        """adapter/training.json; UserError if the run saved no adapter, or this is not one of ours."""
        path = self.adapter / "training.json"
        try:
            return _ORIGIN.validate_json(path.read_bytes())
        except OSError:
            raise UserError(
                f"{self.adapter}: no adapter; a run writes it when it ends, unless its task trains nothing"
            ) from None
        except ValidationError:
            raise UserError(f"{path}: not the origin of an adapter") from None

    def summary(self) -> Summary:
        """summary.json; UserError if it is missing or not one of ours."""
        path = self.path / "summary.json"
        try:
            return _SUMMARY.validate_json(path.read_bytes(), strict=True)
        except OSError as error:
            raise UserError(f"{path}: {error.strerror}; is this a finished run?") from None
        except ValidationError:
            raise UserError(f"{path}: not the summary of a run") from None

    def _lines(self, name: str) -> Iterable[dict[str, Any]]:
        """The complete lines of a file that grows by the round."""
        for number, line in enumerate(self._objects(name), 1):
            if not isinstance(line.get("round"), int):
                raise UserError(f"{self.path / name}:{number}: not a line of a run")
            yield line

    def _objects(self, name: str) -> Iterable[dict[str, Any]]:
        path = self.path / name
        try:
            text = path.read_text()
        except OSError as error:
            raise UserError(f"{path}: {error.strerror}; is this a run?") from None
        except UnicodeDecodeError:
            raise UserError(f"{path}: not UTF-8 text") from None
        for number, line in enumerate(text.splitlines(keepends=True), 1):
            if line.endswith("\n"):  # a torn last line was never completed
                try:
                    data = json.loads(line)
                except ValueError:
                    raise UserError(f"{path}:{number}: not JSON") from None
                if not isinstance(data, dict):
                    raise UserError(f"{path}:{number}: not a line of a run")
                yield data

    def _write(self, name: str, text: str) -> None:
        final = self.path / name
        temporary = final.with_name(f".{final.name}.tmp")
        temporary.write_text(text)
        os.replace(temporary, final)

"""One run as its directory tells it, while it goes on, after it, or on a copy."""

import json
import os
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NoReturn, TypeVar

from pydantic import TypeAdapter, ValidationError

from fedray.errors import UserError
from fedray.results import Progress, RoundRecord, RoundUnderWay, RunDirectory
from fedray.results.downsample import evenly
from fedray.results.label_mixes import LabelMixes
from fedray.results.lines import round_line
from fedray.results.metric import ACCURACY
from fedray.results.round_devices import RoundDevices, TrainedDevices, round_devices
from fedray.results.rows import devices_of_lines, devices_of_parquet, parquet_path, round_record
from fedray.scenario import load_scenario
from fedray.scenario.schema import Scenario, Synchronous
from fedray.watch.rounds import round_view
from fedray.watch.tailed_file import TailedFile
from fedray.watch.views import Curve, RoundView, RunView, UnderWay

MOST_POINTS = 1_000  # of a curve; more are not told apart on a page
LOG_LINES = 200
WATCHED = ("rounds.jsonl", "devices.jsonl", "current.json", "progress.json", "summary.json", "scenario.yaml", ".lock")

_UNDER_WAY, _PROGRESS = TypeAdapter(RoundUnderWay), TypeAdapter(Progress)
Record = TypeVar("Record", RoundUnderWay, Progress)


@dataclass(frozen=True)
class _Place:
    """Where the devices of a round stand in devices.jsonl."""

    start: int
    end: int


class RunReader:
    """Responsibilities: read what is new in a run directory; tell where the run stands, and what a round was like."""

    def __init__(self, path: Path, name: str) -> None:
        """UserError if the folder holds no run."""
        self.directory = RunDirectory(path)
        self.name = name
        self._rounds_file = TailedFile(path / "rounds.jsonl")
        self._devices_file = TailedFile(path / "devices.jsonl")
        self._rounds: list[RoundRecord] = []
        self._places: dict[int, _Place] = {}
        self._scenario_stamp = (0, 0, 0)
        self._read_scenario()

    def signature(self) -> tuple[object, ...]:
        """Something that differs when there is news."""
        return (*(_stamp(self.directory.path / name) for name in WATCHED), self._is_running())

    def view(self) -> RunView:
        """Where the run stands; UserError for files that are not those of a run."""
        self._read_scenario()
        self._read_rounds()
        rounds = self._rounds
        last = rounds[-1] if rounds else None
        evaluated = [record.primary for record in rounds if record.primary is not None]
        scenario, twin = self.scenario, self.scenario.costs.twin
        return RunView(
            name=self.name,
            scenario=scenario.name,
            method=scenario.method["name"],
            backbone=scenario.model.backbone,
            twin=twin.backbone if twin else None,
            status=self._status(),
            devices=scenario.device_count,
            rounds=len(rounds),
            rounds_planned=scenario.training.rounds,
            metric=evaluated[-1].name if evaluated else ACCURACY,
            primary=evaluated[-1].value if evaluated else None,
            emulated_seconds=last.emulated_seconds if last else 0.0,
            bytes_up=sum(record.bytes_up for record in rounds),
            bytes_down=sum(record.bytes_down for record in rounds),
            waiting_seconds=last.mean_waiting_seconds if last else 0.0,
            joules=sum(record.energy_joules for record in rounds),
            dropped=sum(record.dropped for record in rounds),
            curve=_curve(rounds),
            under_way=self._under_way(),
            log=self._log(),
        )

    def round(self, number: int) -> RoundView | None:
        """A round device by device, complete or in progress; None if there is no such round."""
        self._read_rounds()
        for record in self._rounds:
            if record.round == number:
                trained = self._devices_of(number)
                return self._round_view(record.round_seconds, trained.devices, trained.loss)
        current = self._current()
        if current is None or current.round != number:
            return None
        return self._round_view(current.round_seconds, round_devices(number, current.devices), None)

    def _round_view(self, seconds: float, devices: RoundDevices, losses: Sequence[float | None] | None) -> RoundView:
        own_time = not isinstance(self.scenario.training.schedule, Synchronous)
        return round_view(seconds, devices, losses, self.links, self._mixes, own_time)

    @cached_property
    def links(self) -> Sequence[str]:
        """What kind of link each device has."""
        fleet = self.scenario.fleet
        return [(group.link or fleet.link).kind for group in fleet.groups for _ in range(group.count)]

    @cached_property
    def _mixes(self) -> LabelMixes:
        return LabelMixes(self.directory.shards() or {})

    def _read_scenario(self) -> None:
        """A resumed run may have been given more rounds."""
        stamp = _stamp(self.directory.scenario)
        if stamp != self._scenario_stamp:
            self.scenario: Scenario = load_scenario(self.directory.scenario).scenario
            self._scenario_stamp = stamp

    def _read_rounds(self) -> None:
        piece = self._rounds_file.fresh()
        if piece.anew:
            self._rounds = []
        try:
            self._rounds += [round_record(line) for line in piece.lines]
        except ValueError:
            raise UserError(f"{self._rounds_file.path}: not the rounds of a run") from None

    def _devices_of(self, number: int) -> TrainedDevices:
        parquet = parquet_path(self.directory.path, number)
        if parquet.is_file():
            return devices_of_parquet(parquet)
        try:
            self._read_places()
            place = self._places.get(number, _Place(0, 0))
            lines = self._devices_file.between(place.start, place.end).splitlines()
            return devices_of_lines(number, [json.loads(line, parse_constant=_no_number) for line in lines])
        except (TypeError, KeyError, ValueError):
            raise UserError(f"{self.directory.path}: its device records are not those of a run") from None

    def _read_places(self) -> None:
        piece = self._devices_file.fresh()
        if piece.anew:
            self._places = {}
        for offset, line in zip(piece.offsets, piece.lines, strict=True):
            number = json.loads(line[: line.index(b",")] + b"}")["round"]  # the first key of every line
            before = self._places.get(number)
            self._places[number] = _Place(before.start if before else offset, offset + len(line))

    def _current(self) -> RoundUnderWay | None:
        """The round in progress, while a process runs it."""
        current = _read(self.directory.path / "current.json", _UNDER_WAY)
        completed = self._rounds[-1].round if self._rounds else 0
        return current if current and current.round > completed and self._is_running() else None

    def _under_way(self) -> UnderWay | None:
        current = self._current()
        if current is None:
            return None
        progress = _read(self.directory.path / "progress.json", _PROGRESS)
        if progress is None or progress.round != current.round:
            progress = Progress(current.round, 0, 0, progress.hosts_lost if progress else 0)
        on_the_wall = None if current.dilation is None else (time.time() - current.began) / current.dilation
        return UnderWay(
            round=current.round,
            round_seconds=current.round_seconds,
            trained=progress.trained,
            planned=progress.planned,
            hosts_lost=progress.hosts_lost,
            share=progress.trained / progress.planned if progress.planned else 0.0,
            elapsed_seconds=on_the_wall,
            dilation=current.dilation,
            has_devices=bool(current.devices),
        )

    def _status(self) -> str:
        if self._is_running():
            return "running"
        if not (self.directory.path / "summary.json").is_file():
            return "unfinished"
        return self.directory.summary().status

    def _is_running(self) -> bool:
        """Whether a process of this machine holds the run's lock; asking for it ourselves could keep a run from it."""
        try:
            inode = (self.directory.path / ".lock").stat().st_ino
            locks = Path("/proc/locks").read_text()
        except OSError:
            return False
        held = (line.split() for line in locks.splitlines())
        return any(words[1] == "FLOCK" and words[5].endswith(f":{inode}") for words in held)

    def _log(self) -> list[str]:
        sent, lines = 0, []
        planned = self.scenario.training.rounds
        for record in self._rounds:
            sent += record.bytes_up + record.bytes_down
            lines.append(round_line(record, planned, sent))
        return lines[-LOG_LINES:]


def _curve(rounds: Sequence[RoundRecord]) -> Curve:
    columns: defaultdict[str, list] = defaultdict(list)  # type: ignore[type-arg]
    sent, totals = 0, []
    for record in rounds:
        sent += record.bytes_up + record.bytes_down
        totals.append(sent)
    shown = evenly(len(rounds), MOST_POINTS).tolist() if rounds else []
    columns["primary"] = [primary.value if (primary := rounds[i].primary) else None for i in shown]
    for name in ("round", "emulated_seconds"):
        columns[name] = [getattr(rounds[i], name) for i in shown]
    waiting = [rounds[i].mean_waiting_seconds for i in shown]
    return Curve(bytes=[totals[i] for i in shown], waiting_seconds=waiting, **columns)


def _read(path: Path, adapter: TypeAdapter[Record]) -> Record | None:
    """A small file that is replaced as a whole; None if it is missing or not ours."""
    try:
        return adapter.validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return (0, 0, 0)
    return (status.st_ino, status.st_size, status.st_mtime_ns)

"""The runs that a page shows: those it was given, and those that appear in folders it was given."""

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock

from fedray.errors import UserError
from fedray.watch.run_reader import RunReader
from fedray.watch.views import RoundView, RunView

DEEPEST = 3  # folders below a given one in which runs are looked for: those of sweeps, and of folders of sweeps
MOST_RUNS = 50
SEARCH_REST = 20  # times as long as a search through large folders takes is it rested from


class RunIndex:
    """Responsibilities: find runs, follow each, and keep the last view of those that changed; for any threads."""

    def __init__(self, places: Sequence[Path]) -> None:
        """UserError for a place that is no folder, and for a folder that is a run but not a sound one."""
        for place in places:
            if not place.is_dir():
                raise UserError(f"{place}: no such folder")
        self.places = [place.absolute() for place in places]
        self.readers: dict[str, RunReader] = {}
        self.views: dict[str, RunView] = {}
        self._signatures: dict[str, tuple[object, ...]] = {}
        self._not_followed: dict[Path, str] = {}
        self._not_read: dict[str, str] = {}
        self._left_out = 0
        self._reading = Lock()
        self._search_again = 0.0
        for place in self.places:
            if (place / "scenario.yaml").is_file():
                self._follow(place).view()

    def poll(self) -> list[str]:
        """Names of the runs that have news since the last look."""
        with self._reading:
            began = time.monotonic()
            if began >= self._search_again:
                self._search()
                self._search_again = time.monotonic() + SEARCH_REST * (time.monotonic() - began)
            return [name for name, reader in self.readers.items() if self._has_news(name, reader)]

    def round(self, name: str, number: int) -> RoundView | None:
        """A round of a run; None if there is no such run or round. UserError for files that are not ours."""
        with self._reading:
            reader = self.readers.get(name)
            return reader.round(number) if reader else None

    @property
    def problems(self) -> list[str]:
        """What cannot be shown now, and why."""
        many = f"{self._left_out} older runs are left out; the latest {MOST_RUNS} are shown"
        return [*self._not_followed.values(), *self._not_read.values(), *([many] if self._left_out else [])]

    def _search(self) -> None:
        """Follow runs that are new, forget those that are gone."""
        for name, reader in list(self.readers.items()):
            if not reader.directory.scenario.is_file():
                for known in (self.readers, self.views, self._signatures, self._not_read):
                    known.pop(name, None)
        followed = {reader.directory.path for reader in self.readers.values()}
        self._not_followed = {}
        for path in self._runs():
            if path not in followed:
                try:
                    self._follow(path)
                except (UserError, OSError) as error:
                    self._not_followed[path] = str(error)

    def _has_news(self, name: str, reader: RunReader) -> bool:
        signature = reader.signature()
        if signature == self._signatures.get(name):
            return False
        self._signatures[name] = signature
        try:
            self.views[name] = reader.view()
        except (UserError, OSError) as error:
            self._not_read[name] = str(error)
            return False
        self._not_read.pop(name, None)
        return True

    def _runs(self) -> list[Path]:
        """The latest runs, each once even if links lead there in two ways."""
        patterns = ["*/" * depth + "scenario.yaml" for depth in range(DEEPEST + 1)]
        found: dict[Path, tuple[float, Path]] = {}
        for scenario in (path for place in self.places for pattern in patterns for path in place.glob(pattern)):
            with suppress(OSError):  # it may be gone again
                found.setdefault(scenario.resolve(), (scenario.stat().st_ctime, scenario.parent))
        latest = sorted(found.values())[-MOST_RUNS:]
        self._left_out = len(found) - len(latest)
        return sorted(path for _, path in latest)

    def _follow(self, path: Path) -> RunReader:
        name = self._name(path)
        self.readers[name] = RunReader(path, name)
        return self.readers[name]

    def _name(self, path: Path) -> str:
        """The shortest end of a path that no other run has."""
        taken = self.readers.keys()
        ends = ("/".join(path.parts[-length:]) for length in range(1, len(path.parts) + 1))
        return next((end for end in ends if end not in taken), str(path))

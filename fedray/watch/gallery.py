"""The runs that a page shows: those it was given, and those that appear in folders it was given."""

from collections.abc import Sequence
from pathlib import Path

from fedray.errors import UserError
from fedray.watch.following import Follower
from fedray.watch.views import RoundView, RunView

DEEPEST = 3  # folders below a given one in which runs are looked for: those of sweeps, and of folders of sweeps
MOST_RUNS = 50


class Gallery:
    """Responsibilities: find runs, follow each, and keep the last view of those that changed."""

    def __init__(self, places: Sequence[Path]) -> None:
        """UserError for a place that is no folder, and for a folder that is a run but not a sound one."""
        for place in places:
            if not place.is_dir():
                raise UserError(f"{place}: no such folder")
        self.places = [place.absolute() for place in places]
        self.followers: dict[str, Follower] = {}
        self.views: dict[str, RunView] = {}
        self.problems: dict[str, str] = {}
        self._signatures: dict[str, tuple[object, ...]] = {}
        for place in self.places:
            if (place / "scenario.yaml").is_file():
                self._follow(place).view()

    def look(self) -> list[str]:
        """Names of the runs that have news since the last look."""
        for path in self._runs():
            if not any(path == follower.directory.path for follower in self.followers.values()):
                try:
                    self._follow(path)
                except UserError as error:
                    self.problems[str(path)] = str(error)
        return [name for name, follower in self.followers.items() if self._has_news(name, follower)]

    def round(self, name: str, number: int) -> RoundView | None:
        """A round of a run; None if there is no such run or round. UserError for files that are not ours."""
        follower = self.followers.get(name)
        return follower.round(number) if follower else None

    def _has_news(self, name: str, follower: Follower) -> bool:
        signature = follower.signature()
        if signature == self._signatures.get(name):
            return False
        self._signatures[name] = signature
        try:
            self.views[name] = follower.view()
        except UserError as error:
            self.problems[str(follower.directory.path)] = str(error)
            return False
        return True

    def _runs(self) -> list[Path]:
        found = []
        for place in self.places:
            for depth in range(DEEPEST + 1):
                found += sorted(path.parent for path in place.glob("*/" * depth + "scenario.yaml"))
        return found[:MOST_RUNS]

    def _follow(self, path: Path) -> Follower:
        name = self._name(path)
        self.followers[name] = Follower(path, name)
        return self.followers[name]

    def _name(self, path: Path) -> str:
        """The shortest end of a path that no other run has."""
        taken = self.followers.keys()
        ends = ("/".join(path.parts[-length:]) for length in range(1, len(path.parts) + 1))
        return next((end for end in ends if end not in taken), str(path))

"""The file of a tuned scenario: what the user wrote, with the values that tuning chose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fedray.errors import UserError
from fedray.results.files import replace_file

MARK = "# Written by `fedray tune`"


@dataclass(frozen=True)
class TunedScenario:
    """A scenario's keys as its user wrote them, with the values of a trial; `keys` are those that tuning chose.

    Paths are absolute, so that the file means the same in any folder; comments of the original are lost.
    """

    origin: Path
    data: Mapping[str, Any]
    keys: tuple[str, ...]
    seeds: Sequence[int]
    rounds: int

    def text(self, score: float) -> str:
        """YAML that `fedray run` and `fedray sweep` read; `score` is what `halving.score` chose it by."""
        seeds = ", ".join(map(str, self.seeds))
        tuning = {"keys": [*self.keys], "seeds": [*self.seeds], "rounds": self.rounds, "score": score}
        data = {**{key: value for key, value in self.data.items() if key != "tuning"}, "tuning": tuning}
        return (
            f"{MARK} from {self.origin.name}: its keys and those in tuning.keys; its comments are not kept.\n"
            f"# Chosen on the validation examples with the seeds {seeds}: no run of this scenario may use them.\n"
            f"{yaml.safe_dump(data, sort_keys=False, allow_unicode=True)}"
        )

    def write(self, path: Path, score: float) -> None:
        """Replace the file atomically; UserError where it cannot be written."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{path.parent}: cannot write the tuned scenario: {error.strerror}") from None
        replace_file(path, self.text(score), "the tuned scenario")


def require_replaceable(path: Path) -> None:
    """UserError if a file exists that tuning did not write: a scenario with its comments must not be lost."""
    if path.is_dir() or (path.is_file() and not path.read_text("utf-8", errors="replace").startswith(MARK)):
        raise UserError(f"-o {path}: the file exists and is not from `fedray tune`; allowed: another name")

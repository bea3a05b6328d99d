"""tune.json: what a tuning tries, the score of every trial at every rung, and what was chosen."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from fedray.errors import UserError
from fedray.results.files import replace_file

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class RungRecord:
    """Every method's `trials` trials were run for `rounds` rounds, counted from their first."""

    rounds: int
    trials: int


@dataclass(frozen=True)
class TrialRecord:
    """A point of the grid: its values, the folders of its runs by seed, and its scores by rung as far as it went.

    A score is the mean of the last two validation scores so far, over the seeds; null if a run diverged or failed, and
    then `failure` says which and why.
    """

    values: Mapping[str, Any]
    runs: Sequence[str]
    scores: Sequence[float | None]
    failure: str | None


@dataclass(frozen=True)
class MethodRecord:
    """The trials of a method in their order, which decides between equal scores; `chosen`, `score` and `scenario`
    (the file of the tuned scenario) are null before the last rung has ended, or if no trial has a score.

    `edges` are the keys whose chosen value is the smallest or largest of the grid.
    """

    method: str
    trials: Sequence[TrialRecord]
    chosen: Mapping[str, Any] | None
    score: float | None
    edges: Mapping[str, str]
    scenario: str | None


@dataclass(frozen=True)
class TuningRecord:
    """tune.json; `rounds` are those of the last rung. Every method tries the same points of the `grid`."""

    schema_version: int
    scenario: str
    rounds: int
    eta: int
    seeds: Sequence[int]
    grid: Mapping[str, Sequence[Any]]
    rungs: Sequence[RungRecord]
    methods: Sequence[MethodRecord]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def plan(self) -> dict[str, Any]:
        """What is fixed before the first run, by a name for each part that may differ from another tuning's."""
        return {
            "--rounds": self.rounds,
            "--eta": self.eta,
            "--seeds": list(self.seeds),
            "--methods": [method.method for method in self.methods],
            "--grid or --budget": [[dict(trial.values) for trial in method.trials] for method in self.methods],
        }


_RECORD = TypeAdapter(TuningRecord)


def read_tuning(path: Path) -> TuningRecord:
    """tune.json; UserError if it is not one of ours."""
    try:
        return _RECORD.validate_json(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; is this a tuning?") from None
    except ValidationError:
        raise UserError(f"{path}: not the record of a tuning") from None


def write_tuning(path: Path, record: TuningRecord) -> None:
    """Replace tune.json atomically; UserError where the folder cannot be used."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{path.parent}: cannot write the tuning: {error.strerror}") from None
    replace_file(path, json.dumps(record.as_json(), indent=2) + "\n", "the tuning")

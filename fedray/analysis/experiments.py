"""From run directories to experiments: each a row of a comparison, with one run per seed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

from fedray.analysis.naming import Name, names
from fedray.analysis.settings import Settings, settings_of
from fedray.errors import UserError
from fedray.protocol import Outcome
from fedray.results import RoundRecord, RunDirectory, Summary, SweepDirectory


@dataclass(frozen=True)
class Spent:
    """What all devices of a run have spent by the end of a round: emulated seconds, bytes both ways, joules."""

    round: int
    emulated_seconds: float
    bytes: int
    joules: float


@dataclass(frozen=True)
class MemoryLoss:
    """Devices lost to memory: how many ran out of it in a round, in the mean, and how many never got through.

    `never_finished` counts distinct devices that ran out of memory and finished no round of the run.
    """

    per_round: float
    never_finished: int


@dataclass(frozen=True)
class MeasuredRun:
    """A run as read from its directory; `spent` has an entry per round."""

    path: str
    folder: str
    settings: Settings
    summary: Summary
    rounds: tuple[RoundRecord, ...]
    memory: MemoryLoss

    @property
    def seed(self) -> int:
        return self.settings.seed

    @cached_property
    def spent(self) -> tuple[Spent, ...]:
        sent = accumulate(record.bytes_up + record.bytes_down for record in self.rounds)
        joules = accumulate(record.energy_joules for record in self.rounds)
        return tuple(
            Spent(record.round, record.emulated_seconds, so_far, energy)
            for record, so_far, energy in zip(self.rounds, sent, joules, strict=True)
        )

    @cached_property
    def scored(self) -> tuple[tuple[float, RoundRecord, Spent], ...]:
        """Every evaluation: its score, its round, and what was spent by then.

        Raises
        ------
        UserError
            for evaluations without scores, as fedray wrote them before there were scores.
        """
        evaluated = [(r, s) for r, s in zip(self.rounds, self.spent, strict=True) if r.primary is not None]
        if any(record.score is None for record, _ in evaluated):
            raise UserError(f"{self.path}: rounds.jsonl has no scores (written by an earlier fedray); run it again")
        return tuple((r.score, r, s) for r, s in evaluated if r.score is not None)


def final_primary(run: MeasuredRun) -> float | None:
    """The primary metric on the test examples in the last evaluated round; None without evaluation."""
    primary = run.summary.primary
    return primary.value if primary else None


@dataclass(frozen=True)
class Experiment:
    """The runs of one experiment, one per seed, ascending."""

    name: Name
    runs: tuple[MeasuredRun, ...]

    @property
    def label(self) -> str:
        return self.name.label

    def of_seed(self, seed: int) -> MeasuredRun | None:
        return next((run for run in self.runs if run.seed == seed), None)


def read_experiments(runs: Sequence[RunDirectory]) -> list[Experiment]:
    """Read runs, each once, and gather them by experiment, in the order given.

    Runs of one experiment with one seed are no sample of seeds, so each begins an experiment.

    Raises
    ------
    UserError
        if a folder is not a run, or its files contradict each other.
    """
    by_path: dict[Path, RunDirectory] = {}
    for run in runs:
        by_path.setdefault(run.path.resolve(), run)
    unique = list(by_path.values())
    found: dict[tuple[str, int], list[MeasuredRun]] = {}
    times: Counter[tuple[str, int]] = Counter()
    for one in map(_read, unique):
        settings = repr(sorted(one.settings.values.items()))
        copy = times[settings, one.seed]
        times[settings, one.seed] += 1
        found.setdefault((settings, copy), []).append(one)
    named = names([mine[0].settings for mine in found.values()], _varied(unique))
    shared = {label for label, count in Counter(name.label for name in named).items() if count > 1}
    return [
        Experiment(
            Name(f"{name.label} {mine[0].path}", name.method, name.condition) if name.label in shared else name,
            tuple(sorted(mine, key=lambda run: run.seed)),
        )
        for name, mine in zip(named, found.values(), strict=True)
    ]


def matching(experiments: Sequence[Experiment], name: str) -> list[Experiment]:
    """The experiments with this label, else of this method, else with this run or folder; no or several, too."""
    by_label = [one for one in experiments if one.label == name]
    by_method = [one for one in experiments if one.runs[0].summary.method == name]
    by_run = [one for one in experiments if any(name in (run.path, run.folder) for run in one.runs)]
    found = (by_label, by_method, by_run)
    return next((one for one in found if len(one) == 1), max(found, key=len))


def find(experiments: Sequence[Experiment], name: str, option: str) -> Experiment:
    """The one experiment of this name (see `matching`), which `option` gave; UserError if there is none, or several."""
    found = matching(experiments, name)
    if len(found) != 1:
        raise UserError(f"{option}: given {name!r}; allowed: {' | '.join(one.label for one in experiments)}")
    return found[0]


def _read(run: RunDirectory) -> MeasuredRun:
    summary = run.summary()
    rounds = tuple(run.rounds()) if summary.rounds_completed else ()  # a run stopped at once has no file of rounds
    if [record.round for record in rounds] != list(range(1, summary.rounds_completed + 1)):
        raise UserError(f"{run.path}: rounds.jsonl does not hold the {summary.rounds_completed} rounds of summary.json")
    settings = settings_of(run, summary.method)
    return MeasuredRun(str(run.path), run.path.absolute().name, settings, summary, rounds, _memory_loss(run, rounds))


def _memory_loss(run: RunDirectory, rounds: Sequence[RoundRecord]) -> MemoryLoss:
    """Device records are read only where a round lost a device to memory."""
    lost = sum(record.dropped_by.get(Outcome.OUT_OF_MEMORY, 0) for record in rounds)
    if not lost:
        return MemoryLoss(0.0, 0)
    finished, failed = set[int](), set[int]()
    for trained in run.devices():
        devices = trained.devices
        finished |= set(devices.id[devices.finished].tolist())
        failed |= set(devices.id[[outcome == Outcome.OUT_OF_MEMORY for outcome in devices.outcome]].tolist())
    return MemoryLoss(lost / len(rounds), len(failed - finished))


def _varied(runs: Sequence[RunDirectory]) -> dict[str, Any] | None:
    """What the sweep of one scenario varied that all runs are cells of; None if they do not come from one."""
    folders = {run.path.resolve().parent for run in runs}
    sweep = SweepDirectory(folders.pop()) if len(folders) == 1 else None
    if sweep is None or not sweep.exists():
        return None
    record = sweep.record()
    if not record.vary or record.scenarios or any(run.path.resolve().name not in record.cells for run in runs):
        return None
    return dict(record.vary)

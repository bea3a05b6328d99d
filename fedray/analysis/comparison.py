"""Runs side by side: what each reached, and how soon; runs that differ only in their seed are one row."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from fedray.analysis.settings import Settings, differing_sections, labels, settings_of
from fedray.errors import UserError
from fedray.results.records import RoundRecord
from fedray.results.run_directory import RunDirectory
from fedray.results.summary import Status, Summary, Target, reached


@dataclass(frozen=True)
class Statistic:
    """Mean and sample standard deviation of the `n` runs of a row that have a value.

    The mean is null without any, the deviation below two.
    """

    mean: float | None
    std: float | None
    n: int


@dataclass(frozen=True)
class ComparedRun:
    """One run; `target` is null where its `target_accuracy` was not reached.

    `speed_up` is the emulated seconds to the target of the baseline's run with the same seed over this run's, and
    `bytes_ratio` this run's bytes to the target over that run's: null where either did not reach it.
    """

    run: str
    seed: int
    method: str
    status: Status
    rounds_completed: int
    final_accuracy: float | None
    best_accuracy: float | None
    emulated_seconds: float
    bytes_up: int
    bytes_down: int
    mean_waiting_seconds: float
    energy_joules: float
    target_accuracy: float | None
    target: Target | None
    speed_up: float | None
    bytes_ratio: float | None


@dataclass(frozen=True)
class ComparedRow:
    """One experiment over its seeds; every statistic is over the runs that have the value, and says how many do."""

    label: str
    method: str
    runs: tuple[ComparedRun, ...]
    rounds_completed: Statistic
    final_accuracy: Statistic
    best_accuracy: Statistic
    emulated_seconds: Statistic
    bytes_up: Statistic
    bytes_down: Statistic
    mean_waiting_seconds: Statistic
    energy_joules: Statistic
    target_seconds: Statistic
    target_bytes: Statistic
    target_round: Statistic
    speed_up: Statistic
    bytes_ratio: Statistic


@dataclass(frozen=True)
class Comparison:
    """Rows against a target accuracy: one for all, or, by seed, the final one of the row `target_of`.

    `baseline` is the row that ratios are against. `differing` names what should not differ between methods and does:
    the sections task, fleet, model, and the twin whose costs were counted; `twin` is that of all runs, if they agree.
    """

    target_accuracy: float | None
    target_of: str | None
    baseline: str | None
    differing: tuple[str, ...]
    twin: str | None
    rows: tuple[ComparedRow, ...]

    @property
    def runs(self) -> tuple[ComparedRun, ...]:
        """All runs, row by row."""
        return tuple(run for row in self.rows for run in row.runs)


@dataclass(frozen=True)
class _Read:
    """A run as read from its directory."""

    path: str
    folder: str
    settings: Settings
    summary: Summary
    rounds: tuple[RoundRecord, ...]


@dataclass(frozen=True)
class _Row:
    """The runs of one experiment, one per seed."""

    label: str
    runs: tuple[_Read, ...]

    def of_seed(self, seed: int) -> _Read | None:
        return next((run for run in self.runs if run.settings.seed == seed), None)


def compare(
    runs: Sequence[RunDirectory],
    target: float | None = None,
    *,
    target_of: str | None = None,
    baseline: str | None = None,
) -> Comparison:
    """Compare runs; a directory that is given twice counts once.

    The target is an accuracy for all, or the final one of the row `target_of` with the same seed, or else the highest
    that every run reached. Ratios are against the row `baseline`, or else the first. A row is named by its label, by
    its method if no other row has it, or by one of its runs.

    Raises
    ------
    UserError
        if a folder is not a run, the target is no share, or there is no such row.
    """
    if target is not None and target_of is not None:
        raise UserError("--target: not together with --target-of, which sets the target by seed")
    if target is not None and not 0 < target <= 1:
        raise UserError(f"--target: given {target:g}; allowed: above 0, at most 1")
    unique: dict[Path, RunDirectory] = {}
    for run in runs:
        unique.setdefault(run.path.resolve(), run)
    read = [_read(run) for run in unique.values()]
    rows = _rows(read)
    reference = _named(rows, target_of, "--target-of") if target_of is not None else None
    against = _named(rows, baseline, "--baseline") if baseline is not None else rows[0] if rows else None
    if target is None and reference is None:
        target = _reached_by_all([run.summary.best_accuracy for run in read])
    aims = {run.path: _aim(run, target, reference) for run in read}
    targets = {run.path: _reached(run, aims[run.path]) for run in read}
    twins = {run.summary.twin for run in read}
    return Comparison(
        target_accuracy=target,
        target_of=reference.label if reference else None,
        baseline=against.label if against else None,
        differing=differing_sections([run.settings for run in read]) + (("twin",) if len(twins) > 1 else ()),
        twin=twins.pop() if len(twins) == 1 else None,
        rows=tuple(
            _compared_row(row.label, [_compared_run(run, aims[run.path], targets, against) for run in row.runs])
            for row in rows
        ),
    )


def _read(run: RunDirectory) -> _Read:
    summary = run.summary()
    rounds = tuple(run.rounds()) if summary.rounds_completed else ()  # a run stopped at once has no file of rounds
    if [record.round for record in rounds] != list(range(1, summary.rounds_completed + 1)):
        raise UserError(f"{run.path}: rounds.jsonl does not hold the {summary.rounds_completed} rounds of summary.json")
    return _Read(str(run.path), run.path.absolute().name, settings_of(run, summary.method), summary, rounds)


def _rows(read: Sequence[_Read]) -> list[_Row]:
    """One row per experiment; runs of one experiment with one seed are no sample of seeds, so each begins a row."""
    found: dict[tuple[str, int], list[_Read]] = {}
    times: Counter[tuple[str, int]] = Counter()
    for run in read:
        experiment = repr(sorted(run.settings.values.items()))
        copy = times[experiment, run.settings.seed]
        times[experiment, run.settings.seed] += 1
        found.setdefault((experiment, copy), []).append(run)
    names = labels([runs[0].settings for runs in found.values()])
    shared = {name for name, count in Counter(names).items() if count > 1}
    return [
        _Row(
            f"{name} {runs[0].path}" if name in shared else name, tuple(sorted(runs, key=lambda run: run.settings.seed))
        )
        for name, runs in zip(names, found.values(), strict=True)
    ]


def _named(rows: Sequence[_Row], name: str, option: str) -> _Row:
    by_label = [row for row in rows if row.label == name]
    by_method = [row for row in rows if row.runs[0].summary.method == name]
    by_run = [row for row in rows if any(name in (run.path, run.folder) for run in row.runs)]
    for candidates in (by_label, by_method, by_run):
        if len(candidates) == 1:
            return candidates[0]
    raise UserError(f"{option}: given {name!r}; allowed: {' | '.join(row.label for row in rows)}")


def _reached_by_all(bests: Sequence[float | None]) -> float | None:
    known = [best for best in bests if best is not None]
    return min(known, default=None) if len(known) == len(bests) else None


def _aim(run: _Read, target: float | None, reference: _Row | None) -> float | None:
    """The accuracy a run has to reach."""
    if reference is None:
        return target
    same_seed = reference.of_seed(run.settings.seed)
    return same_seed.summary.final_accuracy if same_seed else None


def _reached(run: _Read, aim: float | None) -> Target | None:
    return reached(run.rounds, aim) if aim is not None else None


def _compared_run(
    run: _Read, aim: float | None, targets: Mapping[str, Target | None], against: _Row | None
) -> ComparedRun:
    summary, mine = run.summary, targets[run.path]
    same_seed = against.of_seed(run.settings.seed) if against else None
    theirs = targets[same_seed.path] if same_seed else None
    return ComparedRun(
        run=run.path,
        seed=run.settings.seed,
        method=summary.method,
        status=summary.status,
        rounds_completed=summary.rounds_completed,
        final_accuracy=summary.final_accuracy,
        best_accuracy=summary.best_accuracy,
        emulated_seconds=summary.emulated_seconds,
        bytes_up=summary.bytes_up,
        bytes_down=summary.bytes_down,
        mean_waiting_seconds=summary.mean_waiting_seconds,
        energy_joules=summary.energy_joules,
        target_accuracy=aim,
        target=mine,
        speed_up=_ratio(theirs.emulated_seconds, mine.emulated_seconds) if mine and theirs else None,
        bytes_ratio=_ratio(mine.bytes, theirs.bytes) if mine and theirs else None,
    )


def _compared_row(label: str, runs: Sequence[ComparedRun]) -> ComparedRow:
    targets = [run.target for run in runs if run.target]
    return ComparedRow(
        label=label,
        method=runs[0].method,
        runs=tuple(runs),
        rounds_completed=statistic(run.rounds_completed for run in runs),
        final_accuracy=statistic(run.final_accuracy for run in runs),
        best_accuracy=statistic(run.best_accuracy for run in runs),
        emulated_seconds=statistic(run.emulated_seconds for run in runs),
        bytes_up=statistic(run.bytes_up for run in runs),
        bytes_down=statistic(run.bytes_down for run in runs),
        mean_waiting_seconds=statistic(run.mean_waiting_seconds for run in runs),
        energy_joules=statistic(run.energy_joules for run in runs),
        target_seconds=statistic(target.emulated_seconds for target in targets),
        target_bytes=statistic(target.bytes for target in targets),
        target_round=statistic(target.round for target in targets),
        speed_up=statistic(run.speed_up for run in runs),
        bytes_ratio=statistic(run.bytes_ratio for run in runs),
    )


def statistic(values: Iterable[float | None]) -> Statistic:
    """Over the values that there are."""
    known = [value for value in values if value is not None]
    return Statistic(fmean(known) if known else None, stdev(known) if len(known) > 1 else None, len(known))


def _ratio(value: float, unit: float) -> float | None:
    return value / unit if unit else None

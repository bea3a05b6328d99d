"""Runs side by side: what each reached, and how soon."""

from collections.abc import Sequence
from dataclasses import dataclass

from fedray.errors import UserError
from fedray.results.records import Target, reached
from fedray.results.run_directory import RunDirectory


@dataclass(frozen=True)
class ComparedRun:
    """One row of a comparison; `target` is null where the accuracy was not reached.

    `speed_up` is the first run's emulated seconds to the target over this run's.
    """

    run: str
    method: str
    status: str
    rounds_completed: int
    final_accuracy: float | None
    best_accuracy: float | None
    emulated_seconds: float
    bytes_up: int
    bytes_down: int
    mean_waiting_seconds: float
    energy_joules: float
    target: Target | None
    speed_up: float | None


@dataclass(frozen=True)
class Comparison:
    """Runs against one target accuracy."""

    target_accuracy: float | None
    runs: tuple[ComparedRun, ...]


def compare(runs: Sequence[RunDirectory], target: float | None = None) -> Comparison:
    """Compare runs; the target defaults to the highest accuracy that every run reached.

    Raises
    ------
    UserError
        if a folder is not a run, or the target is no share.
    """
    if target is not None and not 0 < target <= 1:
        raise UserError(f"--target: given {target:g}; allowed: above 0, at most 1")
    summaries = [run.summary() for run in runs]
    rounds = [run.rounds() for run in runs]
    bests = [summary.best_accuracy for summary in summaries]
    if target is None and bests and None not in bests:
        target = min(best for best in bests if best is not None)
    targets = [reached(records, target) if target is not None else None for records in rounds]
    first = targets[0] if targets else None
    rows = [
        ComparedRun(
            run=str(run.path),
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
            target=mine,
            speed_up=first.emulated_seconds / mine.emulated_seconds if first and mine else None,
        )
        for run, summary, mine in zip(runs, summaries, targets, strict=True)
    ]
    return Comparison(target, tuple(rows))

"""Runs as what a Prometheus would have seen of them, on the clock of their devices."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from fedray.errors import UserError
from fedray.results import RunDirectory
from fedray.runtime.run_metrics import RunMetrics
from fedray.scenario import load_scenario
from fedray.telemetry import Snapshot, openmetrics

BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)  # where emulated time begins: hours read as hours of the run


def exported(runs: Sequence[RunDirectory]) -> str:
    """OpenMetrics text of all completed rounds; UserError for what is no run, or two runs of one name."""
    names = [run.run_id for run in runs]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(
            f"two runs are called {doubled[0]}: their series would be one; export them to files of their own"
        )
    return openmetrics([snapshot for run in runs for snapshot in _moments(run)])


def _moments(run: RunDirectory) -> Iterator[tuple[Snapshot, float]]:
    """What was served after each round, and when it ended."""
    scenario = load_scenario(run.scenario).scenario
    metrics = RunMetrics(run.run_id, scenario, run.shards())
    for record, lines in run.rounds_with_devices():
        metrics.add(record, lines)
        yield metrics.snapshot({}), BEGINNING.timestamp() + record.emulated_seconds
    if metrics.last is None:
        raise UserError(f"{run.path}: no round was completed")

"""A sweep: every run with how far it is, and what is left."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from rich.console import Console, RenderableType
from rich.live import Live

from fedray.display.tables import plain_console, share, table
from fedray.results import RoundRecord, RunDirectory, Summary
from fedray.results.lines import enforcement_words
from fedray.results.metric import ACCURACY, MetricValue
from fedray.results.quantities import duration, size

if TYPE_CHECKING:  # tables of files must not wait for torch and Ray
    from fedray.experiment.experiment import Experiment
    from fedray.results import Progress
    from fedray.runtime.batch import SweptRun
    from fedray.runtime.coordinator_actor import RunStart
    from fedray.runtime.sweep import Sweep

AROUND = 8  # lines of a terminal that are not rows of the table


@dataclass
class Row:
    """How far one run is."""

    name: str
    rounds: int
    status: str = "waiting"
    round: int = 0
    measured: float | None = None
    emulated_seconds: float = 0.0
    bytes: int = 0
    hosts_lost: int = 0

    def done_before(self, summary: Summary, complete: bool) -> None:
        """What an earlier call left."""
        self.status = "complete" if complete else summary.status
        self.round, self.measured = summary.rounds_completed, summary.primary.value if summary.primary else None
        self.emulated_seconds, self.bytes = summary.emulated_seconds, summary.bytes_up + summary.bytes_down

    @property
    def ended(self) -> bool:
        return self.status in ("complete", "failed")


class BatchDisplay:
    """Follows several runs on standard error: a table on a terminal, else one line per round; failures in any case."""

    measure = ACCURACY  # what a round is judged by, unless its metrics say otherwise

    def __init__(self, console: Console, quiet: bool) -> None:
        self.console = console
        self.quiet = quiet
        self.rows: dict[str, Row] = {}
        self.current: Row | None = None
        self.begun = time.monotonic()  # of the current run
        self.seconds = 0.0  # that the rounds of this session took, in all
        self.done = 0  # rounds of this session
        self.live = Live(console=console, get_renderable=self.render, refresh_per_second=2)

    def __enter__(self) -> Self:
        self._say("checking every run before the first begins")
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()

    def began(self, run: SweptRun) -> None:
        self.current = self.rows[run.name]
        self.current.status = "starting"

    def started(self, experiment: Experiment, directory: RunDirectory, start: RunStart) -> None:
        row, records = self._current, start.records
        row.round, row.bytes = len(records), sum(record.bytes_up + record.bytes_down for record in records)
        self.begun = time.monotonic()
        going_on = f", going on after round {row.round}" if records else ""
        self._log(f"{experiment.scenario.method['name']}, {len(experiment.fleet):,} devices{going_on}")
        if start.metrics_url:
            self._say(f"metrics at {start.metrics_url}")

    def progressed(self, progress: Progress) -> None:
        row = self._current
        evaluating = progress.planned and progress.trained == progress.planned
        done = f"{progress.trained}/{progress.planned}" if progress.passed is None else f"{progress.passed:.0%}"
        row.status = "evaluating" if evaluating else f"training {done}"
        if progress.hosts_lost > row.hosts_lost:
            row.hosts_lost = progress.hosts_lost
            self._say(f"{row.name}: a host died: its unfinished devices are trained again, nothing is lost")

    def completed(self, record: RoundRecord) -> None:
        row, now = self._current, time.monotonic()
        self.seconds, self.done, self.begun = self.seconds + now - self.begun, self.done + 1, now
        row.round, row.emulated_seconds = record.round, record.emulated_seconds
        row.bytes += record.bytes_up + record.bytes_down
        found = self.measured(record)
        words = ""
        if found is not None:
            row.measured, self.measure = found.value, found.name
            words = f"  {found.name} {found.value:.3f}"
        self._log(
            f"round {record.round:>{len(str(row.rounds))}}/{row.rounds}{words}  emulated "
            f"{duration(record.emulated_seconds)}  traffic {size(row.bytes)}{enforcement_words(record)}{self._left()}"
        )

    def ended(self, run: SweptRun, summary: Summary) -> None:
        self._current.status = "complete"

    def failed(self, run: SweptRun, reason: str) -> None:
        self._current.status = "failed"
        self.console.print(f"{run.name} failed: {reason}", highlight=False, soft_wrap=True, markup=False)

    def measured(self, record: RoundRecord) -> MetricValue | None:
        """The measure of a round, None without evaluation."""
        return record.primary

    def render(self) -> RenderableType:
        """The runs around the current one, as many as the terminal has lines for."""
        rows = list(self.rows.values())
        shown = max(self.console.size.height - AROUND, 3)
        at = rows.index(self.current) if self.current else 0
        first = max(0, min(at - shown // 2, len(rows) - shown))
        made = table(self._title(), ("run", "status"), ("round", self.measure, "emulated time", "traffic", "left"))
        for row in rows[first : first + shown]:
            made.add_row(
                row.name,
                row.status,
                f"{row.round}/{row.rounds}",
                share(row.measured),
                duration(row.emulated_seconds) if row.round else "–",
                size(row.bytes) if row.round else "–",
                self._estimate(row.rounds - row.round) if row is self.current and not row.ended else "",
            )
        return made

    @property
    def _current(self) -> Row:
        if self.current is None:
            raise RuntimeError("no run has begun")
        return self.current

    def _title(self) -> str:
        ended = sum(row.ended for row in self.rows.values())
        return f"{ended} of {len(self.rows)} runs have ended{self._left()}"

    def _left(self) -> str:
        """For all runs together, once a round has shown how long one takes."""
        left = sum(row.rounds - row.round for row in self.rows.values() if not row.ended)
        return f"  left {self._estimate(left)}" if left and self.done else ""

    def _estimate(self, rounds: int) -> str:
        return duration(self.seconds / self.done * rounds) if self.done else "–"

    def _log(self, text: str) -> None:
        """A line about the current run, where there is no table that shows it."""
        if not self.live.is_started:
            number = list(self.rows).index(self._current.name) + 1
            self._say(f"{number}/{len(self.rows)} {self._current.name}  {text}")

    def _say(self, text: str) -> None:
        if not self.quiet:
            self.console.print(text, highlight=False, soft_wrap=True, markup=False)


class SweepDisplay(BatchDisplay):
    """Follows a sweep."""

    def opened(self, sweep: Sweep) -> None:
        self.rows = {run.name: Row(run.name, run.experiment.scenario.training.rounds) for run in sweep.runs}
        for run in sweep.runs:
            if run.summary is not None:
                self.rows[run.name].done_before(run.summary, run.complete)
        complete = sum(run.complete for run in sweep.runs)
        before = f", {complete} complete already" if complete else ""
        self._say(
            f"a sweep of {len(sweep.runs)} run{'s' * (len(sweep.runs) > 1)}{before}; results in {sweep.directory.path}"
        )
        if self.console.is_terminal and not self.quiet and complete < len(sweep.runs):
            self.live.start()

    def ended(self, run: SweptRun, summary: Summary) -> None:
        super().ended(run, summary)
        self._log(f"complete after {summary.rounds_completed} rounds and {summary.wall_seconds:.0f} wall seconds")


class SweepPrinter(SweepDisplay):
    """Prints a sweep's progress line by line on standard output: a callback for scripts and notebooks."""

    def __init__(self) -> None:
        super().__init__(plain_console(), quiet=False)

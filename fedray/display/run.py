"""One run: its progress, and its end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar
from rich.table import Table

from fedray.display.data import data_lines
from fedray.display.tables import plain_console, share, word_table
from fedray.results import RoundRecord, RunDirectory, Summary
from fedray.results.lines import round_line
from fedray.results.metric import ACCURACY
from fedray.results.quantities import duration, size

if TYPE_CHECKING:  # tables of files must not wait for torch and Ray
    from fedray.experiment.experiment import Experiment
    from fedray.results import Progress
    from fedray.runtime.coordinator_actor import RunStart


class RunDisplay:
    """Follows a run on standard error: a bar on a terminal, one line per round anywhere."""

    def __init__(self, console: Console, quiet: bool) -> None:
        self.console = console
        self.quiet = quiet
        self.rounds = 0
        self.began = time.monotonic()
        self.resumed = 0  # rounds completed before this session
        self.lost = 0
        self.bytes = 0
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[done]}"),
        )
        self.bar = Bar(*columns, console=console, transient=True, disable=quiet or not console.is_terminal)
        self.task = self.bar.add_task("starting hosts", total=None, done="")

    def __enter__(self) -> RunDisplay:
        self.say("reading data and model, starting Ray")
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def say(self, text: str) -> None:
        if not self.quiet:
            self.console.print(text, highlight=False, soft_wrap=True, markup=False)

    def started(self, experiment: Experiment, directory: RunDirectory, start: RunStart) -> None:
        scenario, records = experiment.scenario, start.records
        self.rounds, self.resumed, self.began = scenario.training.rounds, len(records), time.monotonic()
        self.lost, self.bytes = 0, sum(record.bytes_up + record.bytes_down for record in records)
        self.say(
            f"{scenario.name}: {scenario.method['name']}, {len(experiment.fleet):,} devices, "
            f"{scenario.model.backbone}; results in {directory.path}"
        )
        for line in data_lines(experiment.data.report) if experiment.data else ():
            self.say(line)
        if experiment.twin:
            self.say(f"all costs are those of {experiment.twin}; {scenario.model.backbone} stands in for its training")
        if len(records) == self.rounds:
            self.say(f"complete after round {self.rounds}; --set training.rounds=N gives it more")
        elif records:
            self.say(f"going on after round {len(records)}")
        if start.metrics_url:
            self.say(f"metrics at {start.metrics_url}")

    def progressed(self, progress: Progress) -> None:
        evaluating = progress.planned and progress.trained == progress.planned
        what = "evaluating" if evaluating else f"round {progress.round}/{self.rounds}"
        whole, gone, words = progress.planned, float(progress.trained), f"{progress.trained}/{progress.planned} devices"
        if progress.passed is not None and not evaluating:
            whole, gone, words = 1, progress.passed, f"{progress.passed:.0%} of its time on the wall"
        self.bar.update(self.task, description=what, completed=gone, total=whole or None, done=words)
        if progress.hosts_lost > self.lost:
            self.lost = progress.hosts_lost
            self.say(f"a host died ({self.lost} so far): its unfinished devices are trained again, nothing is lost")

    def completed(self, record: RoundRecord) -> None:
        self.bytes += record.bytes_up + record.bytes_down
        self.say(round_line(record, self.rounds, self.bytes) + self._eta(record))

    def _eta(self, record: RoundRecord) -> str:
        done, left = record.round - self.resumed, self.rounds - record.round
        return f"  left {duration((time.monotonic() - self.began) / done * left)}" if left else ""


class RunPrinter(RunDisplay):
    """Prints a run's progress line by line on standard output: a callback for scripts and notebooks."""

    def __init__(self) -> None:
        super().__init__(plain_console(), quiet=False)


def summary_table(summary: Summary, directory: RunDirectory) -> Table:
    """The end of a run."""
    ended = f"{summary.status} after {summary.rounds_completed} rounds and {summary.wall_seconds:.0f} wall seconds"
    waiting = f"mean waiting {summary.mean_waiting_seconds:.1f} s a round"
    rows = [
        ("status", ended),
        (summary.primary.name if summary.primary else ACCURACY, _quality(summary)),
        ("emulated time", f"{duration(summary.emulated_seconds)}, {waiting}"),
        ("traffic", f"{size(summary.bytes_up)} up, {size(summary.bytes_down)} down"),
        ("energy", f"{summary.energy_joules / 1000:.1f} kJ"),
        *([_waste_row(summary)] if summary.devices_dropped or summary.wasted_seconds else []),
        *([("wall clock", _overload(summary.overloads))] if summary.overloads is not None else []),
        ("peak memory", f"{size(summary.peak_memory_bytes)} on a device"),
        ("digest", summary.result_digest),
        ("results", str(directory.path)),
    ]
    if summary.twin:
        rows.insert(2, ("costs", f"all of {summary.twin}; a small stand-in was trained{_steps(summary)}"))
    if summary.target:
        target = summary.target
        price = f"{duration(target.emulated_seconds)}, {size(target.bytes)}"
        rows.insert(2, ("target", f"{target.accuracy:g} reached in round {target.round}: {price}"))
    return word_table(rows)


def _quality(summary: Summary) -> str:
    """The primary metric on the test examples, in the last evaluated round, and what the best round had."""
    if summary.best_round is None or summary.primary is None:
        return "–"
    final = f"{share(summary.primary.value)} on the test examples"
    if summary.best_accuracy is None:
        return f"{final} (best {summary.scored_on} score {share(summary.best_score)} in round {summary.best_round})"
    best = f"{share(summary.best_accuracy)} in round {summary.best_round}, the best by {summary.scored_on}"
    return f"{final} ({best})"


def _steps(summary: Summary) -> str:
    """How many of the priced steps were trained, where it is not all."""
    steps = summary.steps
    if steps is None or steps.trained == steps.priced:
        return ""
    return f": {steps.trained} steps a round were trained, {steps.priced} priced"


def _overload(count: int) -> str:
    """How well the machine kept up."""
    return f"{count} transfers or steps ended late" if count else "every transfer and step ended in time"


def _waste_row(summary: Summary) -> tuple[str, str]:
    """What came to nothing."""
    spent = f"{duration(summary.wasted_seconds)} of devices' work, {summary.wasted_joules / 1000:.1f} kJ"
    return "wasted", f"{spent}, {size(summary.wasted_bytes)}; {summary.devices_dropped} times a device did not finish"

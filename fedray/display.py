"""What a person sees in a terminal: progress of a run, tables of plans, comparisons and catalogues."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta
from statistics import mean
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar
from rich.table import Table

from fedray.fleet import Profile
from fedray.results import Comparison, DeviceRecord, RoundRecord, RunDirectory, Summary

if TYPE_CHECKING:  # tables of files must not wait for torch and Ray
    from fedray.runtime.coordinator import Opening
    from fedray.runtime.experiment import Experiment
    from fedray.runtime.fieldwork import Progress
    from fedray.runtime.rehearsal import Rehearsal

DEVICE_ROWS = 100  # larger fleets are shown by profile only; --json has every device


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
            MofNCompleteColumn(),
            TextColumn("devices"),
        )
        self.bar = Bar(*columns, console=console, transient=True, disable=quiet or not console.is_terminal)
        self.task = self.bar.add_task("starting hosts", total=None)

    def __enter__(self) -> RunDisplay:
        self.say("reading data and model, starting Ray")
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def say(self, text: str) -> None:
        if not self.quiet:
            self.console.print(text, highlight=False, soft_wrap=True, markup=False)

    def started(self, experiment: Experiment, directory: RunDirectory, opening: Opening) -> None:
        scenario, records = experiment.scenario, opening.records
        self.rounds, self.resumed, self.began = scenario.training.rounds, len(records), time.monotonic()
        self.bytes = sum(record.bytes_up + record.bytes_down for record in records)
        data = experiment.data
        examples = f"{len(data.train):,} examples, " if data else ""
        self.say(
            f"{scenario.name}: {scenario.method['name']}, {len(experiment.fleet):,} devices, {examples}"
            f"{scenario.model.backbone}; results in {directory.path}"
        )
        if records:
            self.say(f"going on after round {len(records)}")
        if opening.metrics_url:
            self.say(f"metrics at {opening.metrics_url}")

    def progressed(self, progress: Progress) -> None:
        evaluating = progress.planned and progress.trained == progress.planned
        what = "evaluating" if evaluating else f"round {progress.round}/{self.rounds}"
        self.bar.update(self.task, description=what, completed=progress.trained, total=progress.planned or None)
        if progress.hosts_lost > self.lost:
            self.lost = progress.hosts_lost
            self.say(f"a host died ({self.lost} so far): its unfinished devices are trained again, nothing is lost")

    def completed(self, record: RoundRecord) -> None:
        self.bytes += record.bytes_up + record.bytes_down
        accuracy = "" if record.accuracy is None else f"  accuracy {record.accuracy:.3f}"
        dropped = f"  {record.dropped} out of memory" if record.dropped else ""
        rejected = f"  {record.rejected} updates rejected" if record.rejected else ""
        self.say(
            f"round {record.round:>{len(str(self.rounds))}}/{self.rounds}{accuracy}"
            f"  emulated {duration(record.emulated_seconds)}  traffic {size(self.bytes)}"
            f"  waiting {record.mean_waiting_seconds:.1f} s{dropped}{rejected}{self._eta(record)}"
        )

    def _eta(self, record: RoundRecord) -> str:
        done, left = record.round - self.resumed, self.rounds - record.round
        return f"  left {duration((time.monotonic() - self.began) / done * left)}" if left else ""


def duration(seconds: float) -> str:
    """1:02:03 for 3,723 seconds, 12.3 s below two minutes."""
    return f"{seconds:.1f} s" if seconds < 120 else str(timedelta(seconds=round(seconds)))


def size(count: float) -> str:
    """Bytes in powers of 1,000, as links are rated."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def summary_table(summary: Summary, directory: RunDirectory) -> Table:
    """The end of a run."""
    ended = f"{summary.status} after {summary.rounds_completed} rounds and {summary.wall_seconds:.0f} wall seconds"
    waiting = f"mean waiting {summary.mean_waiting_seconds:.1f} s a round"
    rows = [
        ("status", ended),
        ("accuracy", f"{_share(summary.final_accuracy)} (best {_share(summary.best_accuracy)})"),
        ("emulated time", f"{duration(summary.emulated_seconds)}, {waiting}"),
        ("traffic", f"{size(summary.bytes_up)} up, {size(summary.bytes_down)} down"),
        ("energy", f"{summary.energy_joules / 1000:.1f} kJ"),
        ("peak memory", f"{size(summary.peak_memory_bytes)} on a device"),
        ("digest", summary.result_digest),
        ("results", str(directory.path)),
    ]
    if summary.target:
        target = summary.target
        price = f"{duration(target.emulated_seconds)}, {size(target.bytes)}"
        rows.insert(2, ("target", f"{target.accuracy:g} reached in round {target.round}: {price}"))
    return word_table(rows)


def plan_tables(rehearsal: Rehearsal) -> Iterable[Table | str]:
    """A planned round: by device if there are few, then by profile."""
    if len(rehearsal.devices) <= DEVICE_ROWS:
        yield _device_table(rehearsal.devices)
    groups: dict[str, list[DeviceRecord]] = defaultdict(list)
    for device in rehearsal.devices:
        groups[device.profile].append(device)
    right = ("devices", "depth", "compute s", "transfer s", "waiting s", "memory", "out of memory")
    table = _table(f"means of round {rehearsal.round}", ("profile",), right)
    for profile, devices in sorted(groups.items()):
        table.add_row(
            profile,
            str(len(devices)),
            f"{mean(device.depth for device in devices):.1f}",
            f"{mean(device.compute_seconds for device in devices):.2f}",
            f"{mean(device.download_seconds + device.upload_seconds for device in devices):.2f}",
            f"{mean(device.waiting_seconds for device in devices):.2f}",
            size(mean(device.memory_bytes for device in devices)),
            str(sum(not device.fits for device in devices)),
        )
    yield table
    yield (
        f"round {rehearsal.round_seconds:.1f} s, mean waiting {rehearsal.mean_waiting_seconds:.1f} s, "
        f"{size(rehearsal.bytes_up)} up, {size(rehearsal.bytes_down)} down"
    )


def _device_table(devices: Sequence[DeviceRecord]) -> Table:
    right = ("depth", "compute s", "down s", "up s", "waiting s", "sent", "memory", "fits")
    table = _table("devices", ("id", "profile", "mode", "ranks"), right)
    for device in devices:
        table.add_row(
            str(device.id),
            device.profile,
            device.mode,
            " ".join(map(str, device.ranks)),
            str(device.depth),
            f"{device.compute_seconds:.2f}",
            f"{device.download_seconds:.2f}",
            f"{device.upload_seconds:.2f}",
            f"{device.waiting_seconds:.2f}",
            size(device.bytes_up),
            size(device.memory_bytes),
            "yes" if device.fits else "no",
        )
    return table


def comparison_table(comparison: Comparison) -> Table:
    """Runs side by side."""
    target = comparison.target_accuracy
    title = f"target accuracy {target:.3f}" if target is not None else None
    right = ("rounds", "final", "best", "time to target", "bytes to target", "waiting s", "energy kJ", "speed-up")
    table = _table(title, ("run", "method"), right)
    for run in comparison.runs:
        table.add_row(
            run.run,
            run.method if run.status == "completed" else f"{run.method} ({run.status})",
            str(run.rounds_completed),
            _share(run.final_accuracy),
            _share(run.best_accuracy),
            duration(run.target.emulated_seconds) if run.target else "–",
            size(run.target.bytes) if run.target else "–",
            f"{run.mean_waiting_seconds:.1f}",
            f"{run.energy_joules / 1000:.1f}",
            f"{run.speed_up:.2f}×" if run.speed_up else "–",
        )
    return table


def profile_table(profiles: Iterable[Profile]) -> Table:
    """The devices of the catalogue, one row per power mode."""
    table = _table(None, ("profile", "title", "mode"), ("effective GFLOP/s", "watts", "training memory"))
    for profile in profiles:
        for number, (name, mode) in enumerate(profile.modes.items()):
            board, title = ("", "") if number else (profile.name, profile.title)
            memory = "" if number else size(profile.training_memory_bytes)
            marked = f"{name} (default)" if name == profile.default_mode else name
            speed = f"{profile.flops_per_second(name) / 1e9:.0f}"
            table.add_row(board, title, marked, speed, f"{mode.watts:g}", memory)
    return table


def word_table(words: Iterable[tuple[str, ...]]) -> Table:
    """Names and what they are."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for row in words:
        table.add_row(*row)
    return table


def _table(title: str | None, left: Sequence[str], right: Sequence[str]) -> Table:
    """A table whose first columns are words and whose others are numbers."""
    table = Table(title=title, title_justify="left")
    for heading in left:
        table.add_column(heading, overflow="fold")
    for heading in right:
        table.add_column(heading, justify="right")
    return table


def _share(accuracy: float | None) -> str:
    return "–" if accuracy is None else f"{accuracy:.3f}"

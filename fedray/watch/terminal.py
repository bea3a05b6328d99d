"""The fleet in a terminal: every board a square, coloured by what it does."""

import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.text import Text

from fedray.errors import UserError
from fedray.results.quantities import duration, size
from fedray.results.timeline import Activity
from fedray.watch.run_index import RunIndex
from fedray.watch.views import DeviceView, RoundView, RunView

LOOK_SECONDS = 0.5
LAST_LINES = 6
STYLES = {
    Activity.DOWNLOAD: "bright_cyan",
    Activity.TRAIN: "blue",
    Activity.QUANTISED: "magenta",
    Activity.UPLOAD: "yellow",
    Activity.WAIT: "bright_black",
    Activity.OFF: "dim",
    Activity.OUT_OF_MEMORY: "red",
}
SQUARE, HOLLOW = "■", "□"


def show(run_index: RunIndex, console: Console) -> None:
    """Follow the run that goes on, the first of several, until none does any more or Ctrl-C; UserError if no terminal.

    Without a run it waits for one.
    """
    if not console.is_terminal:
        raise UserError("--tui: needs a terminal; without one read rounds.jsonl, or use the page")
    with Live(Text("no run yet"), console=console, refresh_per_second=4) as live:
        while not (run_index.poll() or run_index.views):
            time.sleep(LOOK_SECONDS)
        while True:
            view = followed(list(run_index.views.values()))
            number = view.under_way.round if view.under_way else view.rounds
            live.update(picture(view, run_index.round(view.name, number)))
            if view.status != "running":
                return
            time.sleep(LOOK_SECONDS)
            run_index.poll()


def followed(views: Sequence[RunView]) -> RunView:
    """The first that goes on, or else the first."""
    return next((view for view in views if view.status == "running"), views[0])


def picture(view: RunView, round_: RoundView | None) -> RenderableType:
    """A run and a round of it; None before there is one."""
    quality = f"{view.metric} {'–' if view.primary is None else f'{view.primary:.3f}'}"
    facts = (
        f"round {view.rounds}/{view.rounds_planned}  {quality}  emulated {duration(view.emulated_seconds)}  "
        f"traffic {size(view.bytes_up + view.bytes_down)}  {view.status}"
    )
    parts: list[RenderableType] = [Text(f"{view.name}: {view.method}, {view.devices:,} devices", "bold"), Text(facts)]
    if view.under_way:
        under_way = view.under_way
        parts.append(Text(f"round {under_way.round}: {under_way.trained}/{under_way.planned} devices trained"))
        parts.append(ProgressBar(total=max(under_way.planned, 1), completed=under_way.trained, width=40))
    if round_ and round_.devices:
        parts += _boards(round_.devices, _moment(view, round_))
    parts += [Text(line, "dim") for line in view.log[-LAST_LINES:]]
    return Group(*parts)


def _moment(view: RunView, round_: RoundView) -> float:
    """Which second of the round it is now."""
    under_way = view.under_way
    if under_way is None or under_way.round != round_.round:
        return round_.round_seconds
    passed = under_way.elapsed_seconds
    return under_way.share * round_.round_seconds if passed is None else min(passed, round_.round_seconds)


def _boards(devices: Sequence[DeviceView], seconds: float) -> list[Text]:
    """A line of squares per profile, and what the colours mean."""
    now = {device.id: activity_at(device, seconds) for device in devices}
    lines: dict[str, Text] = {}
    for device in devices:
        line = lines.setdefault(device.profile, Text().append(f"{device.profile}\n", "dim"))
        activity = now[device.id]
        line.append(HOLLOW if activity is Activity.OFF else SQUARE, STYLES[activity])
    legend = Text()
    for activity, count in Counter(now.values()).most_common():
        legend.append(f"{SQUARE} ", STYLES[activity]).append(f"{activity.value} {count}  ")
    return [*lines.values(), legend]


def activity_at(device: DeviceView, seconds: float) -> Activity:
    """What a device does at a time of its round: its last change that is not after it."""
    starts = [start for start, _ in device.timeline]
    return Activity(device.timeline[max(bisect_right(starts, seconds) - 1, 0)][1])

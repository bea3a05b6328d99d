"""Who did what when in a round: every device's downloads, computing, uploads and waiting."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.basedatatypes import BaseTraceType

from fedray.analysis.report import style
from fedray.analysis.report.reading import ReportedRun
from fedray.analysis.report.style import Chart, View
from fedray.arrays import Floats, Ints
from fedray.results.downsample import evenly
from fedray.results.records import RoundRecord
from fedray.results.round_devices import RoundDevices
from fedray.results.timeline import segments

MOST_ROWS = 200  # devices; a row must stay thicker than a hair
MOST_ROUNDS = 50  # to choose from
COLOURS = {"download": "#56B4E9", "compute": "#0072B2", "upload": "#E69F00"}
FAILED = "#D55E00"
WAITING_RANK = 1001  # drawn first, named after download, compute and upload
CHART_PIXELS, THINNEST, THICKEST = 640, 3, 22  # of all rows together, and of one
NAMED_FROM = 8  # pixels of a row that leave room for its device's number
HOVER = (
    "device %{customdata[0]}, %{customdata[1]} in %{customdata[2]}, group %{customdata[3]}<br>"
    "download %{customdata[4]} s, compute %{customdata[5]} s, upload %{customdata[6]} s, waiting %{customdata[7]} s<br>"
    "depth %{customdata[8]}, inner rounds %{customdata[9]}<extra></extra>"
)


def gantt_chart(run: ReportedRun) -> Chart:
    """The last round of a run, and the others to choose from where there are not too many."""
    rounds = run.devices if len(run.devices) <= MOST_ROUNDS else run.devices[-1:]
    views = tuple(View(f"round {one.round}", _gantt(run.record(one.round), one)) for one in rounds)
    most = max(len(one.id) for one in rounds)
    parts = [
        "One row per device, sorted by group, then by its end. Grey: waiting, for its group or for the round to end."
    ]
    if most > MOST_ROWS:
        parts.append(
            f"Of {most:,} devices {MOST_ROWS} are shown, evenly chosen from that order; the slowest may be others."
        )
    if any((one.inner_rounds > 1).any() for one in rounds):
        parts.append(
            "A group may aggregate several times in a round: download, computing and upload then repeat, each "
            "repetition beginning when the group's slowest device has ended the one before; drawn is their mean length."
        )
    if any(not one.finished.all() for one in rounds):
        parts.append("Cross: the device did not finish (out of memory, vanished, late, ...); what it did is wasted.")
    return Chart("A round, device by device", " ".join(parts), views)


def _gantt(record: RoundRecord, devices: RoundDevices) -> go.Figure:
    order = np.lexsort((devices.busy_seconds, devices.group))
    order = order[evenly(len(order), MOST_ROWS)]
    unit = style.time_unit(record.round_seconds)
    ends = np.where(devices.finished, record.round_seconds, devices.busy_seconds)[order]

    waiting = _bars("waiting", style.GREY, np.arange(len(order)), np.zeros(len(order)), ends / unit.divisor)
    waiting.update(legendrank=WAITING_RANK, hoverinfo=None, customdata=_told(devices, order), hovertemplate=HOVER)
    traces: list[BaseTraceType] = [waiting]
    place = np.full(len(devices.id), -1)  # a device's row, -1 where it is not shown
    place[order] = np.arange(len(order))
    for name, parts in segments(devices).items():
        shown = place[parts.rows] >= 0
        rows, starts, seconds = place[parts.rows][shown], parts.starts[shown], parts.seconds[shown]
        traces.append(_bars(name, COLOURS[name], rows, starts / unit.divisor, seconds / unit.divisor))
    failed = np.flatnonzero(~devices.finished[order])
    if len(failed):
        traces.append(_crosses(failed, ends[failed] / unit.divisor))
    title = f"time since the start of round {record.round} ({unit.name})"
    return _drawn(traces, title, float(ends.max()) / unit.divisor, devices, order)


def _told(devices: RoundDevices, order: Ints) -> list[list[str | int]]:
    """What a device's row tells the pointer."""
    spent = (devices.download_seconds, devices.compute_seconds, devices.upload_seconds, devices.waiting_seconds)
    return [
        [
            int(devices.id[i]),
            style.escaped(devices.profile[i]),
            style.escaped(devices.mode[i]),
            int(devices.group[i]),
            *(f"{column[i]:.4g}" for column in spent),
            int(devices.depth[i]),
            int(devices.inner_rounds[i]),
        ]
        for i in order
    ]


def _bars(name: str, colour: str, rows: Ints, starts: Floats, lengths: Floats) -> go.Bar:
    return go.Bar(
        name=name,
        orientation="h",
        y=rows.astype(np.uint8),
        base=starts.astype(np.float32),
        x=lengths.astype(np.float32),
        width=0.82,
        marker={"color": colour, "line": {"width": 0}},
        hoverinfo="skip",
    )


def _crosses(rows: Ints, ends: Floats) -> go.Scatter:
    return go.Scatter(
        name="did not finish",
        x=ends,
        y=rows,
        mode="markers",
        marker={"symbol": "x", "size": 8, "color": FAILED, "line": {"width": 1, "color": "white"}},
        legendrank=WAITING_RANK + 1,
        hoverinfo="skip",
    )


def _drawn(
    traces: Sequence[BaseTraceType], x_title: str, longest: float, devices: RoundDevices, order: Ints
) -> go.Figure:
    rows = len(order)
    pixels = min(max(CHART_PIXELS / rows, THINNEST), THICKEST)
    ids, groups = devices.id[order].tolist(), devices.group[order].tolist()
    several = len(set(groups)) > 1
    numbers = {"tickvals": list(range(rows)), "ticktext": [str(i) for i in ids], "tickfont": {"size": min(pixels, 11)}}
    named = numbers if pixels >= NAMED_FROM else {"showticklabels": False}
    return style.drawing(
        traces,
        round(rows * pixels) + 90,
        {"r": 74 if several else 16},
        xaxis=style.axis(x_title, range=[0, 1.01 * longest or 1.0]),
        yaxis=style.axis("device", range=[rows - 0.5, -0.5], showgrid=False, ticks="", **named),
        barmode="overlay",
        hovermode="closest",
        **(style.blocks([f"group {group}" for group in groups], pixels, "right", style.RULE) if several else {}),
    )

"""Figures that lay all runs over each other: quality against time and bytes, every round's length and waiting."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import plotly.graph_objects as go

from fedray.analysis.report import style
from fedray.analysis.report.reading import ReportedRun
from fedray.analysis.report.style import Chart, Unit, View

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "pentagon", "hexagon", "hourglass", "bowtie")
MARKED_ROUNDS = 40  # with more, the marks would hide the line


@dataclass(frozen=True)
class _Price:
    """What quality is bought with: `so_far` gives what a run has spent by the end of each round."""

    name: str
    told: str
    unit: Unit
    so_far: Callable[[ReportedRun], Sequence[float]]


@dataclass(frozen=True)
class Levels:
    """The metric of the figure, and what a line across it marks: the target for all runs, and the majority baseline."""

    metric: str
    target: float | None
    majority: float | None


def quality_charts(runs: Sequence[ReportedRun], levels: Levels) -> list[Chart]:
    """The primary metric against emulated time and against traffic; nothing if no round was evaluated."""
    if all(record.primary is None for run in runs for record in run.rounds):
        return []
    seconds = _Price(
        "emulated time",
        "emulated time since the run began",
        style.time_unit(max(run.rounds[-1].emulated_seconds for run in runs)),
        lambda run: [record.emulated_seconds for record in run.rounds],
    )
    traffic = _Price(
        "traffic",
        "what all devices together have sent and received",
        style.byte_unit(max(_traffic(run)[-1] for run in runs)),
        _traffic,
    )
    return [_quality_chart(runs, levels, seconds), _quality_chart(runs, levels, traffic)]


def round_chart(runs: Sequence[ReportedRun]) -> Chart:
    """Length and mean waiting of every round."""
    unit = style.time_unit(max(record.round_seconds for run in runs for record in run.rounds))
    hover = f"%{{meta}}<br>round %{{x}}: %{{y:.4~g}} {unit.name}<extra></extra>"
    traces = []
    for run in runs:
        numbers = [record.round for record in run.rounds]
        lengths = [record.round_seconds / unit.divisor for record in run.rounds]
        waits = [record.mean_waiting_seconds / unit.divisor for record in run.rounds]
        above, below = (_line(runs, run, numbers, heights, hover) for heights in (lengths, waits))
        traces += [above, below.update(showlegend=False, xaxis="x2", yaxis="y2")]
    last = max(run.rounds[-1].round for run in runs)
    drawn = style.drawing(
        traces,
        460,
        xaxis=style.round_axis("", last, matches="x2", showticklabels=False),
        yaxis=style.axis(f"round length ({unit.name})", rangemode="tozero", domain=[0.54, 1]),
        xaxis2=style.round_axis("round", last, anchor="y2"),
        yaxis2=style.axis(f"mean waiting ({unit.name})", rangemode="tozero", domain=[0, 0.46]),
    )
    caption = (
        f"Above, how long each round takes until the last update is in; below, how long its devices do nothing, "
        f"the mean over those that finish (both in {unit.name})."
    )
    return Chart("Round length and waiting", caption, (View("all rounds", drawn),))


def _quality_chart(runs: Sequence[ReportedRun], levels: Levels, price: _Price) -> Chart:
    unit, metric = price.unit, levels.metric.capitalize()
    hover = f"%{{meta}}<br>round %{{customdata}}: {levels.metric} %{{y:.3f}} at %{{x:.4~g}} {unit.name}<extra></extra>"
    parts = [
        f"{metric} of the global model on the evaluated test examples, against {price.told} ({unit.name}); one point "
        "per evaluated round."
    ]
    traces = []
    for run in runs:
        spent = zip(run.rounds, price.so_far(run), strict=True)
        points = [(r.round, amount / unit.divisor, r.primary.value) for r, amount in spent if r.primary is not None]
        line = _line(runs, run, [x for _, x, _ in points], [y for _, _, y in points], hover)
        traces.append(line.update(customdata=[round_ for round_, _, _ in points]))
    layout: dict[str, Any] = {
        "xaxis": style.axis(f"{price.name} ({unit.name})", rangemode="tozero"),
        "yaxis": style.axis(f"{levels.metric} on the test examples"),
    }
    stars = [star for run in runs for star in _star(run, price)]
    if levels.target is not None:
        parts.append(f"Dashed line: the target of {levels.target:.3f}, to which scores are held.")
    if stars:
        parts.append("Star: the round in which a run reached its target.")
    if levels.majority is not None:
        parts.append(f"Dotted line: always giving the most frequent label ({levels.majority:.3f}).")
    traces += stars  # above every line
    layout |= _across(levels)
    if len({run.row for run in runs}) < len(runs):
        parts.append("Runs that differ by seed only share a colour.")
    drawn = style.drawing(traces, 380, {"r": 62}, **layout)
    return Chart(f"{metric} against {price.name}", " ".join(parts), (View("all rounds", drawn),))


def _across(levels: Levels) -> dict[str, Any]:
    """A line across the figure, and its name beside it, for every level there is."""
    lines, names = [], []
    for name, level, dash in (("target", levels.target, "dash"), ("majority", levels.majority, "dot")):
        if level is None:
            continue
        across = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": level, "y1": level, "layer": "below"}
        lines.append({**across, "line": {"dash": dash, "width": 1, "color": style.INK}})
        beside = {"x": 1, "xref": "paper", "xanchor": "left", "xshift": 5, "align": "left", "showarrow": False}
        names.append({"text": f"{name}<br>{level:.3f}", "y": level, "font": {"size": 11}, **beside})
    return {"shapes": lines, "annotations": names} if lines else {}


def _star(run: ReportedRun, price: _Price) -> list[go.Scatter]:
    """The round that reached the target, if one did."""
    goal = run.compared.target
    if goal is None or not goal.reached:
        return []
    index = next(i for i, record in enumerate(run.rounds) if record.round == goal.spent.round)
    reached = run.rounds[index].primary
    return [
        go.Scatter(
            x=[price.so_far(run)[index] / price.unit.divisor],
            y=[reached.value if reached else None],
            meta=style.escaped(run.name),
            legendgroup=str(run.row),
            showlegend=False,
            mode="markers",
            marker={"symbol": "star", "size": 17, "color": _colour(run), "line": {"color": "white", "width": 1.5}},
            hovertemplate=f"%{{meta}}<br>target reached in round {goal.spent.round}<extra></extra>",
        )
    ]


def _line(
    runs: Sequence[ReportedRun], run: ReportedRun, x: Sequence[float], y: Sequence[float | None], hover: str
) -> go.Scatter:
    """One run; of runs that differ by seed only, the first speaks for all in the legend."""
    mates = [other for other in runs if other.row == run.row]
    return go.Scatter(
        x=x,
        y=y,
        name=style.escaped(run.label) + (f", {len(mates)} seeds" if len(mates) > 1 else ""),
        meta=style.escaped(run.name),
        legendgroup=str(run.row),
        showlegend=run is mates[0],
        mode="lines+markers" if len(x) <= MARKED_ROUNDS else "lines",
        line={"color": _colour(run), "width": 2, "dash": "solid" if run.row < len(style.PALETTE) else "dot"},
        marker={"symbol": SYMBOLS[run.row % len(SYMBOLS)], "size": 6},
        hovertemplate=hover,
    )


def _colour(run: ReportedRun) -> str:
    return style.PALETTE[run.row % len(style.PALETTE)]


def _traffic(run: ReportedRun) -> list[int]:
    """Bytes sent and received from the start of the run to the end of each round."""
    return list(accumulate(record.bytes_up + record.bytes_down for record in run.rounds))

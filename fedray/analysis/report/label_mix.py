"""Which labels each group of the last round holds, beside the whole fleet."""

import numpy as np
import plotly.graph_objects as go

from fedray.analysis.report import style
from fedray.analysis.report.reading import ReportedRun, Shards
from fedray.analysis.report.style import Chart, View
from fedray.arrays import Floats
from fedray.divergence import label_divergence
from fedray.results.downsample import evenly

MOST_GROUPS = 40
BAR_PIXELS = 26


def mix_chart(run: ReportedRun, shards: Shards) -> Chart:
    """Stacked shares of the labels: the whole fleet, then every group, with its divergence."""
    last = run.devices[-1]
    groups = np.unique(last.group)
    shown = groups[evenly(len(groups), MOST_GROUPS)].tolist()
    members = [last.id[last.group == group] for group in shown]
    counts = [shards.of(devices) for devices in members]
    names = [f"group {group} ({len(devices):,})" for group, devices in zip(shown, members, strict=True)]

    by_size = np.argsort(-shards.whole, kind="stable")
    all_coloured = len(by_size) <= len(style.PALETTE)
    coloured = np.arange(len(by_size)) if all_coloured else by_size[: len(style.PALETTE)]
    others = np.setdiff1d(by_size, coloured)
    examples = np.array([shards.whole, *counts])
    shares = examples / np.maximum(examples.sum(axis=1, keepdims=True), 1)
    rows = ["whole fleet", *names]
    bars = [
        _part(style.escaped(shards.labels[label]), colour, rows, shares[:, label])
        for label, colour in zip(coloured, style.PALETTE, strict=False)
    ]
    if len(others):
        bars.append(_part(f"{len(others)} other labels", style.GREY, rows, shares[:, others].sum(axis=1)))

    parts = [
        f"Label mix of each group of round {last.round} (its number of devices in brackets) beside the whole fleet's; "
        "at the right, the Kullback–Leibler divergence of the group's mix from the fleet's, in nats: 0 for equal mixes."
    ]
    if len(others):
        parts.append(
            f"The {len(coloured)} commonest labels have a colour each; the divergence counts all {len(by_size)}."
        )
    if len(groups) > len(shown):
        parts.append(f"Of {len(groups):,} groups {len(shown)} are shown, evenly chosen.")
    beside = {"x": 1, "xref": "paper", "xanchor": "left", "xshift": 6, "showarrow": False}
    told = [f"{label_divergence(mine, shards.whole):.4f} nats" for mine in counts]
    drawn = style.drawing(
        bars,
        BAR_PIXELS * len(rows) + 120,
        {"r": 96},
        barmode="stack",
        bargap=0.25,
        xaxis=style.axis("share of the examples held", range=[0, 1], showgrid=False, tickformat=".0%"),
        yaxis=style.axis("", autorange="reversed", ticks="", showline=False, type="category"),
        annotations=[{"text": text, "y": name, **beside} for text, name in zip(told, names, strict=True)],
    )
    return Chart("Labels by group", " ".join(parts), (View(f"round {last.round}", drawn),))


def _part(name: str, colour: str, rows: list[str], shares: Floats) -> go.Bar:
    return go.Bar(
        name=name,
        orientation="h",
        x=shares,
        y=rows,
        marker={"color": colour, "line": {"width": 1, "color": "white"}},
        hovertemplate="%{y}<br>%{fullData.name}: %{x:.1%}<extra></extra>",
    )

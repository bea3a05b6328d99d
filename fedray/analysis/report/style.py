"""How figures look: colours that colour-blind readers tell apart, units of axes, words that cannot be markup."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from typing import Any, Literal

import plotly.graph_objects as go
from plotly.basedatatypes import BaseTraceType

# Okabe and Ito's palette, the blue first; its yellow is left out, too pale on white paper
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY, RULE, INK, GRID = "#D9D9D9", "#777777", "#222222", "#E8E8E8"
FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
LINE_PIXELS = 12  # a line of text
LONGEST_NAME = 44  # characters in a figure; the tables and the text have whole names


@dataclass(frozen=True)
class View:
    """One drawing of a chart, with the name it is chosen by."""

    name: str
    figure: go.Figure


@dataclass(frozen=True)
class Chart:
    """A figure of the page; of several views, drawn in the same place, the last is shown first."""

    title: str
    caption: str
    views: tuple[View, ...]


@dataclass(frozen=True)
class Unit:
    """What an axis counts in: `values / divisor` are in `name`."""

    name: str
    divisor: float


def time_unit(longest_seconds: float) -> Unit:
    """Seconds up to five minutes, minutes up to three hours, else hours."""
    if longest_seconds <= 300:
        return Unit("s", 1)
    return Unit("min", 60) if longest_seconds <= 3 * 3600 else Unit("h", 3600)


def byte_unit(most: float) -> Unit:
    """The largest power of 1,000 that leaves at least one before the point."""
    names = ("B", "kB", "MB", "GB", "TB")
    power = next((power for power in range(len(names)) if most < 1000 ** (power + 1)), len(names) - 1)
    return Unit(names[power], 1000.0**power)


def escaped(text: str) -> str:
    """A user's text for a figure, cut when long; plotly would read tags in it, and formulas between dollars."""
    shortened = text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"
    return escape(shortened, quote=False).replace("$", "&#36;")


def axis(title: str, **more: object) -> dict[str, Any]:
    """An axis as printed figures have it."""
    plain = {
        "title": {"text": title, "standoff": 8},
        "showline": True,
        "linecolor": INK,
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": INK,
        "gridcolor": GRID,
        "zeroline": False,
        "automargin": True,
    }
    return {**plain, **more}


def round_axis(title: str, last: int, **more: object) -> dict[str, Any]:
    """An axis of rounds, marked at whole numbers only, about ten of them."""
    steps = (digit * 10**power for power in range(10) for digit in (1, 2, 5))
    return axis(title, tick0=0, dtick=next(step for step in steps if last / step <= 10), **more)


def blocks(names: Sequence[str], pixels: float, side: Literal["left", "right"], colour: str) -> dict[str, Any]:
    """A rule between rows of different names, and each name beside its rows where `pixels` a row leave it room."""
    edge = {"x": 0, "xanchor": "right", "xshift": -5} if side == "left" else {"x": 1, "xanchor": "left", "xshift": 5}
    rules, labels = [], []
    start = 0
    for name, rows in groupby(names):
        end = start + len(list(rows))
        if start:
            height = {"y0": start - 0.5, "y1": start - 0.5, "line": {"width": 1, "color": colour}}
            rules.append({"type": "line", "xref": "paper", "x0": 0, "x1": 1, **height})
        if (end - start) * pixels >= LINE_PIXELS:
            middle = (start + end - 1) / 2
            labels.append({"text": escaped(name), "xref": "paper", "y": middle, "showarrow": False, **edge})
        start = end
    return {"shapes": rules, "annotations": labels}


def drawing(
    traces: Sequence[BaseTraceType], height: int, margins: Mapping[str, int] | None = None, **layout: object
) -> go.Figure:
    """A figure on white, its legend above it, `height` pixels tall and as wide as the page; dragging does nothing.

    All is given at once: every later change of a plotly figure costs more than its making.
    """
    plain = {
        "template": "none",
        "height": height,
        "margin": {"l": 60, "r": 16, "t": 36, "b": 48, **(margins or {})},
        "font": {"family": FONT, "size": 12, "color": INK},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "legend": {
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1.02,
            "yanchor": "bottom",
            "traceorder": "normal",
        },
        "hoverlabel": {"bgcolor": "white", "font": {"size": 12, "color": INK}, "align": "left", "namelength": -1},
        "dragmode": False,
    }
    return go.Figure(traces, {**plain, **layout})

"""What devices were told to train, over all rounds: depth, mean rank, quantised layers."""

from collections.abc import Callable

import numpy as np
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from fedray.analysis.report import style
from fedray.analysis.report.reading import ReportedRun
from fedray.analysis.report.style import Chart, View
from fedray.arrays import Floats, Ints
from fedray.results.downsample import evenly
from fedray.results.round_devices import RoundDevices

MOST_ROWS, MOST_COLUMNS = 400, 200  # devices and rounds; more would be thinner than a pixel
CHART_PIXELS, SHORTEST, THICKEST = 460, 140, 22  # of all rows together, and of one
COLOURED_LEVELS = 12  # up to this number of integers get a flat colour each


def heat_charts(run: ReportedRun) -> list[Chart]:
    """Depth and mean rank; quantised layers when any are."""
    charts = [
        _heat_chart(run, "Depth", "tuned layers, counted from the output", lambda one: one.depth),
        _heat_chart(run, "Mean rank", "LoRA rank, mean over a device's tuned layers", lambda one: one.mean_ranks),
    ]
    if any((one.quantised_layers > 0).any() for one in run.devices):
        told = "layers whose activations are quantised"
        charts.append(_heat_chart(run, "Quantised layers", told, lambda one: one.quantised_layers))
    return charts


def _heat_chart(run: ReportedRun, title: str, unit: str, column: Callable[[RoundDevices], Ints | Floats]) -> Chart:
    fleet = _by_profile(run)
    shown = [list(fleet)[i] for i in evenly(len(fleet), MOST_ROWS)]
    devices = np.array(shown, np.int64)
    rounds = [run.devices[i] for i in evenly(len(run.devices), MOST_COLUMNS)]
    values = np.full((len(devices), len(rounds)), np.nan)
    for j, one in enumerate(rounds):
        here = np.isin(devices, one.id)
        values[here, j] = column(one)[np.searchsorted(one.id, devices[here])]
    parts = [f"{title} ({unit}) by device, sorted by profile, over rounds."]
    if len(fleet) > len(shown):
        parts.append(f"Of {len(fleet):,} devices {len(shown)} are shown, evenly chosen from that order.")
    if len(run.devices) > len(rounds):
        parts.append(f"Of {len(run.devices):,} rounds {len(rounds)} are shown, evenly chosen.")
    if np.isnan(values).any():
        parts.append("White: the device takes no part in the round.")
    drawn = _heat_map(title, values, shown, [one.round for one in rounds], [fleet[device] for device in shown])
    return Chart(title, " ".join(parts), (View("all rounds", drawn),))


def _by_profile(run: ReportedRun) -> dict[int, str]:
    """The profile of every device that ever took part, sorted by profile (in the fleet's own order), then by id."""
    met = {int(device): name for one in run.devices for device, name in zip(one.id, one.profile, strict=True)}
    fleet = dict(sorted(met.items()))
    order = {profile: position for position, profile in enumerate(dict.fromkeys(fleet.values()))}
    return dict(sorted(fleet.items(), key=lambda entry: order[entry[1]]))


def _heat_map(title: str, values: Floats, devices: list[int], rounds: list[int], profiles: list[str]) -> go.Figure:
    rows = len(devices)
    pixels = min(max(CHART_PIXELS / rows, SHORTEST / rows), THICKEST)
    cells = go.Heatmap(
        z=values.astype(np.float32),
        x=rounds,
        y=[f"device {device}" for device in devices],
        hovertemplate=f"%{{y}}, round %{{x}}: {title.lower()} %{{z:.3~g}}<extra></extra>",
        hoverongaps=False,
        **_colours(values),
    )
    longest = max(len(profile) for profile in profiles)
    return style.drawing(
        [cells],
        round(rows * pixels) + 120,
        {"l": min(16 + 7 * longest, 150), "t": 66},
        xaxis=style.round_axis("round", rounds[-1], showgrid=False),
        yaxis=style.axis("", range=[rows - 0.5, -0.5], showticklabels=False, ticks="", showgrid=False),
        **style.blocks(profiles, pixels, "left", "white"),
    )


def _colours(values: Floats) -> dict[str, object]:
    """Cividis; one flat colour per value where all are whole and few."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    bar = {
        "orientation": "h",
        "x": 0,
        "xanchor": "left",
        "y": 1,
        "yanchor": "bottom",
        "thickness": 10,
        "outlinewidth": 0,
    }
    levels = int(high - low) + 1
    if levels > COLOURED_LEVELS or (values[~np.isnan(values)] % 1).any():
        return {"colorscale": "Cividis", "zmin": low, "zmax": high, "colorbar": bar}
    tones = sample_colorscale("Cividis", [i / (levels - 1) if levels > 1 else 0.5 for i in range(levels)])
    steps = [[edge / levels, tone] for i, tone in enumerate(tones) for edge in (i, i + 1)]
    ticks = {"tickvals": [low + i for i in range(levels)], "tickformat": "d", "tickangle": 0}
    return {"colorscale": steps, "zmin": low - 0.5, "zmax": high + 0.5, "colorbar": {**bar, **ticks}}

"""The robustness grid as a heat map: final accuracy by method and condition."""

import plotly.graph_objects as go

from fedray.analysis.report import style
from fedray.analysis.report.style import Chart, View
from fedray.analysis.robustness import Grid, GridCell

ROW_PIXELS = 46


def grid_chart(grid: Grid, metric: str) -> Chart:
    """A cell per method and condition, coloured by its mean and marked with it."""
    means = [[None if cell is None else cell.accuracy.mean for cell in row.cells] for row in grid.rows]
    cells = go.Heatmap(
        z=means,
        x=[style.escaped(", ".join(condition)) for condition in grid.conditions],
        y=[style.escaped(row.method) for row in grid.rows],
        text=[[_told(cell) for cell in row.cells] for row in grid.rows],
        texttemplate="%{text}",
        hovertemplate="%{y}, %{x}: %{text}<extra></extra>",
        hoverongaps=False,
        colorscale="Cividis",
        colorbar={"thickness": 10, "outlinewidth": 0},
    )
    keys = ", ".join(grid.keys)
    drawn = style.drawing(
        [cells],
        ROW_PIXELS * len(grid.rows) + 120,
        xaxis=style.axis(style.escaped(keys), showgrid=False, type="category"),
        yaxis=style.axis("", autorange="reversed", showgrid=False, ticks="", type="category"),
    )
    caption = (
        f"Final test {metric} by method and {keys}: the mean over seeds, ± half of its 95 % t interval where there are "
        "several. White: no run has both."
    )
    return Chart("Robustness", caption, (View("all", drawn),))


def _told(cell: GridCell | None) -> str:
    accuracy = cell.accuracy if cell is not None else None
    if accuracy is None or accuracy.mean is None:
        return ""
    spread = f" ± {accuracy.high - accuracy.mean:.3f}" if accuracy.high is not None else ""
    return f"{accuracy.mean:.3f}{spread}"

"""Runs side by side."""

from rich.box import HORIZONTALS
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from fedray.analysis import Comparison
from fedray.analysis.tables import comparison_tables
from fedray.analysis.text import TextTable
from fedray.display.tables import table


def comparison_displays(comparison: Comparison) -> list[RenderableType]:
    """Every table of a comparison between its title and its notes, which may be wider than the table."""
    return [_display(text) for text in comparison_tables(comparison)]


def _display(text: TextTable) -> RenderableType:
    notes = [Text(note) for note in text.notes]
    return Group(Text(text.title, "italic"), _table(text), *notes, Text(""))


def _table(text: TextTable) -> Table:
    """Cells of several lines are ruled apart, and none is cut; without upright rules ten columns fit 80 characters."""
    made = table(None, text.headings[: text.words], text.headings[text.words :])
    made.box, made.collapse_padding, made.pad_edge = HORIZONTALS, True, False
    made.show_lines = any(len(cell) > 1 for row in text.rows for cell in row)
    for column in made.columns:
        column.overflow = "fold"
    for row in text.rows:
        made.add_row(*("\n".join(cell) for cell in row))
    return made

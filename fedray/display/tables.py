"""How values and tables look, whatever is displayed."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table


def plain_console() -> Console:
    """Standard output as plain lines, also in a notebook and on a terminal."""
    return Console(markup=False, highlight=False, force_terminal=False, force_jupyter=False)


def word_table(words: Iterable[tuple[str, ...]]) -> Table:
    """Names and what they are."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for row in words:
        table.add_row(*row)
    for column in table.columns:
        column.overflow = "fold"  # a digest or a path is no use without its end
    return table


def table(title: str | None, left: Sequence[str], right: Sequence[str]) -> Table:
    """A table whose first columns are words and whose others are numbers."""
    made = Table(title=title, title_justify="left")
    for heading in left:
        made.add_column(heading, overflow="fold")
    for heading in right:
        made.add_column(heading, justify="right")
    return made


def share(accuracy: float | None) -> str:
    return "–" if accuracy is None else f"{accuracy:.3f}"

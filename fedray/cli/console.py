"""What commands share: consoles, options, and ways to print."""

import json
import logging
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

PIPED_WIDTH = 140  # columns of a table that goes to a file

out, err = (Console(stderr=stream, markup=False, emoji=False, highlight=False) for stream in (False, True))
if not out.is_terminal:
    out.width = max(PIPED_WIDTH, out.width)  # or what COLUMNS says

ScenarioFile = Annotated[Path, typer.Argument(metavar="SCENARIO", help="The scenario's YAML file.")]
Settings = Annotated[
    list[str],
    typer.Option("--set", metavar="KEY=VALUE", help="Change a value: training.rounds=5; repeatable."),
]
Address = Annotated[
    str | None, typer.Option("--address", metavar="ADDR", help="A running Ray cluster: auto, or host:port of its head.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
JobsAddress = Annotated[str, typer.Option("--address", metavar="URL", help="Ray's dashboard, e.g. http://head:8265.")]


def say(text: str, console: Console = out) -> None:
    """One line of plain text, as long as it is."""
    console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)


class LogLines(logging.Handler):
    """What the library logs, on standard error: warnings as users know them, anything else with its logger."""

    def emit(self, record: logging.LogRecord) -> None:
        above = record.levelno >= logging.WARNING
        say(f"{record.levelname.lower() if above else record.name}: {record.getMessage()}", err)


def show_log(verbose: bool) -> None:
    """Show warnings and errors of fedray's modules, and their progress too if `verbose`."""
    library = logging.getLogger("fedray")
    library.setLevel(logging.INFO if verbose else logging.WARNING)
    library.handlers = [LogLines()]


def show_errors_only() -> None:
    """For --quiet: no warnings."""
    logging.getLogger("fedray").setLevel(logging.ERROR)


def print_json(data: object) -> None:
    """For scripts, on standard output."""
    out.out(json.dumps(data, indent=2), highlight=False)

"""The command that shows runs in a browser."""

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from fedray.cli.console import out, say


def watch(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN|DIR...", help="Run directories, or folders in which runs are or will be."),
    ],
    port: Annotated[int, typer.Option(metavar="PORT", min=0, max=65535, help="0: any free one.")] = 8600,
    bind: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Beyond loopback the page asks for a token, which is printed.")
    ] = "127.0.0.1",
    browser: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    terminal: Annotated[bool, typer.Option("--tui", help="Show the fleet in the terminal instead.")] = False,
) -> None:
    """Serve a live page of runs: convergence, the current round, every device; until Ctrl-C."""
    from fedray.watch import RunIndex, serve, show

    if terminal:
        show(RunIndex(runs), out)
        return

    def ready(address: str) -> None:
        say(f"watching {', '.join(map(str, runs))} at {address}")
        if browser:
            webbrowser.open(address)

    serve(RunIndex(runs), bind, port, ready)

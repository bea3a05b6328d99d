"""The command that begins a study: init."""

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from fedray.cli.console import say
from fedray.errors import UserError


def init(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Of the scenario; the file is NAME.yaml.")] = "demo",
) -> None:
    """Write a commented scenario to NAME.yaml: a small fleet that trains in a minute, without data or network."""
    from fedray.scenario import load_scenario

    path = Path(f"{name}.yaml")
    if Path(name).name != name:
        raise UserError(f"init: given {name!r}; allowed: a name without folders")
    load_scenario(None, [f"name={name}"])  # refuses what is no name of a scenario
    text = files("fedray.scenario").joinpath("demo.yaml").read_text("utf-8").replace("NAME", name)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UserError(f"init: {path} exists; allowed: another name") from None
    except OSError as error:
        raise UserError(f"init: cannot write {path}: {error.strerror}") from None
    say(f"wrote {path}; next: fedray run {path}")

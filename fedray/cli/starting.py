"""The command that begins a study: init."""

import re
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
    from fedray.scenario.schema.scenario import NAME_PATTERN

    name = name.removesuffix(".yaml")
    if not re.fullmatch(NAME_PATTERN, name):
        allowed = "at most 64 letters, digits and . _ -, a letter or digit first, and no folders"
        raise UserError(f"init: given {name[:40]!r}; allowed: {allowed}")
    path = Path(f"{name}.yaml")
    text = files("fedray.scenario").joinpath("demo.yaml").read_text("utf-8").replace("NAME", name)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UserError(f"init: {path} exists; allowed: another name") from None
    except OSError as error:
        raise UserError(f"init: cannot write {path}: {error.strerror}") from None
    say(f"wrote {path}; next: fedray validate {path}, fedray run {path}")

"""Commands about what scenarios can name: catalog, schema."""

from enum import StrEnum
from typing import Annotated

import typer

from fedray.cli.words import AsJson, out, print_json


class Shelf(StrEnum):
    """What the catalogue holds."""

    devices = "devices"
    methods = "methods"
    datasets = "datasets"
    backbones = "backbones"


def catalog(
    shelf: Annotated[Shelf, typer.Argument(help="What to list.")] = Shelf.devices, as_json: AsJson = False
) -> None:
    """List what scenarios can name: devices, methods, datasets, backbones."""
    from fedray.display import profile_table, word_table
    from fedray.fleet import load_catalogue
    from fedray.methods import METHODS
    from fedray.scenario.schema import BACKBONES, dataset_kinds

    words = {
        Shelf.methods: {name: method.section.__doc__ or "" for name, method in METHODS.items()},
        Shelf.datasets: dataset_kinds(),
        Shelf.backbones: BACKBONES,
    }
    if shelf is Shelf.devices:
        known = load_catalogue().profiles.values()
        data: object = [profile.model_dump() for profile in known]
        table = profile_table(known)
    else:
        data = lines = {name: text.strip().splitlines()[0] for name, text in words[shelf].items()}
        table = word_table(lines.items())
    if as_json:
        print_json(data)
    else:
        out.print(table)


def schema() -> None:
    """Print the JSON Schema of scenarios, for editors."""
    from fedray.methods import scenario_schema

    print_json(scenario_schema())

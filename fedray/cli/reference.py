"""Commands about what scenarios can name: catalog, schema."""

from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer

from fedray.cli.console import AsJson, out, print_json
from fedray.errors import UserError


class CatalogKind(StrEnum):
    """What the catalogue holds."""

    devices = "devices"
    methods = "methods"
    datasets = "datasets"
    backbones = "backbones"


def catalog(
    kind: Annotated[CatalogKind, typer.Argument(help="What to list.")] = CatalogKind.devices,
    name: Annotated[str | None, typer.Argument(metavar="[DEVICE]", help="A device: its modes and sources.")] = None,
    as_json: AsJson = False,
) -> None:
    """List what scenarios can name: devices, methods, datasets, backbones."""
    from fedray.scenario.schema import BACKBONES, dataset_kinds

    if kind is CatalogKind.devices:
        _devices(name, as_json)
        return
    if name is not None:
        raise UserError(f"catalog {kind} {name}: only a device can be shown alone: fedray catalog devices NAME")
    if kind is CatalogKind.methods:
        _methods(as_json)
        return
    words = {CatalogKind.datasets: dataset_kinds(), CatalogKind.backbones: BACKBONES}
    lines = {name: _first_line(text) for name, text in words[kind].items()}
    if as_json:
        print_json(lines)
    else:
        from fedray.display import word_table

        out.print(word_table(lines.items()))


def _methods(as_json: bool) -> None:
    """Every installed method: what it is, its package and version, its class, and what is wrong with a broken one."""
    from fedray.display import word_table
    from fedray.methods import method_entries

    entries = method_entries()
    if as_json:
        print_json({name: asdict(entry) for name, entry in entries.items()})
        return
    rows = (
        (name, f"{entry.package} {entry.version}", f"broken: {entry.problem}" if entry.problem else entry.about)
        for name, entry in entries.items()
    )
    out.print(word_table(rows))


def _first_line(text: str) -> str:
    return text.strip().split("\n", 1)[0]


def _devices(name: str | None, as_json: bool) -> None:
    """All devices, or one with all its modes and sources."""
    from fedray.display import profile_page, profile_table
    from fedray.fleet import load_catalogue
    from fedray.scenario.source import did_you_mean

    known = load_catalogue().profiles
    if name is not None and name not in known:
        raise UserError(f"catalog devices: given {name!r}; allowed: {' | '.join(known)}{did_you_mean(name, known)}")
    if as_json:
        pages = {
            key: profile.board.model_dump() | {"family": profile.family.model_dump()} for key, profile in known.items()
        }
        print_json(pages[name] if name else list(pages.values()))
    elif name:
        for part in profile_page(known[name]):
            out.print(part)
    else:
        out.print(profile_table(known.values()))


def schema() -> None:
    """Print the JSON Schema of scenarios, for editors."""
    from fedray.methods import scenario_schema

    print_json(scenario_schema())

"""Commands about what scenarios can name: catalog, schema."""

from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from fedray.cli.console import AsJson, out, print_json
from fedray.errors import UserError

if TYPE_CHECKING:
    from fedray.learning.tasks import Task


class CatalogKind(StrEnum):
    """What the catalogue holds."""

    devices = "devices"
    methods = "methods"
    tasks = "tasks"
    datasets = "datasets"
    partitions = "partitions"
    backbones = "backbones"


def catalog(
    kind: Annotated[CatalogKind, typer.Argument(help="What to list.")] = CatalogKind.devices,
    name: Annotated[str | None, typer.Argument(metavar="[DEVICE]", help="A device: its modes and sources.")] = None,
    as_json: AsJson = False,
) -> None:
    """List what scenarios can name: devices, methods, tasks, datasets, partitions, backbones."""
    from fedray.learning.datasets import DATASETS
    from fedray.learning.partitions import PARTITIONS
    from fedray.learning.tasks import TASKS
    from fedray.scenario.schema import BACKBONES

    if kind is CatalogKind.devices:
        _devices(name, as_json)
        return
    if name is not None:
        raise UserError(f"catalog {kind} {name}: only a device can be shown alone: fedray catalog devices NAME")
    if kind is CatalogKind.methods:
        _methods(as_json)
        return
    words = {
        CatalogKind.tasks: {name: _task_line(task) for name, task in TASKS.items()},
        CatalogKind.datasets: {name: section.__doc__ or "" for name, section in DATASETS.items()},
        CatalogKind.partitions: {name: section.__doc__ or "" for name, section in PARTITIONS.items()},
        CatalogKind.backbones: BACKBONES,
    }
    lines = {name: text.strip().split("\n", 1)[0] for name, text in words[kind].items()}
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


def _task_line(task: "type[Task]") -> str:
    """What a task is, and its metrics, the primary one first."""
    metrics = ", ".join(f"{metric.name} ({metric.better} is better)" for metric in task.metrics)
    return f"{(task.section.__doc__ or '').strip()} Metrics: {metrics}."


def _devices(name: str | None, as_json: bool) -> None:
    """All devices, or one with all its modes and sources."""
    from fedray.display import profile_page, profile_table
    from fedray.fleet import load_catalogue

    catalogue = load_catalogue()
    known = catalogue.profiles
    if name is not None and name not in known:
        raise UserError(f"catalog devices: given {name!r}; allowed: {' | '.join(known)}{catalogue.nearest(name)}")
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
    from fedray.experiment.sections import scenario_schema

    print_json(scenario_schema())

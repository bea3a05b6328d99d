"""Commands about the wall clock: fidelity, calibrate."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from fedray.cli.console import Address, AsJson, ScenarioFile, Settings, err, out, print_json, say


def fidelity(
    scenario: ScenarioFile,
    settings: Settings = [],
    rounds: Annotated[int, typer.Option(min=1, metavar="N", help="How many rounds to compare.")] = 3,
    bound: Annotated[
        float,
        typer.Option(min=0.0, max=1000.0, metavar="SHARE", help="Mean error that no phase may exceed; else exit 1."),
    ] = 0.05,
    address: Address = None,
    run_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keeps both runs; default: runs/NAME-fidelity-TIME.")
    ] = None,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, no tables.")] = False,
) -> None:
    """Run a small fleet under both clocks and compare planned with enforced seconds, by phase and device."""
    from fedray.display import RunDisplay, fidelity_tables
    from fedray.runtime.fidelity import measure_fidelity

    with RunDisplay(err, quiet) as display:
        found, folder = measure_fidelity(scenario, settings, rounds, bound, run_dir, address, display)
    if as_json:
        print_json(found.as_json())
    elif not quiet:
        for part in fidelity_tables(found):
            out.print(part)
        say(f"both runs are in {folder}")
    raise typer.Exit(0 if found.holds else 1)


def calibrate(
    scenario: Annotated[
        Path | None, typer.Argument(metavar="[SCENARIO]", help="Whose model and batches; default: MiniLM-L6.")
    ] = None,
    settings: Settings = [],
    processes: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="How many measure at once; default: one per CPU.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure how fast this machine multiplies, copies and trains while all of its CPUs are busy."""
    from fedray.display import speed_table
    from fedray.runtime.fidelity import measure_machine

    found = measure_machine(scenario, settings, processes or len(os.sched_getaffinity(0)))
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        out.print(speed_table([(one.speed, one.step_seconds) for one in found]))

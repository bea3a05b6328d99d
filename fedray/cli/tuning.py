"""The command that finds a method's values: tune."""

from pathlib import Path
from typing import Annotated

import typer

from fedray.cli.console import Address, AsJson, ScenarioFile, Settings, err, out, print_json, say


def tune(
    scenario: ScenarioFile,
    methods: Annotated[
        str | None,
        typer.Option(
            metavar="A,B", help="Names, or mappings: 'fedit,{name: legend, rank: 8}'; default: the scenario's."
        ),
    ] = None,
    grid: Annotated[
        list[str],
        typer.Option(
            "--grid", metavar="KEY=A,B,C", help="Values to try; repeatable. Default: learning rates 3e-4 to 3e-2."
        ),
    ] = [],
    budget: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Trials per method, drawn from the grid; default: the whole grid."),
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(metavar="101,102", help="Seeds no comparison uses; default: the scenario's plus 1000."),
    ] = None,
    rounds: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1_000_000_000,
            metavar="R",
            help="Of the last rung; default: half of training.rounds, at least 2.",
        ),
    ] = None,
    eta: Annotated[
        int, typer.Option(min=2, max=1000, metavar="N", help="The best 1/N of a rung's trials go on, N times as long.")
    ] = 2,
    settings: Settings = [],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", metavar="PATH", help="FILE.yaml for one method, or a folder for METHOD.yaml; default: tuned/ in DIR."
        ),
    ] = None,
    address: Address = None,
    run_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Default: runs/NAME-tune-TIME; that of a tuning: go on with it.")
    ] = None,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, no tables; only errors.")] = False,
) -> None:
    """Find the best learning rate, or other values, for each method on the validation examples; write tuned scenarios.

    Every method gets the same number of trials, which are dropped by successive halving. training.stop.target is set
    aside meanwhile, so that all trials run as long. Exits with 1 if a method has no trial with a score.
    """
    from fedray.display import TuningDisplay, tuning_notes, tuning_tables
    from fedray.runtime.tuning import run_tuning
    from fedray.runtime.tuning_plan import TuningRequest, open_tuning

    request = TuningRequest(scenario, settings, methods, grid, budget, seeds, rounds, eta, output, run_dir)
    with TuningDisplay(err, quiet) as display:
        record = run_tuning(open_tuning(request), address, display)
    if as_json:
        print_json(record.as_json())
    elif not quiet:
        for table in tuning_tables(record):
            out.print(table, highlight=False)
    if not quiet:
        for note in tuning_notes(record):
            say(note, err)
    raise typer.Exit(0 if all(method.chosen for method in record.methods) else 1)

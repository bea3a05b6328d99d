"""Commands about scenarios: run, sweep, validate, plan."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from fedray.cli.comparing import show_comparison
from fedray.cli.console import Address, AsJson, ScenarioFile, Settings, err, out, print_json, say, show_errors_only


def run(
    scenario: Annotated[Path | None, typer.Argument(metavar="[SCENARIO]", help="The scenario's YAML file.")] = None,
    settings: Settings = [],
    address: Address = None,
    run_dir: Annotated[Path | None, typer.Option(metavar="DIR", help="Default: runs/NAME-TIME.")] = None,
    resume: Annotated[Path | None, typer.Option(metavar="RUN", help="Go on with this run directory.")] = None,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, no summary.")] = False,
) -> None:
    """Run a scenario, on a Ray of its own or on a cluster."""
    from fedray.experiment.resume import open_run

    loaded, directory = open_run(scenario, settings, run_dir, resume)  # what is wrong is said before anything is shown
    from fedray import api
    from fedray.display import RunDisplay, summary_table

    if quiet:
        show_errors_only()
    with RunDisplay(err, quiet) as display:
        done = api.execute(loaded, directory, address, [display], resumed=resume is not None)
    if as_json:
        print_json(done.summary.as_json())
    elif not quiet:
        out.print(summary_table(done.summary, done.directory))


def sweep(
    scenarios: Annotated[
        list[Path], typer.Argument(metavar="SCENARIO...", help="YAML files; several differ only in their method.")
    ],
    vary: Annotated[
        list[str], typer.Option("--vary", metavar="KEY=A,B,C", help="Run with each of these values; repeatable.")
    ] = [],
    seeds: Annotated[str | None, typer.Option(metavar="1,2,3", help="Default: the scenario's seed only.")] = None,
    settings: Settings = [],
    address: Address = None,
    run_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Default: runs/NAME-sweep-TIME; that of a sweep: go on with it.")
    ] = None,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, no table; only errors.")] = False,
) -> None:
    """Run scenarios with every combination of some values and seeds on one Ray, then compare them."""
    from fedray.analysis import compare as compare_runs
    from fedray.display import SweepDisplay
    from fedray.runtime.sweep import open_sweep, run_sweep

    with SweepDisplay(err, quiet) as display:
        opened = open_sweep(scenarios, settings, vary, seeds, run_dir)
        failed = run_sweep(opened, address, display)
    if as_json or not quiet:
        show_comparison(compare_runs(opened.directory.completed()), as_json)
    raise typer.Exit(1 if failed else 0)


def validate(scenario: ScenarioFile, settings: Settings = [], as_json: AsJson = False) -> None:
    """Validate a scenario and the files it references; print a summary of its data, and warnings.

    With --json: {scenario: every value, defaults written out, data: as in a run's data.json, or null, warnings}.
    """
    from fedray import api

    loaded = api.load_scenario(scenario, settings)
    from fedray.display import data_tables
    from fedray.experiment.checks import warnings_of
    from fedray.experiment.experiment import prepare

    experiment = prepare(loaded)
    resolved, data, warnings = experiment.scenario, experiment.data, warnings_of(experiment)
    if as_json:
        print_json(
            {
                "scenario": resolved.model_dump(mode="json"),
                "data": data.report.as_json() if data else None,
                "warnings": [asdict(warning) for warning in warnings],
            }
        )
        return
    say(
        f"{scenario} is valid: {resolved.method['name']}, {len(experiment.fleet):,} devices, "
        f"{resolved.training.rounds} rounds, {resolved.model.backbone}{'' if data else ', no data'}"
        + (f"; all costs are those of {experiment.twin}" if experiment.twin else "")
    )
    for part in data_tables(data.report) if data else ():
        out.print(part)
    for warning in warnings:
        say(f"warning: {warning}")


def plan(
    scenario: ScenarioFile,
    settings: Settings = [],
    round_: Annotated[int, typer.Option("--round", min=1, metavar="N", help="Which round.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Show what every device would do in a round, and its price; nothing is trained."""
    from fedray import api
    from fedray.display import plan_tables

    planned_round = api.plan(scenario, settings, round=round_)
    if as_json:
        print_json(planned_round.as_json())
        return
    for part in plan_tables(planned_round):
        out.print(part, highlight=False)

"""The command line: parse, call, print."""

import json
import sys
import warnings
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from fedray.errors import RunFailedError, RunInterruptedError, UserError
from fedray.scenario import load_scenario

INTERRUPTED = 130  # exit code
PIPED_WIDTH = 140  # columns of a table that goes to a file

app = typer.Typer(
    help="Emulate a fleet of edge devices on Ray and fine-tune language models across it with federated LoRA.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out, err = Console(markup=False, highlight=False), Console(stderr=True, markup=False, highlight=False)
if not out.is_terminal:
    out.width = PIPED_WIDTH

ScenarioFile = Annotated[Path, typer.Argument(metavar="SCENARIO", help="The scenario's YAML file.")]
Settings = Annotated[
    list[str],
    typer.Option("--set", metavar="KEY=VALUE", help="Change a value: training.rounds=5; repeatable."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
JobsAddress = Annotated[str, typer.Option("--address", metavar="URL", help="Ray's dashboard, e.g. http://head:8265.")]


@app.command()
def run(
    scenario: Annotated[Path | None, typer.Argument(metavar="[SCENARIO]", help="The scenario's YAML file.")] = None,
    settings: Settings = [],
    address: Annotated[
        str | None, typer.Option(metavar="ADDR", help="A running Ray cluster: auto, or host:port of its head.")
    ] = None,
    run_dir: Annotated[Path | None, typer.Option(metavar="DIR", help="Default: runs/NAME-TIME.")] = None,
    resume: Annotated[Path | None, typer.Option(metavar="RUN", help="Go on with this run directory.")] = None,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, no summary.")] = False,
) -> None:
    """Run a scenario, on a Ray of its own or on a cluster."""
    from fedray.display import RunDisplay, summary_table
    from fedray.runtime.driver import execute
    from fedray.runtime.experiment import prepare
    from fedray.runtime.opening import open_run

    loaded, directory = open_run(scenario, settings, run_dir, resume)
    with RunDisplay(err, quiet) as display:
        summary = execute(prepare(loaded), directory, address, display, resume is not None)
    if as_json:
        _print_json(asdict(summary))
    elif not quiet:
        out.print(summary_table(summary, directory))


@app.command()
def validate(scenario: ScenarioFile, settings: Settings = [], as_json: AsJson = False) -> None:
    """Check a scenario and everything it names; print what it comes to."""
    from fedray.runtime.experiment import prepare

    experiment = prepare(load_scenario(scenario, settings))
    resolved = experiment.scenario
    if as_json:
        _print_json(resolved.model_dump(mode="json"))
        return
    data = experiment.data
    examples = f"{len(data.train):,} training and {len(data.test):,} test examples" if data else "no data"
    _say(
        f"{scenario} is valid: {resolved.method['name']}, {len(experiment.fleet):,} devices, "
        f"{resolved.training.rounds} rounds, {resolved.model.backbone}, {examples}"
    )


@app.command()
def plan(
    scenario: ScenarioFile,
    settings: Settings = [],
    round_: Annotated[int, typer.Option("--round", min=1, metavar="N", help="Which round.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Show what every device would do in a round, and its price; nothing is trained."""
    from fedray.display import plan_tables
    from fedray.runtime.experiment import prepare
    from fedray.runtime.rehearsal import rehearse

    rehearsal = rehearse(prepare(load_scenario(scenario, settings)), round_)
    if as_json:
        _print_json(asdict(rehearsal))
        return
    for part in plan_tables(rehearsal):
        out.print(part, highlight=False)


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run directories; the first is the reference.")],
    target: Annotated[
        float | None, typer.Option(metavar="ACC", help="Accuracy to reach; default: what every run reached.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare runs: accuracy, emulated time and bytes to a target, waiting, energy, speed-up."""
    from fedray.display import comparison_table
    from fedray.results import RunDirectory
    from fedray.results import compare as compare_runs

    comparison = compare_runs([RunDirectory(path) for path in runs], target)
    if as_json:
        _print_json(asdict(comparison))
    else:
        out.print(comparison_table(comparison))


class Shelf(StrEnum):
    """What the catalogue holds."""

    devices = "devices"
    methods = "methods"
    datasets = "datasets"
    backbones = "backbones"


@app.command()
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
        _print_json(data)
    else:
        out.print(table)


@app.command()
def schema() -> None:
    """Print the JSON Schema of scenarios, for editors."""
    from fedray.methods import scenario_schema

    _print_json(scenario_schema())


@app.command()
def submit(
    scenario: ScenarioFile,
    address: JobsAddress,
    settings: Settings = [],
    follow: Annotated[bool, typer.Option("--follow", help="Print the job's output until it ends.")] = False,
    python: Annotated[str | None, typer.Option(metavar="PATH", help="Interpreter on the cluster.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run a scenario as a job of a Ray cluster."""
    from fedray.methods import method_section
    from fedray.runtime.jobs import Jobs

    loaded = load_scenario(scenario, settings)
    method_section(loaded)
    jobs_there = Jobs(address)
    job = jobs_there.submit(loaded, python)
    if as_json:
        _print_json(asdict(job))
    else:
        out.print(
            f"{job.id} submitted; results will be in {job.run_dir} on the cluster", highlight=False, soft_wrap=True
        )
    if follow:
        for text in jobs_there.follow(job.id):
            out.out(text, end="", highlight=False)
        raise typer.Exit(jobs_there.exit_code(job.id))


@app.command()
def jobs(address: JobsAddress, as_json: AsJson = False) -> None:
    """List the runs a cluster knows as jobs."""
    from fedray.display import word_table
    from fedray.runtime.jobs import Jobs

    known = Jobs(address).all()
    if as_json:
        _print_json([asdict(job) for job in known])
    else:
        out.print(word_table((job.id, job.status, job.submitted, job.run_dir) for job in known))


@app.command()
def logs(
    job: Annotated[str, typer.Argument(metavar="JOB")],
    address: JobsAddress,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the job ends.")] = False,
) -> None:
    """Print what a job has said."""
    from fedray.runtime.jobs import Jobs

    there = Jobs(address)
    for text in there.follow(job) if follow else [there.logs(job)]:
        out.out(text, end="", highlight=False)


@app.command()
def stop(job: Annotated[str, typer.Argument(metavar="JOB")], address: JobsAddress, as_json: AsJson = False) -> None:
    """Interrupt a job; completed rounds are kept on the cluster."""
    from fedray.runtime.jobs import Jobs

    stopped = Jobs(address).stop(job)
    if as_json:
        _print_json(asdict(stopped))
    else:
        out.print(
            f"{stopped.id} is stopping; completed rounds stay in {stopped.run_dir}", highlight=False, soft_wrap=True
        )


def _say(text: str, console: Console = out) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _print_json(data: object) -> None:
    out.out(json.dumps(data, indent=2), highlight=False)


def main() -> NoReturn:
    """Run a command; every failure a user can meet is one plain message and an exit code."""
    warnings.simplefilter("ignore", FutureWarning)  # between libraries; nothing a user of fedray could do
    try:
        app()
    except SystemExit as leaving:
        if leaving.code == INTERRUPTED:
            _say("interrupted", err)
        raise
    except UserError as error:
        _say(str(error), err)
        sys.exit(2)
    except RunFailedError as error:
        _say(str(error), err)
        sys.exit(1)
    except RunInterruptedError as error:
        _say(str(error), err)
        sys.exit(INTERRUPTED)
    sys.exit(0)

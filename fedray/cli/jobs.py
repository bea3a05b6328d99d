"""Commands about runs as jobs of a cluster: submit, jobs, logs, stop."""

from dataclasses import asdict
from typing import Annotated

import typer

from fedray.cli.console import AsJson, JobsAddress, ScenarioFile, Settings, out, print_json


def submit(
    scenario: ScenarioFile,
    address: JobsAddress,
    settings: Settings = [],
    follow: Annotated[bool, typer.Option("--follow", help="Print the job's output until it ends.")] = False,
    python: Annotated[str | None, typer.Option(metavar="PATH", help="Interpreter on the cluster.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run a scenario as a job of a Ray cluster."""
    from fedray.experiment.sections import load_resolved
    from fedray.runtime.jobs import Jobs

    loaded = load_resolved(scenario, settings)
    jobs_there = Jobs(address)
    job = jobs_there.submit(loaded, python)
    if as_json:
        print_json(asdict(job))
    else:
        out.print(
            f"{job.id} submitted; results will be in {job.run_dir} on the cluster", highlight=False, soft_wrap=True
        )
    if follow:
        for text in jobs_there.follow(job.id):
            out.out(text, end="", highlight=False)
        raise typer.Exit(jobs_there.exit_code(job.id))


def jobs(address: JobsAddress, as_json: AsJson = False) -> None:
    """List the runs a cluster knows as jobs."""
    from fedray.display import word_table
    from fedray.runtime.jobs import Jobs

    known = Jobs(address).all()
    if as_json:
        print_json([asdict(job) for job in known])
    else:
        out.print(word_table((job.id, job.status, job.submitted, job.run_dir) for job in known))


def logs(
    job: Annotated[str, typer.Argument(metavar="JOB")],
    address: JobsAddress,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the job ends.")] = False,
) -> None:
    """Print a job's output."""
    from fedray.runtime.jobs import Jobs

    there = Jobs(address)
    for text in there.follow(job) if follow else [there.logs(job)]:
        out.out(text, end="", highlight=False)


def stop(job: Annotated[str, typer.Argument(metavar="JOB")], address: JobsAddress, as_json: AsJson = False) -> None:
    """Interrupt a job; completed rounds are kept on the cluster."""
    from fedray.runtime.jobs import Jobs

    stopped = Jobs(address).stop(job)
    if as_json:
        print_json(asdict(stopped))
    else:
        out.print(
            f"{stopped.id} is stopping; completed rounds stay in {stopped.run_dir}", highlight=False, soft_wrap=True
        )

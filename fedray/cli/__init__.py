"""The command line: parse, call, print."""

import sys
import warnings
from typing import Annotated, NoReturn

import typer

from fedray import __version__
from fedray.cli.clocks import calibrate, fidelity
from fedray.cli.comparing import compare, export, report
from fedray.cli.console import err, out, say, show_log
from fedray.cli.diagnosis import doctor
from fedray.cli.jobs import jobs, logs, stop, submit
from fedray.cli.reference import catalog, schema
from fedray.cli.running import plan, run, sweep, validate
from fedray.cli.starting import init
from fedray.cli.tuning import tune
from fedray.cli.watching import watch
from fedray.errors import RunFailedError, RunInterruptedError, UserError

INTERRUPTED = 130  # exit code

app = typer.Typer(
    help="Emulate a fleet of edge devices on Ray and fine-tune language models across it with federated LoRA.",
    add_completion=False,
    pretty_exceptions_enable=False,
)
COMMANDS = (
    init,
    run,
    validate,
    plan,
    sweep,
    tune,
    compare,
    report,
    watch,
    export,
    fidelity,
    calibrate,
    catalog,
    schema,
    doctor,
    submit,
    jobs,
    logs,
    stop,
)
for command in COMMANDS:
    app.command()(command)


@app.callback(invoke_without_command=True)
def options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show what every module logs, on standard error.")] = False,
) -> None:
    show_log(verbose)
    if version:
        out.print(f"fedray {__version__}", highlight=False)
        raise typer.Exit


def main() -> NoReturn:
    """Run a command; every failure a user can meet is one plain message and an exit code."""
    warnings.simplefilter("ignore", FutureWarning)  # between libraries; nothing a user of fedray could do
    words = sys.argv[1:] or ["--help"]
    try:
        code = app(words, standalone_mode=False)
    except typer.TyperException as error:
        command = [words[0]] if words[0] in {command.__name__ for command in COMMANDS} else []
        say(f"{error.format_message().rstrip('.')}; see {' '.join(['fedray', *command, '--help'])}", err)
        sys.exit(2)
    except UserError as error:
        say(str(error), err)
        sys.exit(2)
    except RunFailedError as error:
        say(str(error), err)
        sys.exit(1)
    except RunInterruptedError as error:
        say(str(error), err)
        sys.exit(INTERRUPTED)
    if code == INTERRUPTED:
        say("interrupted", err)
    sys.exit(code)

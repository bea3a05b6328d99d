"""reference/cli.md: every command, from the command line's own declarations."""

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from docs.generate.markdown import code, page, table
from fedray.cli import app

EXIT_CODES = (
    ("0", "done"),
    ("1", "the run failed, or a bound that was asked for does not hold"),
    ("2", "the input is wrong: one line says what, where, and what is allowed"),
    ("130", "interrupted; completed rounds are kept, `--resume` goes on"),
)


def cli_page() -> str:
    """A heading per command with its arguments and options, and the exit codes of all."""
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    commands = [command for command in group.commands.values() if isinstance(command, TyperCommand)]
    codes = "## Exit codes\n\n" + table(("code", "meaning"), EXIT_CODES)
    return page("Command line", "the commands' declarations", [*map(_command, commands), codes])


def _command(command: TyperCommand) -> str:
    arguments = [one for one in command.params if isinstance(one, TyperArgument)]
    options = [one for one in command.params if isinstance(one, TyperOption)]
    usage = " ".join(
        ["fedray", str(command.name), *("[OPTIONS]",) * bool(options), *(_placeholder(one) for one in arguments)]
    )
    rows = [(code(_placeholder(one)), one.help or "") for one in arguments]
    rows += [(code(" ".join([*one.opts, one.metavar or ""]).strip()), _help(one)) for one in options]
    text = f"## fedray {command.name}\n\n```text\n{usage}\n```\n\n{command.help or ''}\n"
    return text + ("\n" + table(("argument or option", "what it is"), rows) if rows else "")


def _placeholder(argument: TyperArgument) -> str:
    return argument.metavar or str(argument.name).upper()


def _help(option: TyperOption) -> str:
    text = option.help or ""
    if option.required:
        return f"{text} Required."
    shown = isinstance(option.default, str | int | float) and not isinstance(option.default, bool)
    return f"{text} Default: `{option.default}`." if shown else text

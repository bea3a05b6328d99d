"""Every command of the README and the documentation runs, in the order of its page, or says why not and parses."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
import yaml
from typer.core import TyperGroup

from fedray.cli import app
from fedray.methods import resolved
from fedray.scenario import load_scenario
from tests.conftest import PROJECT, Result
from tests.docs.pages import PAGES, Block, Command, blocks, page_name

LANGUAGES = {"bash", "console", "yaml", "toml", "json", "csv", "python", "text", ""}
HIDDEN = re.compile(r"^(fedray|make|python|pip) ", re.MULTILINE)  # commands in a block that does not say so
SHELL = re.compile(r"[|&;><*$]")  # what needs a shell, not only words
CLONE = ("scenarios", "cluster", "benchmarks")  # what commands name as files of a clone


def pages(*, where: Callable[[Block], bool]) -> list[object]:
    found = [page for page in PAGES if any(where(block) for block in blocks(page))]
    return [pytest.param(page, id=page_name(page)) for page in found]


def runs_fast(block: Block) -> bool:
    return bool(block.commands) and not block.slow and not block.skipped


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder beside links to a clone's own folders, as the working directory."""
    for name in CLONE:
        (tmp_path / name).symlink_to(PROJECT / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(block: Block, folder: Path) -> None:
    """Write the block, which is a file."""
    path = folder / str(block.file)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(block.text)


def in_shell(line: str, folder: Path) -> Result:
    """Run a line in bash, where `fedray` and `python` are those of these tests."""
    commands = folder / ".commands"
    commands.mkdir(exist_ok=True)
    for name, words in (("fedray", f"{sys.executable} -m fedray"), ("python", sys.executable)):
        (commands / name).write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        (commands / name).chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{commands}:{os.environ['PATH']}",
        "PYTHONPATH": str(PROJECT),
        "COLUMNS": "200",
    }
    done = subprocess.run(
        ["bash", "-ec", line], capture_output=True, text=True, cwd=folder, env=environment, timeout=900
    )
    return Result(done.returncode, done.stdout, done.stderr)


def check(result: Result, command: Command, block: Block) -> None:
    """The exit code is the one that the page names, and the lines that the page shows are printed."""
    said = result.out + result.err
    assert result.code == block.exit_code, f"{block.place}: {command.line}\n{said}"
    assert "Traceback" not in said
    for line in command.shown:
        pattern = ".*".join(re.escape(part) for part in line.split("…"))
        assert re.search(pattern, said), f"{block.place}: does not print {line!r}, but\n{said}"


def follow(page: Path, fedray: Callable[..., Result], folder: Path, *, slow: bool) -> None:
    """Write the files and run the commands of a page in order; those of slow blocks in processes of their own."""
    for block in blocks(page):
        if block.file:
            write(block, folder)
        elif block.skipped or (block.slow and not slow):
            continue
        elif block.language == "python":
            (folder / "block.py").write_text(block.text)
            check(in_shell("python block.py", folder), Command("python block.py"), block)
        for command in block.commands:
            alone = command.words[0] == "fedray" and not SHELL.search(command.line) and not block.slow
            check(fedray(*command.words[1:]) if alone else in_shell(command.line, folder), command, block)


@pytest.mark.model
@pytest.mark.parametrize("page", pages(where=runs_fast))
def test_quick_commands_of_a_page_run_in_order(page: Path, fedray: Callable[..., Result], sandbox: Path) -> None:
    follow(page, fedray, sandbox, slow=False)


@pytest.mark.slow
@pytest.mark.timeout(1800)  # many commands, each with a Ray of its own
@pytest.mark.parametrize("page", pages(where=lambda block: block.slow))
def test_all_commands_of_a_page_run_in_order(page: Path, fedray: Callable[..., Result], sandbox: Path) -> None:
    follow(page, fedray, sandbox, slow=True)


COMMANDS = [(block, command) for page in PAGES for block in blocks(page) for command in block.commands]


def parse(words: list[str]) -> None:
    """Parse a fedray command line without running it; a wrong word raises typer's own error."""
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    with group.make_context("fedray", words) as context:
        name, command, rest = group.resolve_command(context, [*context._protected_args, *context.args])
        assert command is not None
        command.make_context(name, rest)


def test_every_fedray_command_parses() -> None:
    for block, command in COMMANDS:
        if command.words[0] == "fedray":
            try:
                parse(command.words[1:])
            except typer.TyperException as error:
                pytest.fail(f"{block.place}: {command.line}: {error.format_message()}")


def test_a_removed_option_would_be_found() -> None:
    with pytest.raises(typer.TyperException):
        parse(["run", "x.yaml", "--sett", "a=1"])
    with pytest.raises(typer.TyperException):
        parse(["runn", "x.yaml"])


def test_every_make_target_and_script_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    for block, command in COMMANDS:
        if command.words[0] == "make":
            assert set(command.words[1:]) <= targets, block.place
        for word in command.words:
            if word.endswith(".py"):
                assert (PROJECT / word).is_file(), block.place


@pytest.mark.parametrize("page", [pytest.param(page, id=page_name(page)) for page in PAGES])
def test_blocks_are_of_known_languages_and_well_formed(page: Path, tmp_path: Path) -> None:
    for block in blocks(page):
        assert block.language in LANGUAGES, f"{block.place}: a block of {block.language}"
        assert block.language not in ("", "text") or not HIDDEN.search(block.text), f"{block.place}: commands; say bash"
        assert block.file or not block.skipped or block.language in ("bash", "console", "python", "yaml"), block.place
        if block.language == "python":
            ast.parse(block.text)
        if block.language == "yaml" and not block.file and not block.skipped:
            path = tmp_path / "part.yaml"
            path.write_text(yaml.safe_dump({"schema_version": 1, **yaml.safe_load(block.text)}))
            assert resolved(load_scenario(path)), block.place

"""Pages of the documentation as fenced blocks, and what the HTML comment before a block says of it.

<!-- file: NAME -->             the block is a file of this name, written where the page's commands run
<!-- slow: why -->              run with the slow tests only
<!-- not run: why -->           never run; the command lines must parse all the same
<!-- exits with CODE: why -->   the block's commands end with this exit code
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import PROJECT

DOCS = PROJECT / "docs"
PAGES = [PROJECT / "README.md", *sorted(DOCS.rglob("*.md"))]
MARK = re.compile(r"<!-- (?P<word>file|slow|not run|exits with (?P<code>\d+)(?P<late>, slow)?): (?P<what>.+) -->")
FENCE = re.compile(r"```(\S*)")


@dataclass(frozen=True)
class Command:
    """A line of shell, and the lines of its output that the page shows."""

    line: str
    shown: tuple[str, ...] = ()

    @property
    def words(self) -> list[str]:
        return shlex.split(self.line, comments=True)


@dataclass(frozen=True)
class Block:
    """A fenced block: where, its language, its text, and what is said of it."""

    place: str
    language: str
    text: str
    file: str | None = None
    slow: bool = False
    skipped: bool = False
    exit_code: int = 0

    @property
    def commands(self) -> list[Command]:
        """The commands of a `bash` block (every line) or a `console` block (lines after `$ `, then their output)."""
        lines = self.text.replace("\\\n", " ").splitlines()
        if self.language == "bash" and self.file is None:
            return [Command(line) for line in lines if line.strip() and not line.startswith("#")]
        found: list[Command] = []
        for line in lines if self.language == "console" else ():
            if line.startswith("$ "):
                found.append(Command(line.removeprefix("$ ")))
            elif line.strip():
                found[-1] = Command(found[-1].line, (*found[-1].shown, line.rstrip()))
        return found


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page, in order."""
    return list(_blocks(page))


def page_name(page: Path) -> str:
    return str(page.relative_to(PROJECT))


def _blocks(page: Path) -> Iterator[Block]:
    lines = iter(enumerate(page.read_text().splitlines(), 1))
    said = None
    for number, line in lines:
        if fence := FENCE.fullmatch(line):
            inside = []
            for _, text in lines:
                if text == "```":
                    break
                inside.append(text)
            word, code, late, what = said.group("word", "code", "late", "what") if said else ("", None, None, "")
            yield Block(
                place=f"{page_name(page)}:{number}",
                language=fence.group(1),
                text="\n".join(inside) + "\n",
                file=what if word == "file" else None,
                slow=word == "slow" or late is not None,
                skipped=word == "not run",
                exit_code=int(code or 0),
            )
        if line.strip():
            said = MARK.fullmatch(line)

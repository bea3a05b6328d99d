"""Small pieces of Markdown."""

import re
from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells may hold Markdown, of which pipes are escaped and line breaks made spaces."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(_cell(text) for text in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def code(text: object) -> str:
    """Text as code, or nothing for empty text."""
    return f"`{text}`" if str(text) else ""


def page(title: str, source: str, parts: Iterable[str]) -> str:
    """A page whose first paragraph says what it was generated from."""
    return "\n".join([f"# {title}\n", f"*Generated from {source} when this site was built.*\n", *parts])


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", r"\|").strip()

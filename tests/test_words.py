"""The house's English: idioms that hide the variable or the subject of a sentence stay out."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
IDIOMS = re.compile(
    r"\b(so (?:many|much)\b(?! (?:faster|slower|more|less)\b)|(?:some|no|every)body|whoever|what it comes to"
    r"|(?:is|are) there\b(?! (?:a|an|any|no)\b))",
    re.IGNORECASE,
)
FOLDERS = ("fedray", "tests", "benchmarks", "dashboards", "cluster", "scenarios", "docs", "examples")
SUFFIXES = {".py", ".md", ".yaml", ".js", ".html", ".css", ".ipynb"}


def texts() -> list[Path]:
    """Text files of the project; CHANGELOG.md is history and stays as written."""
    nested = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*"))
    found = [path for path in (*nested, ROOT / "README.md") if path.suffix in SUFFIXES]
    return [path for path in [*found, ROOT / "pyproject.toml"] if path != Path(__file__)]


def test_no_idiom_stands_in_for_a_name() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in texts()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if IDIOMS.search(line)
    ]
    assert not found, "\n".join(found)


def test_the_search_finds_what_it_bans() -> None:
    assert all(IDIOMS.search(line) for line in ("Ask so many times", "while Nobody waits", "one that is there"))
    assert not IDIOMS.search("Is there a device?")

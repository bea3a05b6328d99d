"""The embedded task: which package of Python's standard library does this definition come from?

Read with `ast` from the running interpreter, so it needs neither network nor download. It shows that federated
training works; a head alone nearly solves it, so claims about depth and rank belong on other data.
"""

import ast
import hashlib
import re
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("asyncio", "collections", "email", "http", "importlib", "logging", "multiprocessing", "tkinter",
            "typing", "unittest", "urllib", "xml")  # fmt: skip
LEFT_OUT = {"test", "tests", "idlelib", "lib2to3", "site-packages"}
MAX_WORDS = 64
MIN_WORDS = 8
TEST_FOLD = 5  # every fifth top-level name goes to the test set

_NAMES = re.compile(rf"\b({'|'.join(PACKAGES)})\b", re.IGNORECASE)
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Example:
    """One definition: `docstring | source`, its package, its file, and on which side of the split it falls."""

    text: str
    package: str
    file: str
    test: bool


def read_standard_library() -> list[Example]:
    """All examples in a fixed order: about 5,500 on Python 3.11 to 3.13, a fifth of them for testing."""
    root = Path(sysconfig.get_paths()["stdlib"])
    seen: set[str] = set()
    examples = []
    for package in PACKAGES:
        for path in _files(root, package):
            for example in _examples(path, path.relative_to(root).as_posix(), package):
                if example.text not in seen:
                    seen.add(example.text)
                    examples.append(example)
    return examples


def _files(root: Path, package: str) -> list[Path]:
    module = root / f"{package}.py"
    if module.is_file():
        return [module]
    inside = (path for path in (root / package).rglob("*.py") if not LEFT_OUT & set(path.relative_to(root).parts))
    return sorted(inside)


def _examples(path: Path, name: str, package: str) -> Iterator[Example]:
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines()
    for top in ast.parse(source).body:
        if isinstance(top, _Definition):
            # split by top-level name, so that a class and its methods stay together
            digest = hashlib.sha256(f"{name}:{top.name}".encode()).digest()
            test = int.from_bytes(digest) % TEST_FOLD == 0
            for node in ast.walk(top):
                if isinstance(node, _Definition):
                    words = _text(node, lines).split()[:MAX_WORDS]
                    if len(words) >= MIN_WORDS:
                        yield Example(" ".join(words), package, name, test)


def _text(node: _Definition, lines: list[str]) -> str:
    """The docstring, a bar, and the source around the docstring, package names masked."""
    first, last = node.lineno - 1, node.end_lineno or node.lineno
    docstring = ast.get_docstring(node) or ""
    if docstring:
        place = node.body[0]
        kept = lines[first : place.lineno - 1] + lines[place.end_lineno or place.lineno : last]
    else:
        kept = lines[first:last]
    return _NAMES.sub("module", f"{docstring} | {' '.join(kept)}")

"""Folder names of runs: short, readable, and independent of which other runs there are."""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from fedray.methods import method_defaults

LONGEST_NAME = 100  # characters of a folder
DIGEST = 8  # of them, where the name alone may stand for something else, too
METHOD_KEYS = ("method", "method.name")


@dataclass(frozen=True)
class CellSettings:
    """What sets a run apart: the file of its scenario, if there are several; key and value, sorted by key; its seed."""

    scenario: str | None
    values: Sequence[tuple[str, Any]]
    seed: int

    @property
    def canonical(self) -> str:
        """As one text; equal settings have equal text."""
        first = [] if self.scenario is None else [f"scenario={self.scenario}"]
        return ",".join([*first, *(f"{key}={canonical(value)}" for key, value in self.values), f"seed={self.seed}"])


@dataclass(frozen=True)
class _Text:
    """A part of a name; `exact` if no other value is written so."""

    text: str
    exact: bool = True


def cell_names(cells: Sequence[CellSettings]) -> list[str]:
    """A folder name for each of a sweep's cells, which all set the same keys.

    A name holds the scenario's file, the method, every other key as its last part and value, and the seed: for
    example `fedit-alpha0.1-seed1`. It ends with a digest if it is too long, or may stand for other settings.
    """
    plain = [_plain_name(cell) for cell in cells]
    often = Counter(name.text for name in plain if name.exact)
    return [
        name.text
        if name.exact and often[name.text] == 1 and len(name.text) <= LONGEST_NAME
        else _with_digest(name.text, cell)
        for cell, name in zip(cells, plain, strict=True)
    ]


def method_name(value: object) -> str:
    """A method in short: its name, and of a section the parameters that are not the method's defaults."""
    return _method(value).text


def canonical(value: object) -> str:
    """A value as YAML in one line: equal values, however written, give equal text."""
    text: str = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**9)
    return text.removesuffix("...\n").strip()


def _plain_name(cell: CellSettings) -> _Text:
    keys = [key for key, _ in cell.values]
    parts = [] if cell.scenario is None else [_word(cell.scenario)]
    values = sorted(cell.values, key=lambda one: one[0] not in METHOD_KEYS)  # the method first
    for key, value in values:
        parts.append(_method(value) if key in METHOD_KEYS else _setting(_label(key, keys), value))
    return _joined([*parts, _Text(f"seed{cell.seed}")])


def _label(key: str, keys: Sequence[str]) -> str:
    """The last parts of a key: as many as set it apart from the others, and not only the index of a list."""
    parts = key.split(".")
    for length in range(1, len(parts)):
        label = ".".join(parts[-length:])
        if not label[0].isdigit() and sum(f".{other}".endswith(f".{label}") for other in keys) == 1:
            return label
    return key


def _method(value: object) -> _Text:
    """A method by its name, or a section of it."""
    if not isinstance(value, dict):
        return _word(value)
    name = value.get("name")
    defaults = method_defaults(name)
    mine = [(key, item) for key, item in sorted(value.items()) if key != "name" and defaults.get(key) != item]
    return _joined([_word(name), *(_setting(key, item) for key, item in mine)])


def _setting(label: str, value: object) -> _Text:
    """`rank8`, `depth-fixed`, `schedule-buffered-buffer5`."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        separator = "=" if label[-1].isdigit() else ""
        return _Text(f"{label}{separator}{canonical(value).replace('+', '')}")
    if isinstance(value, dict):
        head = [_word(value[key]) for key in ("kind", "name") if key in value]
        rest = [_setting(key, item) for key, item in sorted(value.items()) if key not in ("kind", "name")]
        return _joined([_Text(label), *head, *rest])
    words = [_word(item) for item in value] if isinstance(value, list) else [_word(value)]
    return _Text(f"{label}-{','.join(word.text for word in words)}", all(word.exact for word in words) and bool(words))


def _word(value: object) -> _Text:
    """A plain word or number as it is; what is left of anything else."""
    text = canonical(value)
    exact = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", text) is not None
    return _Text(text if exact else re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-."), exact)


def _joined(parts: Sequence[_Text]) -> _Text:
    return _Text("-".join(part.text for part in parts if part.text), all(part.exact for part in parts))


def _with_digest(text: str, cell: CellSettings) -> str:
    digest = hashlib.sha256(cell.canonical.encode()).hexdigest()[:DIGEST]
    return f"{text[: LONGEST_NAME - DIGEST - 1]}-{digest}"

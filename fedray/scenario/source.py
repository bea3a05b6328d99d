"""A YAML file as data plus the line every value stands on.

Only plain data comes out: mappings with string keys, lists, strings, numbers, booleans, null. What YAML allows beyond
that (tags, merge keys, duplicate keys, aliases that explode) is refused with the place.
"""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fedray.errors import UserError

Key = tuple[str | int, ...]

MAX_BYTES = 1_000_000  # a scenario is a page; a megabyte is a mistake or an attack
MAX_VALUES = 20_000  # counted after aliases are expanded, so an alias bomb stops here
MAX_DEPTH = 32
LONGEST_VALUE = 80  # characters of a value in a message: two thirds of a terminal's line
LONGEST_WORD = 40  # characters of one word of several in a message
MOST_WORDS = 12  # words of a list in a message; a table has more columns, and a data set more labels


class ScenarioError(UserError):
    """Something in a scenario is wrong; the message holds one line per problem, each with its place."""


@dataclass(frozen=True)
class Source:
    """A parsed file: `data` as written, and for every key path the place `file:line` it was written at."""

    name: str
    data: Mapping[str, Any]
    places: Mapping[Key, str]

    def place(self, key: Key) -> str:
        """`file:line` of a key, or of the nearest enclosing key that was written."""
        while key not in self.places and key:
            key = key[:-1]
        return self.places.get(key, self.name)

    def problem(self, key: Key, message: str) -> str:
        """One line naming the place and the dotted key."""
        return f"{self.place(key)}: {dotted(key)}: {message}" if key else f"{self.place(key)}: {message}"

    def error(self, key: Key, given: object, allowed: str) -> ScenarioError:
        """The error for a value that only a later module (catalogue, registry, data) could judge."""
        return ScenarioError(self.problem(key, f"given {show(given)}; allowed: {allowed}"))


def dotted(key: Key) -> str:
    """A key path as it is written with `--set`; a part that is no plausible key is cut."""
    return ".".join(shorten(str(part)) for part in key)


def shorten(text: str, longest: int = LONGEST_VALUE) -> str:
    """Text of a user's file on one line, at most `longest` characters: a message must stay a line.

    The middle is cut, because a path tells most at its end.
    """
    line = " ".join(text.splitlines())
    if len(line) <= longest:
        return line
    end = longest // 3
    return f"{line[: longest - 3 - end]}...{line[-end:]}"


def show(value: object) -> str:
    """A value as the user would recognise it, cut when long."""
    return shorten("null" if value is None else str(value).lower() if isinstance(value, bool) else repr(value))


def one_line(value: object) -> str:
    """Plain data as YAML on one line, as a user could write it."""
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**9)
    return text.removesuffix("...\n").strip()


def listed(words: Sequence[str], separator: str = ", ") -> str:
    """The first few of many words of a user's file, each cut when long, and the number of the others."""
    shown = separator.join(shorten(word, LONGEST_WORD) for word in words[:MOST_WORDS])
    return f"{shown}{separator}{len(words) - MOST_WORDS:,} more" if len(words) > MOST_WORDS else shown


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)` when a known word is close, else nothing."""
    close = difflib.get_close_matches(shorten(str(word)), list(known), n=1, cutoff=0.6)
    return f" (did you mean {show(close[0])}?)" if close else ""


class _Loader(yaml.SafeLoader):
    """The safe loader, reading `1e-3` as a number (YAML 1.1 wants `1.0e-3`)."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


SCENARIO = "a scenario is a mapping with the key 'schema_version'"


def read_source(path: Path, expected: str = SCENARIO) -> Source:
    """Read and parse a YAML file; `expected` says what it should be, if it is no mapping.

    Raises
    ------
    UserError
        if the file cannot be read; ScenarioError, with file:line, if it is not one plain YAML mapping.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot read the scenario: {error.strerror}") from None
    if len(raw) > MAX_BYTES:
        raise ScenarioError(f"{path}: {len(raw):,} bytes; a scenario has at most {MAX_BYTES:,}")
    try:
        return parse_source(str(path), raw.decode(), expected)
    except UnicodeDecodeError:
        raise ScenarioError(f"{path}: not UTF-8 text") from None


def parse_source(name: str, text: str, expected: str = SCENARIO) -> Source:
    """Parse YAML text; `name` stands in for the file in messages."""
    try:
        loader = _Loader(text)
        try:
            return _Reader(name, loader, expected).read()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        hint = " (indent with spaces, not tabs)" if "\\t" in str(error.problem) else ""
        raise ScenarioError(f"{name}{line}: not valid YAML: {error.problem or error.context}{hint}") from None
    except yaml.YAMLError as error:
        raise ScenarioError(f"{name}: not valid YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise ScenarioError(f"{name}: nested too deeply; at most {MAX_DEPTH} levels") from None


_PLAIN_TAGS = {
    f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp")
}


class _Reader:
    """Walks the node tree once, building data and places and counting what it builds."""

    def __init__(self, name: str, loader: _Loader, expected: str) -> None:
        self.expected = expected
        self.name = name
        self.loader = loader
        self.places: dict[Key, str] = {}
        self.values = 0

    def read(self) -> Source:
        node = self.loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise ScenarioError(f"{self.name}:1: {self.expected}")
        data = self._value(node, ())
        return Source(self.name, data, self.places)

    def _fail(self, node: yaml.Node, message: str) -> ScenarioError:
        return ScenarioError(f"{self.name}:{node.start_mark.line + 1}: {message}")

    def _value(self, node: yaml.Node, key: Key) -> Any:  # noqa: ANN401  (plain YAML data of any shape)
        self.values += 1
        if self.values > MAX_VALUES:
            raise self._fail(node, f"more than {MAX_VALUES:,} values once aliases are expanded")
        if len(key) > MAX_DEPTH:
            raise self._fail(node, f"nested too deeply; at most {MAX_DEPTH} levels")
        if node.tag not in _PLAIN_TAGS:
            raise self._fail(node, f"{dotted(key)}: the tag {shorten(node.tag)} is not allowed")
        self.places.setdefault(key, f"{self.name}:{node.start_mark.line + 1}")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, key)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*key, index)) for index, item in enumerate(node.value)]
        try:
            return self.loader.construct_object(node)
        except ValueError as error:
            raise self._fail(node, f"{dotted(key)}: {shorten(str(error))}") from None

    def _mapping(self, node: yaml.MappingNode, key: Key) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for name_node, value_node in node.value:
            name = name_node.value
            if name_node.tag != "tag:yaml.org,2002:str":
                raise self._fail(name_node, f"a key must be a plain word, given {show(name)}")
            if name in data:
                raise self._fail(name_node, f"{dotted((*key, name))}: the key is given twice")
            self.places[(*key, name)] = f"{self.name}:{name_node.start_mark.line + 1}"
            data[name] = self._value(value_node, (*key, name))
        return data

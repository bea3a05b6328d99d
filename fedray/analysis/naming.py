"""What rows are called: by the method and by what the user varied, and by nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fedray.analysis.settings import Settings, both_tuned, flat

LONGEST_LABEL = 60  # characters; more differences than that are no longer read
HEADS = ("name", "kind")  # the keys by which a mapping is known

Word = tuple[str, str]  # a dotted key, and its value as text


@dataclass(frozen=True)
class Name:
    """A row's label, and its parts: the method with its own settings, and the condition it was tried under.

    Conditions are the keys that vary while the method stays the same (skew, dropout, link); every row has them all.
    """

    label: str
    method: str
    condition: tuple[Word, ...]


@dataclass(frozen=True)
class _Words:
    """The words of one row: of its method (`rank=16`), and of its other settings, by dotted key."""

    method: str
    settings: Mapping[str, str]


def names(rows: Sequence[Settings], varied: Mapping[str, Sequence[Any]] | None) -> list[Name]:
    """A name for each row; `varied` are the keys and values of the sweep that all of them come from, if there is one.

    Without a sweep, a row is named by its method, then by the keys whose values differ from another row's. A method's
    parameter at its default is not named, nor one that the other methods do not have, nor a value that most rows have,
    nor one that was tuned for each of two methods.
    """
    words = [_swept(row, rows, varied) if varied is not None else _plain(row, rows) for row in rows]
    usual = _usual(rows) if varied is None else {}
    keys = dict.fromkeys(key for mine in words for key in mine.settings)
    conditions = [
        key
        for key in keys
        if any(a.method == b.method and a.settings.get(key) != b.settings.get(key) for a in words for b in words)
    ]
    found = []
    for mine in words:
        told = [(key, text) for key, text in mine.settings.items() if usual.get(key) != text]
        own = [(key, text) for key, text in told if key not in conditions]
        found.append(
            Name(
                label=_cut(_joined(mine.method, told)),
                method=_joined(mine.method, own),
                condition=tuple((key, mine.settings.get(key, "–")) for key in conditions),
            )
        )
    return found


def _swept(row: Settings, rows: Sequence[Settings], varied: Mapping[str, Sequence[Any]]) -> _Words:
    """The values that were given to the varied keys, as they were given."""
    words = [word for key, values in varied.items() for word in _given(row, rows, key, values)]
    own = [(key, text) for key, text in words if _of_method(key) and key not in ("method", "method.name")]
    return _Words(_joined(row.method, own), dict(word for word in words if not _of_method(word[0])))


def _given(row: Settings, rows: Sequence[Settings], key: str, values: Sequence[Any]) -> list[Word]:
    """What tells the value that a row was given for a key from the other values given for it."""
    if len(values) < 2:
        return []
    holding = [value for value in values if all(_holds(row, *leaf) for leaf in flat(value, key))]
    if not holding:  # it was resolved to something else, such as a path
        return [word for word in _differing(row, rows) if word[0] == key or word[0].startswith(f"{key}.")]
    given = max(holding, key=lambda value: len(list(flat(value))))  # {name: a, rank: 4} says more than {name: a}
    if not isinstance(given, dict):
        return [(key, _text(given))]
    head = next((head for head in HEADS if head in given), None)
    mates = [dict(flat(one)) for one in values if isinstance(one, dict) and one.get(head) == given.get(head)]
    words = [(key, _text(given[head]))] if head and len(mates) < len(values) else []
    for name, value in flat(given):
        if name != head and any(name not in mate or mate[name] != value for mate in mates):
            words.append((f"{key}.{name}", _text(value)))
    return words


def _plain(row: Settings, rows: Sequence[Settings]) -> _Words:
    """Where a row differs from others."""
    words = _differing(row, rows)
    own = [(key, text) for key, text in words if _of_method(key) and key != "method.name"]
    changed = [(key, text) for key, text in own if key not in row.defaults or row.defaults[key] != row.values[key]]
    return _Words(_joined(row.method, changed), dict(word for word in words if not _of_method(word[0])))


def _differing(row: Settings, rows: Sequence[Settings]) -> list[Word]:
    return [(key, _text(value)) for key, value in row.values.items() if any(_differ(row, other, key) for other in rows)]


def _differ(row: Settings, other: Settings, key: str) -> bool:
    if both_tuned(row, other, key):
        return False
    if key in other.values:
        return bool(row.values[key] != other.values[key])
    return row.method == other.method or not _of_method(key)


def _usual(rows: Sequence[Settings]) -> dict[str, str]:
    """The values that more than half of the rows have."""
    return {
        key: _text(value)
        for row in rows
        for key, value in row.values.items()
        if 2 * sum(_holds(other, key, value) for other in rows) > len(rows)
    }


def _holds(row: Settings, key: str, value: object) -> bool:
    return key in row.values and bool(row.values[key] == value)


def _of_method(key: str) -> bool:
    return key == "method" or key.startswith("method.")


def _joined(method: str, words: Sequence[Word]) -> str:
    return " ".join([method, *(f"{key.removeprefix('method.')}={text}" for key, text in words)])


def _cut(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 2].rstrip()} …"


def _text(value: object) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)

"""Changes to a scenario, from `--set KEY=VALUE` or a Python mapping, which error messages name as their place."""

import copy
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fedray.scenario.plain import plain_data
from fedray.scenario.source import Key, ScenarioError, Source, parse_source

Overrides = Iterable[str] | Mapping[str, object]  # words `dotted.key=value` as of --set, or values by dotted key


@dataclass(frozen=True)
class Override:
    """The value that a key gets; `place` is what the user wrote."""

    place: str
    key: Key
    value: Any


def apply_overrides(source: Source, overrides: Overrides) -> Source:
    """The source with each override put in; the value of a word is read as YAML, list items are named by index.

    A mapping replaces what stood there. Intermediate mappings that do not exist yet are made.

    Raises
    ------
    ScenarioError
        naming the override, if a word has no `=`, its value is not YAML, or its path runs through something that is no
        mapping or beyond a list's end. Whether the key may exist is the schema's business.
    """
    data = copy.deepcopy(dict(source.data))
    places = dict(source.places)
    for override in _read(overrides):
        place, key = override.place, override.key
        _put(data, key, override.value, place)
        places = {known: where for known, where in places.items() if known[: len(key)] != key}
        for length in range(1, len(key)):
            places.setdefault(key[:length], place)
        places[key] = place
    return Source(source.name, data, places)


def setting_words(overrides: Overrides) -> list[str]:
    """Overrides as words of --set."""
    if not isinstance(overrides, Mapping):
        return [overrides] if isinstance(overrides, str) else list(overrides)
    plain = {name: plain_data(value, f"overrides[{name!r}]") for name, value in overrides.items()}
    return [f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in plain.items()]


def is_override(place: str) -> bool:
    """Whether a place of a source is an override, not a line of a file."""
    return place.startswith(("--set ", "overrides["))


def _read(overrides: Overrides) -> Iterator[Override]:
    if isinstance(overrides, Mapping):
        for name, value in overrides.items():
            place = f"overrides[{name!r}]"
            if not isinstance(name, str) or not all(name.split(".")):
                raise ScenarioError(f"{place}: expected a dotted key, for example 'training.rounds'")
            yield Override(place, _key(name), plain_data(value, place))
        return
    for setting in [overrides] if isinstance(overrides, str) else overrides:
        place = f"--set {setting}"
        name, separator, text = setting.partition("=")
        if not separator or not name or not all(name.split(".")):
            raise ScenarioError(f"{place}: expected KEY=VALUE, for example training.rounds=5")
        yield Override(place, _key(name), parse_source(place, f"value: {text}").data["value"])


def _key(name: str) -> Key:
    return tuple(int(part) if part.isdigit() else part for part in name.split("."))


def _put(data: dict[str, Any], key: Key, value: object, place: str) -> None:
    here: Any = data
    for depth, part in enumerate(key):
        last = depth == len(key) - 1
        if isinstance(here, dict) and isinstance(part, str):
            if last:
                here[part] = value
            elif not isinstance(here.get(part), dict | list):
                here[part] = {}
        elif isinstance(here, list) and isinstance(part, int) and part < len(here):
            if last:
                here[part] = value
        else:
            raise ScenarioError(f"{place}: there is no {'.'.join(map(str, key[: depth + 1]))} to set")
        here = here[part]

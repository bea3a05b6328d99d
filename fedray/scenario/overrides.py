"""`--set KEY=VALUE`: changes to a scenario from the command line, placed at `--set` in error messages."""

import copy
from collections.abc import Iterable
from typing import Any

from fedray.scenario.source import Key, ScenarioError, Source, parse_source


def apply_overrides(source: Source, settings: Iterable[str]) -> Source:
    """The source with each `dotted.key=value` put in; the value is read as YAML, list items are named by index.

    A mapping replaces what stood there. Intermediate mappings that do not exist yet are made.

    Raises
    ------
    ScenarioError
        naming the setting, if it has no `=`, its value is not YAML, or its path runs through something that is no
        mapping or beyond a list's end. Whether the key may exist is the schema's business.
    """
    data = copy.deepcopy(dict(source.data))
    places = dict(source.places)
    for setting in settings:
        place = f"--set {setting}"
        name, separator, text = setting.partition("=")
        if not separator or not name or not all(name.split(".")):
            raise ScenarioError(f"{place}: expected KEY=VALUE, for example training.rounds=5")
        key: Key = tuple(int(part) if part.isdigit() else part for part in name.split("."))
        value = parse_source(place, f"value: {text}").data["value"]
        _put(data, key, value, place)
        places = {known: where for known, where in places.items() if known[: len(key)] != key}
        for length in range(1, len(key)):
            places.setdefault(key[:length], place)
        places[key] = place
    return Source(source.name, data, places)


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

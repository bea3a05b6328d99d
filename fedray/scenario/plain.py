"""Scenarios written as Python data: a copy of it as YAML would have been read."""

from collections.abc import Mapping
from numbers import Integral, Real
from pathlib import PurePath
from typing import Any

from fedray.scenario.source import MAX_DEPTH, Key, ScenarioError, dotted, show


def plain_data(value: object, place: str, key: Key = ()) -> Any:  # noqa: ANN401  (plain YAML data of any shape)
    """A deep copy of `value`, which stands at `key` of `place`: tuples become lists, paths text, NumPy numbers numbers.

    ScenarioError for anything that YAML has no word for.
    """
    where = f"{place}: {dotted(key)}" if key else place
    if len(key) > MAX_DEPTH:
        raise ScenarioError(f"{place}: nested too deeply; at most {MAX_DEPTH} levels")
    if isinstance(value, Mapping):
        if strange := [name for name in value if not isinstance(name, str)]:
            raise ScenarioError(f"{where}: given the key {show(strange[0])}; allowed: text")
        return {name: plain_data(item, place, (*key, name)) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_data(item, place, (*key, index)) for index, item in enumerate(value)]
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    raise ScenarioError(f"{where}: given {show(value)}; allowed: mappings, lists, text, numbers, booleans, None")

"""The lanes: `unit` loads no model and starts no Ray, `model` and `ray` do, `slow` takes tens of seconds.

A test is in the lane `unit` unless a marker, its folder or a fixture says otherwise. `make test-unit` runs that lane
with torch and Ray out of reach, so that a test which imports them fails there.
"""

import re
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path

import pytest

HEAVY = ("model", "ray", "slow")
FOLDERS = {"learning": "model", "runtime": "ray", "docs": "ray"}  # of tests/: what imports torch, or Ray too
FIXTURES = {"two_layers": "model", "ray_address": "ray"}
OUT_OF_REACH = ("torch", "ray")
WHOLE_MODULE = re.compile(rf"^pytestmark = [^)]*?pytest\.mark\.({'|'.join(HEAVY)})\b", re.MULTILINE)
TESTS = Path(__file__).parent


class OutOfReach(MetaPathFinder):
    """Refuses to import torch and Ray."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: object = None) -> None:
        if name in OUT_OF_REACH:
            raise ImportError(f"a unit test imports {name}: mark it {' or '.join(HEAVY[:2])}, or import less")


def pytest_configure(config: pytest.Config) -> None:
    if only_unit(config):
        sys.meta_path.insert(0, OutOfReach())


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave whole heavy folders and modules out of the unit lane before they import what they test."""
    if not only_unit(config):
        return None
    heavy = folder_lane(collection_path) is not None or is_heavy_module(collection_path)
    return heavy or None


@pytest.hookimpl(tryfirst=True)  # before `-m` selects
def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    for item in items:
        for lane in {folder_lane(item.path), *(FIXTURES.get(name) for name in item.fixturenames)} - {None}:
            item.add_marker(lane)
        if not any(item.get_closest_marker(lane) for lane in HEAVY):
            item.add_marker("unit")


def only_unit(config: pytest.Config) -> bool:
    return bool(config.option.markexpr == "unit")


def folder_lane(path: Path) -> str | None:
    """The lane of everything in a folder of tests/, if it has one."""
    return FOLDERS.get(path.relative_to(TESTS).parts[0]) if TESTS in path.parents else None


def is_heavy_module(path: Path) -> bool:
    """Whether the first lines of a module put all of it into a heavy lane; read, not imported."""
    return path.suffix == ".py" and bool(WHOLE_MODULE.search(path.read_text()))

"""The unit lane cannot reach torch or Ray, and leaves out what needs them."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT
from tests.lanes import folder_lane, is_heavy_module

LANE = [sys.executable, "-m", "pytest", "-p", "tests.lanes", "-p", "no:cacheprovider", "-c", "/dev/null", "-m", "unit"]
BOTH = """
import json

def test_light():
    assert json.dumps(1) == "1"

def test_heavy():
    import {module}
"""


@pytest.mark.parametrize("module", ["torch", "ray", "fedray.learning.classifier", "fedray.runtime.driver"])
def test_a_unit_test_that_imports_torch_or_ray_fails(module, tmp_path: Path) -> None:
    path = tmp_path / "test_both.py"
    path.write_text(BOTH.format(module=module))
    ran = subprocess.run([*LANE, path], capture_output=True, text=True, cwd=PROJECT)
    assert "1 failed, 1 passed" in ran.stdout, ran.stdout + ran.stderr
    assert "a unit test imports" in ran.stdout


def test_a_module_marked_as_a_whole_is_left_out_unread_by_python(tmp_path: Path) -> None:
    (tmp_path / "test_heavy.py").write_text("import pytest\nimport torch\n\npytestmark = pytest.mark.model\n")
    (tmp_path / "test_light.py").write_text("def test_light(): ...\n")
    ran = subprocess.run([*LANE, tmp_path], capture_output=True, text=True, cwd=PROJECT)
    assert "1 passed" in ran.stdout, ran.stdout + ran.stderr


def test_lanes_by_folder_and_by_the_first_lines_of_a_module(tmp_path: Path) -> None:
    tests = PROJECT / "tests"
    assert folder_lane(tests / "learning" / "test_model.py") == "model"
    assert folder_lane(tests / "runtime") == "ray"
    assert folder_lane(tests / "costs" / "test_costs.py") is None
    assert is_heavy_module(tests / "costs" / "test_costs.py")
    assert is_heavy_module(tests / "watch" / "test_page.py")  # a list of marks
    assert not is_heavy_module(tests / "fleet" / "test_fleet.py")  # one of its tests is heavy

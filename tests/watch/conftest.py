"""The live page's server as a process of its own."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest


@pytest.fixture
def watching() -> Iterator[Callable[..., str]]:
    """Starts `fedray watch` with some words on any free port; the address that it prints."""
    servers = []

    def start(*words: object) -> str:
        command = [sys.executable, "-m", "fedray", "watch", *map(str, words), "--port", "0"]
        servers.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        said = servers[-1].stdout.readline()
        found = re.search(r"http://\S+", said)
        assert found, said + servers[-1].stderr.read()
        return found[0]

    yield start
    for server in servers:
        server.terminate()
        server.communicate(timeout=30)

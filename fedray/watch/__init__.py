"""Runs while they go on: their directories read as they grow, shown by a small server or in the terminal."""

from fedray.watch.run_index import RunIndex
from fedray.watch.run_reader import RunReader
from fedray.watch.server import serve
from fedray.watch.terminal import show

__all__ = ["RunIndex", "RunReader", "serve", "show"]

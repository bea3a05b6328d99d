"""Runs while they go on: their directories read as they grow, shown by a small server or in the terminal."""

from fedray.watch.following import Follower
from fedray.watch.gallery import Gallery
from fedray.watch.server import serve
from fedray.watch.terminal import show

__all__ = ["Follower", "Gallery", "serve", "show"]

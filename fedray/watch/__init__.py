"""The live page: run directories read while they grow, and a small server that shows them."""

from fedray.watch.following import Follower
from fedray.watch.gallery import Gallery
from fedray.watch.server import serve

__all__ = ["Follower", "Gallery", "serve"]

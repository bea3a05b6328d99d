"""How bytes reach a device: one file per kind of link, which holds its section of the scenario and its behaviour."""

from fedray.environment.links.base import Links, LinkSection, Mbps
from fedray.environment.links.direction import LinkDirection, OffsetTrace
from fedray.environment.links.registry import LINKS, Link
from fedray.environment.links.steady import DrawnLink, SteadyLink
from fedray.environment.links.timed import TimedLinks
from fedray.environment.links.wifi import WifiLink

__all__ = [
    "LINKS",
    "DrawnLink",
    "Link",
    "LinkDirection",
    "LinkSection",
    "Links",
    "Mbps",
    "OffsetTrace",
    "SteadyLink",
    "TimedLinks",
    "WifiLink",
]

"""All kinds of links: a new one is a file, a test, and a line here."""

from collections.abc import Mapping
from typing import Annotated

from fedray.environment.links.base import LinkSection
from fedray.environment.links.constant import ConstantLink
from fedray.environment.links.lognormal import LogNormalLink
from fedray.environment.links.markov import MarkovLink
from fedray.environment.links.trace import TraceLink
from fedray.environment.links.uniform import UniformLink
from fedray.environment.links.wifi import WifiLink
from fedray.sections import OneOf

LINKS: Mapping[str, type[LinkSection]] = {
    "constant": ConstantLink,
    "uniform": UniformLink,
    "lognormal": LogNormalLink,
    "wifi": WifiLink,
    "markov": MarkovLink,
    "trace": TraceLink,
}
Link = Annotated[LinkSection, OneOf(LINKS)]

"""How bytes reach a device: bandwidth of a group of devices in one round."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedray.scenario.schema import ConstantLink, Link, UniformLink, WifiLink
from fedray.seeds import Purpose, generator

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LinkConditions:
    """One round's links, Mb/s (1e6 bits) and seconds, each of shape (devices,)."""

    down_mbps: Floats
    up_mbps: Floats
    latency_seconds: Floats


def link_conditions(link: Link, seed: int, group: int, count: int, round_: int) -> LinkConditions:
    """The links of the `count` devices of fleet group `group` in a round; device i takes the i-th draw."""
    if isinstance(link, ConstantLink):
        down, up = np.full(count, link.down_mbps), np.full(count, link.up_mbps)
    elif isinstance(link, UniformLink):
        draws = generator(seed, Purpose.LINK, round_, group).uniform(link.low_mbps, link.high_mbps, (count, 2))
        down, up = draws[:, 0], draws[:, 1]
    else:
        draws = generator(seed, Purpose.LINK, round_, group).standard_normal((count, 2))
        mean = _wifi_mean_mbps(link, seed, group, count)
        varied = np.clip(mean[:, None] * np.exp(link.spread * draws), link.low_mbps, link.high_mbps)
        down, up = varied[:, 0], varied[:, 1]
    return LinkConditions(down, up, np.full(count, link.latency_ms / 1000))


def declared_mbps(link: Link) -> float:
    """What a server would assume of such a link before it has measured anything."""
    if isinstance(link, ConstantLink):
        return min(link.down_mbps, link.up_mbps)
    return (link.low_mbps + link.high_mbps) / 2


def _wifi_mean_mbps(link: WifiLink, seed: int, group: int, count: int) -> Floats:
    distances = np.asarray(link.distances_m)
    # equal numbers at each distance, shuffled, so that no place is missed by chance
    places = generator(seed, Purpose.PLACE, 0, group).permutation(np.arange(count) % len(distances))
    reach = np.ptp(distances)
    nearness = 1 - (distances - distances.min()) / reach if reach else np.ones(len(distances))
    mean: Floats = (link.low_mbps + nearness * (link.high_mbps - link.low_mbps))[places]
    return mean

"""How accuracy is spread over the devices of a fleet."""

from collections.abc import Sequence
from math import ceil

import numpy as np

from fedray.arrays import Floats
from fedray.results.records import DeviceAccuracy


def summarise_devices(accuracies: Floats, profiles: Sequence[str]) -> DeviceAccuracy | None:
    """Mean, worst decile and mean by profile of the devices that have an accuracy, (devices,); None if none has.

    The worst decile is the mean of the lowest tenth, rounded up to whole devices.
    """
    known = ~np.isnan(accuracies)
    if not known.any():
        return None
    ascending = np.sort(accuracies[known])
    names = np.array(profiles)[known]
    return DeviceAccuracy(
        mean=float(ascending.mean()),
        worst_decile=float(ascending[: ceil(len(ascending) / 10)].mean()),
        by_profile={str(name): float(accuracies[known][names == name].mean()) for name in np.unique(names)},
    )

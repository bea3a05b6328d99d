"""What a device sends in place of what it has trained, for studies of robustness."""

import numpy as np

from fedray.arrays import Values
from fedray.scenario.schema import Corruption


def corrupted(corruption: Corruption, received: Values, trained: Values) -> Values:
    """The values sent by a device that received and trained these, all (floats,)."""
    if corruption.kind == "nan":
        return np.full_like(trained, np.nan)
    if corruption.kind == "stale":
        return received
    times = -1.0 if corruption.kind == "sign-flipped" else corruption.factor
    return (received + np.float32(times) * (trained - received)).astype(np.float32)

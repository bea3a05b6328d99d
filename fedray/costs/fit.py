"""Fitting a board's throughput and per-step overhead to measured step times."""

from dataclasses import dataclass

import numpy as np

from fedray.protocol import Floats


@dataclass(frozen=True)
class ThroughputFit:
    """seconds = flops / flops_per_second + overhead_seconds."""

    flops_per_second: float
    overhead_seconds: float

    def seconds(self, flops: Floats) -> Floats:
        return flops / self.flops_per_second + self.overhead_seconds


def fit_throughput(flops: Floats, seconds: Floats) -> ThroughputFit:
    """Least squares of the relative error, with the overhead kept non-negative.

    flops and seconds have shape (measurements,); at least two measurements.
    """
    columns = np.stack([flops, np.ones_like(flops)], axis=1) / seconds[:, None]
    slope, overhead = np.linalg.lstsq(columns, np.ones_like(seconds), rcond=None)[0]
    if overhead < 0:
        ratio = flops / seconds
        slope, overhead = ratio.sum() / (ratio**2).sum(), 0.0
    return ThroughputFit(1 / float(slope), float(overhead))

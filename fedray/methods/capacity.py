"""Estimating what devices can do from what they reported (LEGEND, arXiv 2412.20004)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fedray.arrays import Floats
from fedray.costs import Pricing, Work, transfer_seconds
from fedray.costs.kernels import layer_forward_flops
from fedray.protocol import DeviceReport, View

COLUMNS = ("layer_seconds", "down_mbps", "up_mbps")


class CapacityEstimate:
    """Moving averages per device: x <- rho * x + (1 - rho) * measured; the first measurement is taken as it is.

    Before a device's first report its declared board and link stand in.
    """

    def __init__(self, pricing: Pricing, devices: int, rho: float) -> None:
        self.layer_flops = layer_forward_flops(pricing.shape, pricing.batch_size, pricing.sequence_length)
        self.rho = rho
        self.averages = {column: np.full(devices, np.nan) for column in COLUMNS}

    def observe(self, reports: Sequence[DeviceReport]) -> None:
        devices = np.array([report.device for report in reports], np.int64)
        for column, average in self.averages.items():
            measured = np.array([getattr(report, column) for report in reports])
            known = average[devices]
            average[devices] = np.where(np.isnan(known), measured, self.rho * known + (1 - self.rho) * measured)

    def layer_seconds(self, view: View) -> Floats:
        """Seconds of one layer's forward pass in one local step, (participants,)."""
        return self._or_declared("layer_seconds", view, self.layer_flops / view.declared_flops_per_second)

    def down_mbps(self, view: View) -> Floats:
        return self._or_declared("down_mbps", view, view.declared_mbps)

    def up_mbps(self, view: View) -> Floats:
        return self._or_declared("up_mbps", view, view.declared_mbps)

    def round_seconds(self, works: Sequence[Work], view: View) -> Floats:
        """Seconds of each participant's own work, (participants,): computing, and a transfer each way."""
        return self._seconds(works, self.layer_seconds(view), self.down_mbps(view), self.up_mbps(view), 1)

    def seconds_of_choices(self, works: Sequence[Work], view: View, inner_rounds: int = 1) -> Floats:
        """Seconds of every participant's round if it did each of the works, (participants, works).

        The transfers happen `inner_rounds` times.
        """
        layer, down, up = self.layer_seconds(view), self.down_mbps(view), self.up_mbps(view)
        return self._seconds(works, layer[:, None], down[:, None], up[:, None], inner_rounds)

    @staticmethod
    def _seconds(works: Sequence[Work], layer_seconds: Floats, down: Floats, up: Floats, transfers: int) -> Floats:
        passes = np.array([work.layer_passes for work in works])
        received = transfers * np.array([work.download_bytes for work in works])
        sent = transfers * np.array([work.upload_bytes for work in works])
        computing: Floats = layer_seconds * passes
        return computing + transfer_seconds(received, down) + transfer_seconds(sent, up)

    def _or_declared(self, column: str, view: View, declared: Floats) -> Floats:
        known = self.averages[column][view.devices]
        return np.where(np.isnan(known), declared, known)

    def state_dict(self) -> dict[str, Any]:
        return {column: [None if np.isnan(x) else x for x in row.tolist()] for column, row in self.averages.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.averages = {column: np.array(state[column], dtype=np.float64) for column in COLUMNS}

"""Finished runs as OpenMetrics text whose time is emulated time."""

from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric as Family
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.registry import Collector

from fedray.telemetry.families import families
from fedray.telemetry.snapshot import Snapshot


class _History(Collector):
    def __init__(self, snapshots: Sequence[tuple[Snapshot, float]]) -> None:
        self.snapshots = snapshots

    def collect(self) -> Iterable[Family]:
        return families(self.snapshots)


def openmetrics(snapshots: Sequence[tuple[Snapshot, float]]) -> str:
    """The text that `promtool tsdb create-blocks-from openmetrics` loads; times in seconds since 1970."""
    registry = CollectorRegistry()
    registry.register(_History(snapshots))
    text: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]
    return text.decode()

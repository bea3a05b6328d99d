"""Declared metrics as prometheus-client's families, of one moment or of many."""

from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.core import Metric as Family

from fedray.telemetry.metrics import METRICS, Labels, Snapshot

FAMILIES = {"gauge": GaugeMetricFamily, "counter": CounterMetricFamily}


def families(snapshots: Sequence[tuple[Snapshot, float | None]]) -> Iterator[Family]:
    """Every declared metric with the samples of snapshots and their times (seconds since 1970, or None: now).

    Series are labelled with run and method; the samples of each stand together, in the order given.
    """
    for metric in METRICS:
        family = FAMILIES[metric.kind](metric.name, metric.help, labels=("run", "method", *metric.labels))
        series: dict[Labels, list[tuple[float, float | None]]] = {}
        for snapshot, at in snapshots:
            for labels, value in metric.read(snapshot):
                series.setdefault((snapshot.run, snapshot.method, *labels), []).append((value, at))
        for labels, samples in series.items():
            for value, at in samples:
                family.add_metric(labels, value, timestamp=at)
        yield family

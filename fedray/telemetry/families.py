"""Declared metrics as prometheus-client's families, of one snapshot or of many."""

from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family

from fedray.telemetry.metrics import METRICS, Labels, Value
from fedray.telemetry.snapshot import BOUNDS, Histogram, Snapshot

FAMILIES = {"gauge": GaugeMetricFamily, "counter": CounterMetricFamily, "histogram": HistogramMetricFamily}
EDGES = (*(str(bound) for bound in BOUNDS), "+Inf")


def families(snapshots: Sequence[tuple[Snapshot, float | None]]) -> Iterator[Family]:
    """Every declared metric with the samples of snapshots and their times (seconds since 1970, or None: now).

    Series are labelled with run and method; the samples of each stand together, in the order given.
    """
    for metric in METRICS:
        family = FAMILIES[metric.kind](metric.name, metric.help, labels=("run", "method", *metric.labels))
        series: dict[Labels, list[tuple[Value, float | None]]] = {}
        for snapshot, at in snapshots:
            for labels, value in metric.read(snapshot):
                series.setdefault((snapshot.run, snapshot.method, *labels), []).append((value, at))
        for labels, samples in series.items():
            for value, at in samples:
                if isinstance(value, Histogram):
                    buckets = list(zip(EDGES, accumulate(value.counts), strict=True))
                    family.add_metric(labels, buckets, value.total, timestamp=at)
                else:
                    family.add_metric(labels, value, timestamp=at)
        yield family

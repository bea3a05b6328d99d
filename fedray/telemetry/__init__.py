"""What others can watch: metrics declared in one place, and the endpoint that serves them."""

from fedray.telemetry.exporter import Exporter
from fedray.telemetry.metrics import METRICS, Metric
from fedray.telemetry.openmetrics import openmetrics
from fedray.telemetry.snapshot import Live, Snapshot

__all__ = ["METRICS", "Exporter", "Live", "Metric", "Snapshot", "openmetrics"]

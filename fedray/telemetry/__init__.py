"""What others can watch: metrics declared in one place, and the endpoint that serves them."""

from fedray.telemetry.exporter import Exporter
from fedray.telemetry.metrics import METRICS, Metric, Snapshot
from fedray.telemetry.openmetrics import openmetrics

__all__ = ["METRICS", "Exporter", "Metric", "Snapshot", "openmetrics"]

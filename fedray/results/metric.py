"""The primary metric of an evaluation."""

from collections.abc import Mapping
from dataclasses import dataclass

ACCURACY = "accuracy"


@dataclass(frozen=True)
class MetricValue:
    """A metric by name, and its value; higher is better."""

    name: str
    value: float


def primary_metric(metrics: Mapping[str, float], accuracy: float | None) -> MetricValue | None:
    """The first of `metrics`, or the accuracy in runs from before there were metrics; None without evaluation."""
    for name, value in metrics.items():
        return MetricValue(name, value)
    return None if accuracy is None else MetricValue(ACCURACY, accuracy)

"""A run's metrics while it goes on."""

from collections.abc import Callable, Mapping, Sequence

from fedray.results import RoundRecord, RunDirectory, TrainedDeviceRecord
from fedray.runtime.run_metrics import RunMetrics
from fedray.scenario.schema import Scenario
from fedray.telemetry import Exporter, Live


class MetricsPublisher:
    """Responsibilities: serve a run's metrics and keep them up to date, if the scenario wants it."""

    def __init__(self, scenario: Scenario, live: Callable[[], Live]) -> None:
        """UserError if the port cannot be had."""
        self.scenario = scenario
        port, bind = scenario.telemetry.prometheus_port, scenario.telemetry.prometheus_bind
        self.exporter = Exporter(port, bind, live) if port is not None else None

    @property
    def url(self) -> str | None:
        return self.exporter.url if self.exporter else None

    def begin(self, directory: RunDirectory, completed: int) -> None:
        """Go on from the rounds that a run directory holds."""
        if self.exporter:
            self.metrics = RunMetrics(directory.run_id, self.scenario, directory.shards())
            for record, lines in directory.rounds_with_devices() if completed else ():
                self.metrics.add(record, lines)
            self.exporter.publish(self.metrics.snapshot({}))

    def publish(
        self, record: RoundRecord, lines: Sequence[TrainedDeviceRecord], coordinator_seconds: Mapping[str, float]
    ) -> None:
        """Another round is complete."""
        if self.exporter:
            self.metrics.add(record, lines)
            self.exporter.publish(self.metrics.snapshot(coordinator_seconds))

    def close(self) -> None:
        if self.exporter:
            self.exporter.close()

"""A run's metrics while it goes on."""

from collections.abc import Mapping

from fedray.experiment.experiment import Experiment
from fedray.results import Progress, RoundRecord, RunDirectory
from fedray.results.round_devices import TrainedDevices
from fedray.runtime.run_metrics import RunMetrics
from fedray.telemetry import Exporter, Live


class MetricsPublisher:
    """Responsibilities: serve a run's metrics and keep them up to date, if the scenario wants it."""

    def __init__(self, experiment: Experiment, run_id: str) -> None:
        """UserError if the port cannot be had."""
        telemetry = experiment.scenario.telemetry
        self.live = Live(0, 0, 0)
        self.exporter: Exporter | None = None
        if telemetry.prometheus_port is not None:
            self.exporter = Exporter(telemetry.prometheus_port, telemetry.prometheus_bind, lambda: self.live)
            rows = experiment.label_histograms.tolist() if experiment.data is not None else ()
            self.metrics = RunMetrics(run_id, experiment.scenario, dict(enumerate(rows)))

    @property
    def url(self) -> str | None:
        return self.exporter.url if self.exporter else None

    def begin(self, directory: RunDirectory, completed: int) -> None:
        """Go on from the rounds that a run directory holds."""
        if self.exporter:
            for record, trained in directory.rounds_with_devices() if completed else ():
                self.metrics.add(record, trained)
            self.exporter.publish(self.metrics.snapshot({}))

    def progressed(self, progress: Progress) -> None:
        """The current round has progressed."""
        self.live = Live(progress.trained, progress.planned, progress.hosts_lost)

    def publish(self, record: RoundRecord, trained: TrainedDevices, coordinator_seconds: Mapping[str, float]) -> None:
        """Another round is complete."""
        if self.exporter:
            self.metrics.add(record, trained)
            self.exporter.publish(self.metrics.snapshot(coordinator_seconds))

    def close(self) -> None:
        if self.exporter:
            self.exporter.close()

"""What Prometheus would read."""

import shutil
import subprocess
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fedray.errors import UserError
from fedray.telemetry import METRICS, Exporter, Snapshot

SNAPSHOT = Snapshot(
    run="quick-1",
    method="legend",
    round=3,
    rounds=10,
    accuracy=0.5,
    loss=1.25,
    emulated_seconds=120.0,
    round_seconds=40.0,
    mean_waiting_seconds=7.0,
    bytes_up=1000,
    bytes_down=2000,
    energy_joules=55.5,
    participants=8,
    dropped=1,
    rejected=2,
    mean_depth=4.5,
    mean_rank=8.0,
    devices_by_profile={"jetson-tx2": 5, "jetson-agx-xavier": 3},
)


@pytest.fixture
def exporter():
    exporter = Exporter(0, "127.0.0.1")
    yield exporter
    exporter.close()


def scrape(exporter: Exporter) -> str:
    with urllib.request.urlopen(exporter.url) as answer:
        return answer.read().decode()


def test_every_declared_metric_is_served_with_its_value(exporter) -> None:
    """Oracle: prometheus-client's own parser."""
    exporter.publish(SNAPSHOT)
    families = {family.name: family for family in text_string_to_metric_families(scrape(exporter))}
    assert set(families) == {metric.name for metric in METRICS}
    samples = {
        (
            sample.name,
            *(value for key, value in sorted(sample.labels.items()) if key not in ("run", "method")),
        ): sample.value
        for family in families.values()
        for sample in family.samples
    }
    assert samples["fedray_accuracy_ratio",] == 0.5
    assert samples["fedray_traffic_bytes_total", "up"] == 1000
    assert samples["fedray_traffic_bytes_total", "down"] == 2000
    assert samples["fedray_devices", "jetson-tx2"] == 5
    assert samples["fedray_updates_rejected_total",] == 2
    labels = families["fedray_round"].samples[0].labels
    assert labels == {"run": "quick-1", "method": "legend"}


def test_nothing_but_our_metrics_and_no_created_series(exporter) -> None:
    exporter.publish(SNAPSHOT)
    names = {line.split("{")[0] for line in scrape(exporter).splitlines() if not line.startswith("#")}
    assert all(name.startswith("fedray_") for name in names)
    assert not any(name.endswith("_created") for name in names)


def test_before_the_first_round_there_is_nothing_to_see(exporter) -> None:
    assert scrape(exporter).strip() == ""


def test_a_value_that_is_not_known_yet_is_absent(exporter) -> None:
    from dataclasses import replace

    exporter.publish(replace(SNAPSHOT, accuracy=None))
    assert "fedray_accuracy_ratio{" not in scrape(exporter)


def test_a_port_in_use_is_one_plain_error(exporter) -> None:
    port = int(exporter.url.rsplit(":", 1)[1].split("/")[0])
    with pytest.raises(UserError, match="prometheus_port"):
        Exporter(port, "127.0.0.1")


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool (Debian package prometheus)")
def test_prometheus_own_linter_is_content(exporter) -> None:
    exporter.publish(SNAPSHOT)
    checked = subprocess.run(["promtool", "check", "metrics"], input=scrape(exporter), capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr

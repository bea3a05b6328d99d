"""What Prometheus would read."""

import contextlib
import json
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fedray.errors import UserError
from fedray.telemetry import METRICS, Exporter, Live, Snapshot
from fedray.telemetry.snapshot import BOUNDS, DeviceSeries, GroupSeries, Histogram, ProfileSeries

COMPUTE = Histogram((0, 2, *[0] * (len(BOUNDS) - 2), 1), 12_345.5)  # two at 0.2 s at most, one above all bounds
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
    participants=8,
    dropped_by={"late": 2, "out of memory": 1},
    wasted_seconds=7.5,
    wasted_joules=60.0,
    wasted_bytes=900,
    rejected_by={"not-finite": 2},
    mean_depth=4.5,
    mean_rank=8.0,
    profiles=(
        ProfileSeries("jetson-tx2", {"compute": COMPUTE}, 600, 2000, 40.5, 5, 3.0, 8.0),
        ProfileSeries("jetson-agx-xavier", {}, 400, 0, 15.0, 3, 6.0, 8.0),
    ),
    groups=1,
    group_series=(GroupSeries(0, 8, 2, None),),
    devices=(DeviceSeries(7, "jetson-tx2", "late", 3, 8.0, 33.0, 7.0, 0.25, 9.5, None),),
    coordinator_seconds={"training": 12.5},
    dilation=2.0,
    overloads=1,
)


@pytest.fixture
def exporter():
    exporter = Exporter(0, "127.0.0.1", lambda: Live(trained=3, planned=8, hosts_lost=1))
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
    assert samples["fedray_traffic_bytes_total", "up", "jetson-tx2"] == 600
    assert samples["fedray_traffic_bytes_total", "down", "jetson-tx2"] == 2000
    assert samples["fedray_devices", "jetson-tx2"] == 5
    assert samples["fedray_updates_rejected_total", "not-finite"] == 2
    assert samples["fedray_energy_joules_total", "jetson-agx-xavier"] == 15
    assert samples["fedray_phase_seconds_bucket", "0.1", "compute", "jetson-tx2"] == 0
    assert samples["fedray_phase_seconds_bucket", "0.2", "compute", "jetson-tx2"] == 2
    assert samples["fedray_phase_seconds_bucket", "10000.0", "compute", "jetson-tx2"] == 2
    assert samples["fedray_phase_seconds_bucket", "+Inf", "compute", "jetson-tx2"] == 3
    assert samples["fedray_phase_seconds_sum", "compute", "jetson-tx2"] == 12_345.5
    assert samples["fedray_device_memory_ratio", "7", "jetson-tx2"] == 0.25
    assert samples["fedray_device_outcome", "7", "jetson-tx2"] == 2
    assert samples["fedray_group_inner_rounds", "0"] == 2
    assert samples["fedray_coordinator_seconds_total", "training"] == 12.5
    assert (samples["fedray_trainings_done",], samples["fedray_trainings_planned",]) == (3, 8)
    assert samples["fedray_hosts_lost_total",] == 1
    assert samples["fedray_devices_dropped_total", "late"] == 2
    assert samples["fedray_wasted_joules_total",] == 60
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
    text = scrape(exporter)
    assert "fedray_accuracy_ratio{" not in text
    assert "fedray_device_loss{" not in text
    assert "fedray_group_label_divergence_nats{" not in text


def test_a_port_in_use_is_one_plain_error(exporter) -> None:
    port = int(exporter.url.rsplit(":", 1)[1].split("/")[0])
    with pytest.raises(UserError, match="prometheus_port"):
        Exporter(port, "127.0.0.1", lambda: Live(0, 0, 0))
    for nowhere in ("192.0.2.77", "nowhere.invalid"):
        with pytest.raises(UserError, match=f"prometheus_bind: cannot serve on {nowhere}"):
            Exporter(0, nowhere, lambda: Live(0, 0, 0))


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool (Debian package prometheus)")
def test_prometheus_own_linter_is_content(exporter) -> None:
    exporter.publish(SNAPSHOT)
    checked = subprocess.run(["promtool", "check", "metrics"], input=scrape(exporter), capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("prometheus") is None, reason="needs prometheus (Debian package prometheus)")
def test_a_real_prometheus_scrapes_and_answers(exporter, tmp_path: Path) -> None:
    exporter.publish(SNAPSHOT)
    target = exporter.url.removeprefix("http://").removesuffix("/metrics")
    config = tmp_path / "prometheus.yml"
    config.write_text(
        f"scrape_configs: [{{job_name: fedray, scrape_interval: 1s, static_configs: [{{targets: ['{target}']}}]}}]\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'data'}"]
    server = subprocess.Popen([*command, f"--web.listen-address={address}"], stderr=subprocess.DEVNULL)
    try:
        query = (
            f'http://{address}/api/v1/query?query=sum(fedray_traffic_bytes_total{{direction="down"}})by(run)'.replace(
                '"', "%22"
            )
        )
        answer: list[dict] = []
        deadline = time.monotonic() + 60
        while not answer and time.monotonic() < deadline:
            time.sleep(0.5)
            with contextlib.suppress(OSError), urllib.request.urlopen(query) as response:
                answer = json.load(response)["data"]["result"]
        assert answer[0]["value"][1] == "2000"
        assert answer[0]["metric"]["run"] == "quick-1"
    finally:
        server.terminate()
        server.wait()

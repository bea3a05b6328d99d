"""Finished runs as OpenMetrics text: read by prometheus-client, loaded and queried by a real Prometheus."""

import contextlib
import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections import defaultdict
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from urllib.parse import urlencode

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from fedray.results import RunDirectory
from tests.analysis.pages import a_device, a_round, a_run

NEW_YEAR = 946_684_800  # 2000-01-01 UTC


def test_every_round_is_a_moment_of_emulated_time(fedray, tmp_path: Path) -> None:
    """Two runs in one file; the oracle is prometheus-client's own parser."""
    for name, devices in (("first", 8), ("second", 4)):
        a_run(tmp_path / name, devices=[a_device(number) for number in range(devices)])
    out = tmp_path / "runs.txt"
    done = fedray("export", tmp_path / "first", tmp_path / "second", "--openmetrics", out)
    assert done.code == 0, done.err
    assert "promtool tsdb create-blocks-from openmetrics" in done.out
    # the parser takes buckets of a second time for those of the first again; a real Prometheus reads them below
    text = "".join(line for line in out.read_text().splitlines(keepends=True) if "fedray_phase_seconds" not in line)
    found = {family.name: family.samples for family in text_string_to_metric_families(text)}
    for name in ("first", "second"):
        records = RunDirectory(tmp_path / name).rounds()
        rounds = [s for s in found["fedray_round"] if s.labels["run"] == name]
        assert [sample.value for sample in rounds] == [1, 2, 3]
        times = [float(sample.timestamp) - NEW_YEAR for sample in rounds]
        assert times == pytest.approx([record.emulated_seconds for record in records], abs=1e-5)
        sent = defaultdict(float)
        for sample in found["fedray_traffic_bytes"]:
            if (sample.labels["run"], sample.labels["direction"]) == (name, "up"):
                sent[float(sample.timestamp)] += sample.value
        assert list(sent.values()) == list(accumulate(record.bytes_up for record in records))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs prometheus (Debian package prometheus)")
def test_a_real_prometheus_knows_what_the_summary_says(run, fedray, tmp_path: Path) -> None:
    summary = run("training.rounds=2", "telemetry={}")
    out, data = tmp_path / "run.txt", tmp_path / "data"
    assert fedray("export", tmp_path / "run", "--openmetrics", out).code == 0
    load = ["promtool", "tsdb", "create-blocks-from", "openmetrics", out, data]
    loaded = subprocess.run(load, capture_output=True, text=True)
    assert loaded.returncode == 0, loaded.stderr
    (tmp_path / "prometheus.yml").write_text("{}")
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = ["prometheus", f"--config.file={tmp_path / 'prometheus.yml'}", f"--storage.tsdb.path={data}"]
    keep = "--storage.tsdb.retention.time=100y"
    server = subprocess.Popen([*command, keep, f"--web.listen-address={address}"], stderr=subprocess.DEVNULL)
    try:

        def ask(query: str) -> float:
            words = urlencode({"query": query, "time": NEW_YEAR + summary.emulated_seconds + 1})
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                url = f"http://{address}/api/v1/query?{words}"
                with contextlib.suppress(OSError), urllib.request.urlopen(url) as response:
                    return float(json.load(response)["data"]["result"][0]["value"][1])
                time.sleep(0.5)
            raise TimeoutError

        assert ask("fedray_accuracy_ratio") == summary.final_accuracy
        assert ask('sum(fedray_traffic_bytes_total{direction="up"})') == summary.bytes_up
        assert ask('sum(fedray_traffic_bytes_total{direction="down"})') == summary.bytes_down
        assert ask("fedray_emulated_seconds") == summary.emulated_seconds
        trained = sum(int(one.devices.finished.sum()) for one in RunDirectory(tmp_path / "run").devices())
        assert ask('sum(fedray_phase_seconds_count{phase="compute"})') == trained
    finally:
        server.terminate()
        server.wait()


def test_a_run_that_learned_nothing_claims_no_accuracy(fedray, tmp_path: Path) -> None:
    a_run(tmp_path / "run", rounds=[replace(a_round(1, 8), accuracy=None, loss=None)])
    assert fedray("export", tmp_path / "run", "--openmetrics", tmp_path / "out.txt").code == 0
    assert "fedray_accuracy_ratio{" not in (tmp_path / "out.txt").read_text()


def test_what_cannot_be_exported_is_said_and_nothing_written(fedray, tmp_path: Path) -> None:
    a_run(tmp_path / "one" / "same")
    out = tmp_path / "out.txt"
    (tmp_path / "two").mkdir()
    shutil.copytree(tmp_path / "one" / "same", tmp_path / "two" / "same")
    for words, said in (
        ([tmp_path / "nowhere"], "nowhere"),
        ([tmp_path / "one" / "same", tmp_path / "two" / "same"], "two runs are called same"),
    ):
        refused = fedray("export", *words, "--openmetrics", out)
        assert refused.code == 2
        assert said in refused.err
        assert not out.exists()
    folder = fedray("export", tmp_path / "one" / "same", "--openmetrics", tmp_path)
    assert folder.code == 2
    assert "this is a folder" in folder.err

"""Rules and the monitoring stack, as Prometheus' own tools and the containers see them."""

import shutil
import subprocess

import pytest
import yaml

from tests.conftest import PROJECT
from tests.dashboards.expressions import FOLDER, RULES

MONITORING = PROJECT / "cluster" / "monitoring"
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs promtool (Debian package prometheus)"
)


def promtool(*words: object) -> None:
    done = subprocess.run(["promtool", *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_rules_are_sound() -> None:
    promtool("check", "rules", *RULES)


@needs_promtool
def test_rules_do_what_their_tests_say() -> None:
    promtool("test", "rules", *sorted(FOLDER.glob("rules/*_test.yaml")))


@needs_promtool
def test_the_configuration_is_sound() -> None:
    promtool("check", "config", MONITORING / "prometheus.yml")


def test_every_alert_is_tested_both_ways() -> None:
    tests = yaml.safe_load((FOLDER / "rules" / "alerts_test.yaml").read_text())["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    rules = [rule for group in yaml.safe_load(RULES[1].read_text())["groups"] for rule in group["rules"]]
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == {rule["alert"] for rule in rules}
    for rule in rules:
        assert rule["labels"]["severity"] in ("info", "warning", "critical")
        assert set(rule["annotations"]) == {"summary", "description"}


def test_grafana_is_shut_to_strangers() -> None:
    grafana = yaml.safe_load((MONITORING / "compose.yaml").read_text())["services"]["grafana"]
    said = grafana["environment"]
    assert said["GF_SECURITY_ADMIN_PASSWORD"].startswith("${FEDRAY_GRAFANA_PASSWORD:?")
    assert said["GF_AUTH_ANONYMOUS_ENABLED"] == "false"
    assert said["GF_USERS_ALLOW_SIGN_UP"] == "false"
    assert said["GF_ANALYTICS_REPORTING_ENABLED"] == "false"


def test_both_servers_listen_on_loopback_only_and_cannot_write_to_the_project() -> None:
    services = yaml.safe_load((MONITORING / "compose.yaml").read_text())["services"]
    assert services["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
    assert "--web.listen-address=127.0.0.1:9090" in services["prometheus"]["command"]
    for service in services.values():
        assert service["network_mode"] == "host"
        assert "ports" not in service
        assert service["image"].partition(":")[2] not in ("", "latest")
        mounts = [mount for mount in service["volumes"] if isinstance(mount, dict)]
        assert mounts
        assert all(mount["read_only"] for mount in mounts)


def test_what_the_containers_mount_lies_where_their_configuration_looks() -> None:
    services = yaml.safe_load((MONITORING / "compose.yaml").read_text())["services"]
    mounts = {
        (name, mount["target"]): (MONITORING / mount["source"]).resolve()
        for name, service in services.items()
        for mount in service["volumes"]
        if isinstance(mount, dict)
    }
    assert mounts["prometheus", "/etc/prometheus"] == MONITORING
    assert mounts["prometheus", "/dashboards/rules"] == FOLDER / "rules"  # ../../dashboards/rules of /etc/prometheus
    assert mounts["grafana", "/dashboards"] == FOLDER
    provisioning = mounts["grafana", "/etc/grafana/provisioning"]
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "fedray.yml").read_text())["providers"]
    assert provider["options"]["path"] == "/dashboards"
    (source,) = yaml.safe_load((provisioning / "datasources" / "fedray.yml").read_text())["datasources"]
    assert source["uid"] == "fedray-prom"

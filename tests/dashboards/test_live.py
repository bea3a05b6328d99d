"""Every expression of every dashboard and rule, asked of a real Prometheus that watched a real run on a real Ray."""

import re
import shutil

import pytest

from tests.dashboards.conftest import ROUNDS, WALL, Watched
from tests.dashboards.expressions import Asked, panel_expressions, panels, rule_expressions, variable_expressions

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="needs prometheus (Debian package prometheus)"),
]

# only a run under the wall clock has them: asked of a snapshot that is published beside the run
WALL_ONLY = ("fedray_dilation_ratio", "fedray_overloads_total")
# empty on a run that is well
ALERTS = [asked for asked in rule_expressions() if ":" not in asked.where]
ALERT_PANELS = ("health: Alerts A",)


def known(asked: Asked) -> str:
    return asked.where


def series_of(watched: Watched, asked: Asked) -> list[dict]:
    run = WALL.run if any(name in asked.expr for name in WALL_ONLY) else watched.run
    return watched.prometheus.ask("query", query=asked.concrete(run), time=watched.at)["result"]


@pytest.mark.parametrize(
    "asked",
    [asked for asked in panel_expressions() if asked.where not in ALERT_PANELS]
    + [asked for asked in rule_expressions() if ":" in asked.where]
    + variable_expressions(),
    ids=known,
)
def test_it_returns_data_for_the_run_with_the_labels_it_is_named_by(watched: Watched, asked: Asked) -> None:
    found = series_of(watched, asked)
    assert found
    assert all(series["value"][1] != "NaN" for series in found)
    for label in re.findall(r"\{\{(\w+)\}\}", asked.legend):
        assert all(series["metric"].get(label) for series in found), label


@pytest.mark.parametrize("asked", [asked for asked in panel_expressions() if asked.where in ALERT_PANELS], ids=known)
def test_the_panel_of_alerts_is_understood(watched: Watched, asked: Asked) -> None:
    series_of(watched, asked)


@pytest.mark.parametrize("asked", ALERTS, ids=known)
def test_alerts_are_understood_and_silent_while_a_run_learns(watched: Watched, asked: Asked) -> None:
    assert series_of(watched, asked) == []


def test_prometheus_itself_found_nothing_wrong_with_a_rule(watched: Watched) -> None:
    rules = [rule for group in watched.prometheus.ask("rules")["groups"] for rule in group["rules"]]
    assert {rule["name"] for rule in rules} == {asked.where for asked in rule_expressions()}
    assert all(rule["health"] == "ok" for rule in rules), [rule.get("lastError") for rule in rules]


def test_xy_charts_get_an_x_and_a_y_of_each_run_at_the_same_moments(watched: Watched) -> None:
    """What Grafana's merge needs: both sides come with run as their only label, at common times; x goes on."""
    charts = [panel for _, panel in panels() if panel["type"] == "xychart"]
    assert charts
    for chart in charts:
        x, y = (over_time(watched, target["expr"]) for target in chart["targets"])
        assert set(y) <= set(x)
        steps = [x[moment] for moment in sorted(y)]
        assert steps == sorted(steps)
        assert len(set(steps)) == ROUNDS


def over_time(watched: Watched, expr: str) -> dict[float, float]:
    words = {"query": Asked("", expr).concrete(watched.run), "start": watched.began, "end": watched.at, "step": 1}
    (series,) = watched.prometheus.ask("query_range", **words)["result"]
    assert series["metric"] == {"run": watched.run}
    return {moment: float(value) for moment, value in series["values"]}

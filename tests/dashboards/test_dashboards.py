"""The dashboards as files: fresh, well formed, and about metrics that exist."""

import json
import re

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.generate import DASHBOARDS, FOLDER, rendered
from fedray.telemetry import METRICS
from fedray.telemetry.snapshot import OUTCOMES
from tests.dashboards.expressions import (
    PAGES,
    exposed,
    panel_expressions,
    panels,
    rule_expressions,
    variable_expressions,
)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_no_file_is_stale(name: str) -> None:
    assert (FOLDER / name).read_text() == rendered(DASHBOARDS[name]()), "make dashboards"


def test_no_file_is_left_over() -> None:
    assert {path.name for path in FOLDER.glob("*.json")} == set(DASHBOARDS)


@pytest.mark.parametrize("page", PAGES)
def test_grafanas_own_model_reads_and_writes_it_unchanged(page: str) -> None:
    read = Dashboard.from_json(PAGES[page])
    assert json.loads(json.dumps(read, cls=JSONEncoder)) == PAGES[page]


@pytest.mark.parametrize("page", PAGES)
def test_every_dashboard_has_its_fixed_place_and_finds_the_others(page: str) -> None:
    content = PAGES[page]
    assert content["uid"] == f"fedray-{page}"
    assert content["tags"] == ["fedray"]
    (link,) = content["links"]
    assert (link["type"], link["tags"], link["includeVars"], link["keepTime"]) == ("dashboards", ["fedray"], True, True)
    variables = {one["name"]: one for one in content["templating"]["list"]}
    assert variables["datasource"]["current"]["value"] == "fedray-prom"
    assert variables["run"]["multi"]
    assert variables["run"]["includeAll"]
    assert variables["run"]["current"]["value"] == ["$__all"]
    assert variables["run"]["query"] == "label_values(fedray_round, run)"


@pytest.mark.parametrize(("page", "panel"), panels(), ids=lambda one: one if isinstance(one, str) else one["title"])
def test_every_panel_says_what_it_shows_and_in_which_unit(page: str, panel: dict) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    letters = [target["refId"] for target in panel["targets"]]
    assert letters
    assert len(set(letters)) == len(letters)


@pytest.mark.parametrize("page", PAGES)
def test_panels_neither_overlap_nor_leave_the_grid(page: str) -> None:
    numbers = [panel["id"] for panel in PAGES[page]["panels"]]
    assert len(set(numbers)) == len(numbers)
    taken: set[tuple[int, int]] = set()
    for panel in PAGES[page]["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in _rows(place)}
        assert not cells & taken, panel["title"]
        taken |= cells


def _rows(place: dict) -> range:
    return range(place["y"], place["y"] + place["h"])


@pytest.mark.parametrize(
    "asked", [*panel_expressions(), *variable_expressions(), *rule_expressions()], ids=lambda asked: asked.where
)
def test_only_declared_metrics_and_labels_are_used(asked) -> None:
    """The check for ray_* is the real Ray's endpoint, in test_live."""
    known = exposed()
    ours = [(name, labels) for name, labels in asked.selectors if not name.startswith("ray_")]
    for name, labels in ours:
        assert name in known
        assert labels <= known[name], name
    if len(ours) == len(asked.selectors) > 0:
        assert asked.kept <= set().union(*(known[name] for name, _ in ours))


def test_every_declared_metric_is_shown() -> None:
    shown = {name for asked in panel_expressions() for name, _ in asked.selectors}
    assert not [
        metric.name for metric in METRICS if not any(re.fullmatch(rf"{metric.name}(_\w+)?", name) for name in shown)
    ]


def test_every_recorded_series_is_used() -> None:
    recorded = {rule.where for rule in rule_expressions() if ":" in rule.where}
    used = {name for asked in [*panel_expressions(), *rule_expressions()] for name, _ in asked.selectors}
    assert recorded <= used


def test_outcomes_have_names_and_colours_of_their_own() -> None:
    (timeline,) = (panel for _, panel in panels() if panel["type"] == "state-timeline")
    (mapping,) = timeline["fieldConfig"]["defaults"]["mappings"]
    found = mapping["options"]
    assert [found[str(code)]["text"] for code in range(len(OUTCOMES))] == list(OUTCOMES)
    assert len({one["color"] for one in found.values()}) == len(OUTCOMES)


def test_panels_by_device_say_when_they_are_empty() -> None:
    for _, panel in panels():
        if any("fedray_device_" in target["expr"] for target in panel["targets"]):
            assert "telemetry.device_series" in panel["description"], panel["title"]


def test_xy_charts_are_taken_for_new_ones() -> None:
    """Without a version Grafana migrates the options from before 10.4 and throws the series away."""
    charts = [panel for _, panel in panels() if panel["type"] == "xychart"]
    assert len(charts) == 2
    for chart in charts:
        assert chart["pluginVersion"] == "12.1.0"
        assert [step["id"] for step in chart["transformations"]] == ["merge", "sortBy", "partitionByValues"]
        assert {target["format"] for target in chart["targets"]} == {"table"}

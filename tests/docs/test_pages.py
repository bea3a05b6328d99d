"""What the documentation says of the code holds: pages, links, parameters, and the generated reference."""

import re

import pytest
import yaml

from docs.generate.cli_page import cli_page
from docs.generate.devices_page import devices_page
from docs.generate.metrics_page import metrics_page
from docs.generate.records_page import results_page
from docs.generate.schema_page import scenario_page
from fedray.cli import COMMANDS
from fedray.methods import METHODS, scenario_schema
from fedray.results import RoundRecord, Summary
from fedray.telemetry.metrics import METRICS
from tests.conftest import PROJECT
from tests.docs.pages import DOCS

README = PROJECT / "README.md"


def pages_of(nav: str | list | dict) -> set[str]:
    """All files that a navigation names."""
    if isinstance(nav, str):
        return {nav}
    parts = nav.values() if isinstance(nav, dict) else nav
    return {page for part in parts for page in pages_of(part)}


def test_readme_is_short_and_its_links_lead_somewhere() -> None:
    text = README.read_text()
    assert len(text.splitlines()) <= 120
    targets = [target for target in re.findall(r"\]\(([^)#]+)", text) if not target.startswith("http")]
    assert len(targets) > 20
    assert not [target for target in targets if not (PROJECT / target).exists()]


def test_every_page_is_in_the_navigation() -> None:
    site = yaml.safe_load((PROJECT / "mkdocs.yml").read_text())
    generated = {f"reference/{name}.md" for name in ("scenario", "cli", "results", "metrics", "devices", "api")}
    written = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")}
    assert pages_of(site["nav"]) == written | generated


@pytest.mark.parametrize("name", METHODS)
def test_a_method_page_has_a_table_of_real_parameters(name: str) -> None:
    text = (DOCS / "methods" / f"{name}.md").read_text()
    table = text.partition("| the paper says | reconstructed | our parameter |\n|---|---|---|\n")[2].partition("\n\n")[
        0
    ]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()]
    assert rows
    assert {len(row) for row in rows} == {3}
    parameters = set(re.findall(r"`([^`]+)`", " ".join(row[2] for row in rows)))
    of_others = {"model.target_modules"}
    assert parameters <= set(METHODS[name].section.model_fields) | of_others


def test_scenario_page_has_every_key() -> None:
    schema = scenario_schema()
    text = scenario_page(schema)
    sections = [schema, *schema["$defs"].values(), *schema["properties"]["method"]["oneOf"]]
    assert not [key for section in sections for key in section["properties"] if f"| `{key}` |" not in text]
    anchors = re.findall(r"\{ #(\S+) \}", text)
    assert len(anchors) == len(set(anchors)) >= len(schema["$defs"])


def test_cli_page_has_every_command() -> None:
    text = cli_page()
    assert not [command.__name__ for command in COMMANDS if f"## fedray {command.__name__}\n" not in text]
    assert "`--set KEY=VALUE`" in text


def test_results_page_has_every_key() -> None:
    text = results_page()
    keys = [*RoundRecord.__dataclass_fields__, *Summary.__dataclass_fields__]
    assert not [key for key in keys if f"| `{key}` |" not in text]


def test_metrics_page_has_every_metric() -> None:
    text = metrics_page()
    assert not [metric.name for metric in METRICS if f"| `{metric.name}" not in text]
    assert "`fedray_traffic_bytes_total`" in text


def test_devices_page_names_sources() -> None:
    assert "jetson-tx2" in devices_page()
    assert "| `memory_gb` |" in devices_page()

"""Everything that Prometheus is asked by dashboards and rules, read from the files that others read, too."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

import yaml

from fedray.telemetry import METRICS
from tests.conftest import PROJECT

FOLDER = PROJECT / "dashboards"
RULES = (FOLDER / "rules" / "recording.yaml", FOLDER / "rules" / "alerts.yaml")
PAGES = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}


@dataclass(frozen=True)
class Asked:
    """An expression, where it stands, and what names the series that come back."""

    where: str
    expr: str
    legend: str = ""

    def concrete(self, run: str) -> str:
        """With Grafana's variables replaced, for one run."""
        values = {"run": run, "profile": ".*", "__rate_interval": "1m", "__range": "5m", "__interval": "5s"}
        return re.sub(r"\$(\w+)", lambda found: values[found[1]], self.expr)

    @property
    def selectors(self) -> list[tuple[str, set[str]]]:
        """Metrics and the labels that are matched of each."""
        found = re.findall(r"(?<![\w:])((?:run:)?(?:fedray|ray)_[\w:]*)(?:\{([^}]*)\})?", self.expr)
        return [(name, set(re.findall(r"(\w+)(?:=~|!=|!~|=)", matchers))) for name, matchers in found]

    @property
    def kept(self) -> set[str]:
        """Labels that it groups by or that name its series."""
        grouped = ",".join(re.findall(r"(?:by|on) \(([^)]*)\)", self.expr)).replace(" ", "").split(",")
        return {*filter(None, grouped), *re.findall(r"\{\{(\w+)\}\}", self.legend)}


def panels() -> list[tuple[str, dict]]:
    """All panels but the headings, each with its dashboard."""
    return [(page, panel) for page, content in PAGES.items() for panel in content["panels"] if panel["type"] != "row"]


def panel_expressions() -> list[Asked]:
    return [
        Asked(f"{page}: {panel['title']} {target['refId']}", target["expr"], target.get("legendFormat", ""))
        for page, panel in panels()
        for target in panel["targets"]
    ]


def variable_expressions() -> list[Asked]:
    """The series whose labels the variables list."""
    queries = {
        f"{page}: ${variable['name']}": variable["query"]
        for page, content in PAGES.items()
        for variable in content["templating"]["list"]
        if variable["type"] == "query"
    }
    return [
        Asked(where, *re.fullmatch(r"label_values\((.*), (\w+)\)", query).expand(r"\1|{{\2}}").split("|"))
        for where, query in queries.items()
    ]


def rule_expressions() -> list[Asked]:
    rules = [rule for path in RULES for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]
    return [Asked(rule.get("record") or rule["alert"], rule["expr"]) for rule in rules]


def exposed() -> Mapping[str, set[str]]:
    """Every series name that is declared or recorded, and its labels."""
    found: dict[str, set[str]] = {}
    for metric in METRICS:
        labels = {"run", "method", "job", "instance", *metric.labels}
        if metric.kind == "histogram":
            found |= {f"{metric.name}_{part}": labels for part in ("sum", "count")}
            found[f"{metric.name}_bucket"] = {*labels, "le"}
        else:
            found[metric.name + ("_total" if metric.kind == "counter" else "")] = labels
    return found | {rule.where: {"run", "method"} for rule in rule_expressions() if ":" in rule.where}

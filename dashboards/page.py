"""The frame of every dashboard: its variables, its links to the others, its rows."""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model

from dashboards.panels import SOURCE

TAG = "fedray"
DATASOURCE_UID = "fedray-prom"  # as in cluster/monitoring/grafana/datasources


@dataclass(frozen=True)
class Row:
    """Panels under a heading, from left to right."""

    title: str
    panels: Sequence[Builder[model.Panel]]


def page(title: str, uid: str, description: str, rows: Sequence[Row], by_profile: bool = False) -> model.Dashboard:
    """A dashboard of rows for chosen runs, and profiles where asked for; panels are numbered in their order."""
    dashboard = build.Dashboard(f"fedray / {title}").uid(uid).description(description).tags([TAG])
    dashboard.time("now-1h", "now").refresh("10s").tooltip(model.DashboardCursorSync.CROSSHAIR)
    dashboard.readonly()  # what is changed in the browser is lost with the next generation
    dashboard.with_variable(_source()).with_variable(_choice("run", "label_values(fedray_round, run)"))
    if by_profile:
        dashboard.with_variable(_choice("profile", 'label_values(fedray_devices{run=~"$run"}, profile)'))
    dashboard.link(
        build.DashboardLink(TAG)
        .type(model.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .include_vars(True)
        .keep_time(True)
        .icon("dashboard")
        .tooltip("The other dashboards, for the same runs and times")
    )
    number = 0
    for row in rows:
        number += 1
        dashboard.with_row(build.Row(row.title).id(number))
        for panel in row.panels:
            number += 1
            panel.build().id_val = number
            dashboard.with_panel(panel)
    return dashboard.build()


def _source() -> build.DatasourceVariable:
    current = model.VariableOption(selected=True, text=TAG, value=DATASOURCE_UID)
    return build.DatasourceVariable("datasource").label("Prometheus").type("prometheus").current(current)


def _choice(name: str, values: str) -> build.QueryVariable:
    """Several values of a label, all of them at first."""
    everything = model.VariableOption(selected=True, text=["All"], value=["$__all"])
    variable = build.QueryVariable(name).label(name.capitalize()).datasource(SOURCE).query(values).definition(values)
    variable.multi(True).include_all(True).all_value(".*").current(everything)
    return variable.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(model.VariableSort.NATURAL_ASC)

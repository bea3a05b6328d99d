"""The kinds of panels that dashboards are made of: queries, units, legends, looks."""

from collections.abc import Mapping
from dataclasses import dataclass
from string import ascii_uppercase
from typing import TypeVar

from grafana_foundation_sdk.builders import bargauge, common, heatmap, prometheus, stat, statetimeline, statushistory
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import table as tables
from grafana_foundation_sdk.builders import timeseries as series
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as looks
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import heatmap as heat
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards import colours

SOURCE = looks.DataSourceRef("prometheus", "${datasource}")

AnyPanel = Builder[model.Panel]
Panel = TypeVar(
    "Panel",
    bargauge.Panel,
    heatmap.Panel,
    series.Panel,
    stat.Panel,
    statetimeline.Panel,
    statushistory.Panel,
    tables.Panel,
)


@dataclass(frozen=True)
class Query:
    """An expression and how its series are called."""

    expr: str
    legend: str = "{{run}}"


@dataclass(frozen=True)
class PanelSpec:
    """What a panel says of itself, and its place: of 24 columns, and rows of some 30 pixels."""

    title: str
    description: str
    unit: str = units.Short
    width: int = 12
    height: int = 8


def lines(spec: PanelSpec, *queries: Query, tints: Mapping[str, str] | None = None) -> series.Panel:
    """Lines over time; `tints` colours every series whose name ends with a word."""
    panel = _dressed(series.Panel(), spec, [_ask(query) for query in queries])
    panel.legend(_legend()).tooltip(_tooltip()).line_width(2).fill_opacity(0).show_points(looks.VisibilityMode.AUTO)
    panel.span_nulls(True).color_scheme(colours.scheme(model.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
    for word, colour in (tints or {}).items():
        panel.override_by_regexp(f"/(^| ){word}$/", [colours.fixed(colour)])
    return panel


def stack(
    spec: PanelSpec, *queries: Query, tints: Mapping[str, str] | None = None, percent: bool = False, bars: bool = False
) -> series.Panel:
    """Areas (or bars) on top of each other; `percent` shows shares of the whole."""
    panel = lines(spec, *queries, tints=tints)
    mode = looks.StackingMode.PERCENT if percent else looks.StackingMode.NORMAL
    panel.stacking(common.StackingConfig().mode(mode).group("A"))
    panel.fill_opacity(70).line_width(1)
    if bars:
        panel.draw_style(looks.GraphDrawStyle.BARS)
    return panel


def number(spec: PanelSpec, *queries: Query, thresholds: build.ThresholdsConfig | None = None) -> stat.Panel:
    """The last value of every series, in large, with its course behind."""
    panel = _dressed(stat.Panel(), spec, [_ask(query) for query in queries])
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"])).graph_mode(looks.BigValueGraphMode.AREA)
    panel.color_mode(looks.BigValueColorMode.VALUE).text_mode(looks.BigValueTextMode.AUTO)
    if thresholds:
        return panel.thresholds(thresholds).color_scheme(colours.scheme(model.FieldColorModeId.THRESHOLDS))
    return panel.color_scheme(build.FieldColor().mode(model.FieldColorModeId.FIXED).fixed_color(colours.BLUE))


def ranking(spec: PanelSpec, *queries: Query, thresholds: build.ThresholdsConfig | None = None) -> bargauge.Panel:
    """One horizontal bar per series, of its value now."""
    panel = _dressed(bargauge.Panel(), spec, [_ask(query).instant() for query in queries])
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"])).orientation(looks.VizOrientation.HORIZONTAL)
    panel.display_mode(looks.BarGaugeDisplayMode.BASIC).value_mode(looks.BarGaugeValueMode.TEXT).min(0)
    panel.thresholds(thresholds or colours.steps(colours.BLUE))
    return panel.color_scheme(colours.scheme(model.FieldColorModeId.THRESHOLDS))


def outcome_rows(spec: PanelSpec, query: Query, rows: int) -> statetimeline.Panel:
    """How each device ended over time, `rows` devices per page."""
    panel = _dressed(statetimeline.Panel(), spec, [_ask(query)])
    panel.mappings([colours.outcomes()]).color_scheme(colours.scheme(model.FieldColorModeId.THRESHOLDS))
    panel.thresholds(colours.steps(colours.GREY)).show_value(looks.VisibilityMode.NEVER).merge_values(True)
    panel.per_page(rows).row_height(0.8).fill_opacity(90).line_width(0).max_data_points(300)
    return panel.legend(_legend(calcs=())).tooltip(_tooltip())


def heat_rows(spec: PanelSpec, query: Query, rows: int) -> statushistory.Panel:
    """A row of cells per device, darker for larger values; `rows` devices per page."""
    panel = _dressed(statushistory.Panel(), spec, [_ask(query)])
    panel.color_scheme(colours.scheme(model.FieldColorModeId.CONTINUOUS_BLUES)).show_value(looks.VisibilityMode.NEVER)
    # a panel with more cells than pixels refuses to draw, so the moments are few
    panel.per_page(rows).row_height(0.9).col_width(1.0).fill_opacity(90).line_width(0).max_data_points(60)
    return panel.min(0).legend(_legend(calcs=()).show_legend(False)).tooltip(_tooltip())


def heat_buckets(spec: PanelSpec, query: Query) -> heatmap.Panel:
    """How a histogram's buckets fill over time; the expression keeps `le`."""
    panel = _dressed(heatmap.Panel(), spec, [_ask(query).format(PromQueryFormat.HEATMAP)])
    # a window of a minute at least, or slow rounds leave holes
    panel.calculate(False).interval("1m").cell_gap(1).filter_values(heatmap.FilterValueRange().le(1e-9))
    panel.y_axis(heatmap.YAxisConfig().unit(spec.unit).axis_placement(looks.AxisPlacement.LEFT))
    scheme = heatmap.HeatmapColorOptions().mode(heat.HeatmapColorMode.SCHEME).scheme("Blues").steps(64)
    return panel.color(scheme).show_legend()


@dataclass(frozen=True)
class Column:
    """A column of a table: its heading, its values by labels, its unit."""

    heading: str
    expr: str
    unit: str = units.Short
    decimals: int | None = None


def table(spec: PanelSpec, columns: tuple[Column, ...], keys: tuple[str, ...], sort_by: str) -> tables.Panel:
    """A row for each combination of `keys`, which the columns' expressions keep as their only labels."""
    asked = [_ask(Query(c.expr)).instant().format(PromQueryFormat.TABLE) for c in columns]
    panel = _dressed(tables.Panel(), spec, asked)
    headings = {f"Value #{ascii_uppercase[i]}": column.heading for i, column in enumerate(columns)}
    order = {name: position for position, name in enumerate((*keys, *headings))}
    panel.with_transformation(model.DataTransformerConfig("merge", options={}))
    panel.with_transformation(
        model.DataTransformerConfig(
            "organize", options={"excludeByName": {"Time": True}, "indexByName": order, "renameByName": headings}
        )
    )
    for column in columns:
        properties = [model.DynamicConfigValue("unit", column.unit)]
        if column.decimals is not None:
            properties.append(model.DynamicConfigValue("decimals", column.decimals))
        panel.override_by_name(column.heading, properties)
    return panel.filterable(True).sort_by([common.TableSortByFieldState().display_name(sort_by)])


def _ask(query: Query) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(query.expr).legend_format(query.legend).range().datasource(SOURCE)


def _dressed(panel: Panel, spec: PanelSpec, queries: list[prometheus.Dataquery]) -> Panel:
    panel.title(spec.title).description(spec.description).datasource(SOURCE).unit(spec.unit)
    panel.span(spec.width).height(spec.height)
    for letter, query in zip(ascii_uppercase, queries, strict=False):
        panel.with_target(query.ref_id(letter))
    return panel


def _legend(calcs: tuple[str, ...] = ("lastNotNull",)) -> common.VizLegendOptions:
    legend = common.VizLegendOptions().display_mode(looks.LegendDisplayMode.LIST)
    return legend.placement(looks.LegendPlacement.BOTTOM).show_legend(True).calcs(list(calcs))


def _tooltip() -> common.VizTooltipOptions:
    return common.VizTooltipOptions().mode(looks.TooltipDisplayMode.MULTI).sort(looks.SortOrder.DESCENDING)

"""One quantity of a run against another: the XY chart, and the detour by which Prometheus fills it.

Written after the sources of Grafana's XY chart, `merge` and `partitionByValues`; the options agree with the types of
@grafana/schema 13.2.3. Rendering in Grafana is untested.
"""

from grafana_foundation_sdk.builders import common, prometheus, xychart
from grafana_foundation_sdk.models import common as looks
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import xychart as xy
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.panels import SOURCE, PanelSpec

# without a version Grafana takes the options for those of before 10.4 and rewrites them into nothing
PLUGIN_VERSION = "12.1.0"
X, Y = "Value #A", "Value #B"


def against(spec: PanelSpec, x: str, x_title: str, x_unit: str, y: str, y_title: str) -> xychart.Panel:
    """A curve per run of expression `y` (unit of the spec) over `x`, both of which keep `run` as their only label.

    Both come as tables, are merged where time and run are the same, and are parted again by run; then each part has an
    x and a y of its own. Joining two queries as series would give all runs the x of the first.
    """
    panel = xychart.Panel().title(spec.title).description(spec.description).datasource(SOURCE)
    panel.span(spec.width).height(spec.height).unit(spec.unit).max_data_points(500)
    for letter, expr in (("A", x), ("B", y)):
        query = prometheus.Dataquery().expr(expr).range().format(PromQueryFormat.TABLE)
        panel.with_target(query.ref_id(letter).datasource(SOURCE))
    panel.with_transformation(model.DataTransformerConfig("merge", options={}))
    panel.with_transformation(model.DataTransformerConfig("sortBy", options={"sort": [{"field": "Time"}]}))
    parting = {"fields": ["run"], "keepFields": False, "naming": {"asLabels": True}}
    panel.with_transformation(model.DataTransformerConfig("partitionByValues", options=parting))
    panel.mapping(xy.SeriesMapping.AUTO).series([_series()]).show(xy.XYShowMode.POINTS_AND_LINES)
    panel.point_size(xychart.XychartFieldConfigPointSize().fixed(5)).line_width(2)
    panel.override_by_name(X, _named(x_title, x_title, x_unit))
    panel.override_by_name(Y, _named("${__field.labels.run}", y_title, spec.unit))
    legend = common.VizLegendOptions().display_mode(looks.LegendDisplayMode.LIST).show_legend(True)
    panel.legend(legend.placement(looks.LegendPlacement.BOTTOM))
    return _versioned(panel.tooltip(common.VizTooltipOptions().mode(looks.TooltipDisplayMode.SINGLE)))


def _series() -> xychart.XYSeriesConfig:
    """In every part, whichever run it is of."""
    x, y = (xychart.MatcherConfig().id("byName").options(name) for name in (X, Y))
    series = xychart.XYSeriesConfig().x(xychart.XychartXYSeriesConfigX().matcher(x))
    return series.y(xychart.XychartXYSeriesConfigY().matcher(y))


def _named(name: str, axis: str, unit: str) -> list[model.DynamicConfigValue]:
    return [
        model.DynamicConfigValue("displayName", name),
        model.DynamicConfigValue("custom.axisLabel", axis),
        model.DynamicConfigValue("unit", unit),
    ]


def _versioned(panel: xychart.Panel) -> xychart.Panel:
    panel.build().plugin_version = PLUGIN_VERSION  # the builder has no word for it
    return panel

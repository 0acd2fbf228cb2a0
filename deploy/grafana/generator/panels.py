"""Builders for the kinds of panels that the dashboards use, with their common options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from grafana_foundation_sdk.builders import bargauge, common, prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from deploy.grafana.generator import styles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from grafana_foundation_sdk.builders import dashboard as build

WIDTH = 24
PROMETHEUS = kinds.DataSourceRef(type_val="prometheus", uid="${datasource}")


def range_query(expression: str, legend: str, ref: str = "A") -> prometheus.Dataquery:
    """Return a query over the time range."""
    query = prometheus.Dataquery().datasource(PROMETHEUS).ref_id(ref).expr(expression)
    return query.range().legend_format(legend)


def instant_query(expression: str, legend: str = "__auto", ref: str = "A") -> prometheus.Dataquery:
    """Return a query at the end of the time range."""
    query = prometheus.Dataquery().datasource(PROMETHEUS).ref_id(ref).expr(expression)
    return query.instant().legend_format(legend)


def table_query(expression: str, ref: str = "A") -> prometheus.Dataquery:
    """Return a query at the end of the time range for a table, whose columns are labels."""
    return instant_query(expression, ref=ref).format(PromQueryFormat.TABLE)


def field_option(name: str, value: object) -> DynamicConfigValue:
    """Return an option that overrides the default of a panel for one field."""
    return DynamicConfigValue(name, value)


class _HasFieldConfig(Protocol):
    """A panel whose values have a unit."""

    def unit(self, unit: str) -> Self: ...

    def decimals(self, decimals: float) -> Self: ...

    def min(self, min_val: float) -> Self: ...

    def max(self, max_val: float) -> Self: ...


PanelT = TypeVar("PanelT", bound=_HasFieldConfig)


def _with_unit(
    panel: PanelT, unit: str, decimals: int | None, minimum: float | None, maximum: float | None = None
) -> PanelT:
    panel = panel.unit(unit) if unit else panel
    panel = panel if decimals is None else panel.decimals(decimals)
    panel = panel if minimum is None else panel.min(minimum)
    return panel if maximum is None else panel.max(maximum)


def stat_panel(  # noqa: PLR0913 (options by name)
    title: str,
    description: str,
    query: prometheus.Dataquery,
    no_value: str = "no data",
    *,
    width: int = 3,
    unit: str = "",
    decimals: int | None = None,
    thresholds: build.ThresholdsConfig | None = None,
) -> stat.Panel:
    """Return a panel with one current number; `no_value` is the text without one."""
    panel = stat.Panel().title(title).description(description).datasource(PROMETHEUS).span(width).height(4)
    reduce = common.ReduceDataOptions().calcs(["lastNotNull"]).values(values=False)
    panel = panel.graph_mode(kinds.BigValueGraphMode.NONE).color_mode(kinds.BigValueColorMode.BACKGROUND_SOLID)
    panel = panel.text_mode(kinds.BigValueTextMode.VALUE).reduce_options(reduce)
    panel = panel.thresholds(thresholds or styles.thresholds(styles.GOOD)).targets([query])
    return _with_unit(panel.mappings([styles.null_mapping(no_value)]).no_value(no_value), unit, decimals, None)


def status_panel(title: str, description: str, query: prometheus.Dataquery, label: str) -> stat.Panel:
    """Return a panel with the status in a label, in the colour of the status."""
    reduce = common.ReduceDataOptions().calcs(["lastNotNull"]).fields(f"/^{label}$/").values(values=False)
    panel = stat_panel(title, description, query.format(PromQueryFormat.TABLE), styles.NONE_YET).reduce_options(reduce)
    return panel.mappings(styles.text_mappings(styles.STATUS_COLOURS))


def line_chart(
    title: str,
    description: str,
    *queries: prometheus.Dataquery,
    width: int = 12,
    unit: str = "",
    minimum: float | None = None,
) -> timeseries.Panel:
    """Return lines over time, with gaps where there are no samples."""
    panel = timeseries.Panel().title(title).description(description).datasource(PROMETHEUS).span(width).height(8)
    panel = panel.tooltip(_tooltip_of_all_series()).legend(_legend([])).color_scheme(styles.palette())
    panel = panel.line_width(1.5).fill_opacity(0).show_points(kinds.VisibilityMode.NEVER)
    panel = panel.line_interpolation(kinds.LineInterpolation.STEP_AFTER)
    return _with_unit(panel.targets(list(queries)).no_value("no data"), unit, None, minimum)


def bar_chart(title: str, description: str, *queries: prometheus.Dataquery, width: int = 12) -> timeseries.Panel:
    """Return stacked bars of increases per interval, few and wide because sync jobs are rare."""
    panel = line_chart(title, description, *queries, width=width).legend(_legend(["sum"]))
    panel = panel.draw_style(kinds.GraphDrawStyle.BARS).fill_opacity(80).line_width(0)
    panel = panel.stacking(common.StackingConfig().mode(kinds.StackingMode.NORMAL).group("A"))
    return panel.interval("5m").max_data_points(60).decimals(0).axis_soft_max(1).min(0)


def bar_gauge(  # noqa: PLR0913 (options by name)
    title: str,
    description: str,
    query: prometheus.Dataquery,
    *,
    width: int = 8,
    unit: str = "",
    decimals: int | None = None,
    maximum: float | None = None,
    thresholds: build.ThresholdsConfig | None = None,
) -> bargauge.Panel:
    """Return a horizontal bar for the current value of each series."""
    panel = bargauge.Panel().title(title).description(description).datasource(PROMETHEUS).span(width).height(8)
    reduce = common.ReduceDataOptions().calcs(["lastNotNull"]).values(values=False)
    panel = panel.orientation(kinds.VizOrientation.HORIZONTAL).display_mode(kinds.BarGaugeDisplayMode.BASIC)
    panel = panel.value_mode(kinds.BarGaugeValueMode.COLOR).show_unfilled(show_unfilled=True).reduce_options(reduce)
    panel = panel.sizing(kinds.BarGaugeSizing.MANUAL).min_viz_height(16).max_viz_height(36)
    panel = panel.name_placement(kinds.BarGaugeNamePlacement.TOP)
    panel = panel.text(common.VizTextDisplayOptions().title_size(12).value_size(14))
    panel = panel.thresholds(thresholds) if thresholds else panel
    return _with_unit(panel.targets([query]).no_value("none"), unit, decimals, 0, maximum)


def state_timeline(
    title: str, description: str, *queries: prometheus.Dataquery, height: int = 8
) -> statetimeline.Panel:
    """Return a state timeline, coloured by status."""
    panel = statetimeline.Panel().title(title).description(description).datasource(PROMETHEUS).span(WIDTH)
    panel = panel.height(height).mappings(styles.status_number_mappings()).show_value(kinds.VisibilityMode.NEVER)
    panel = panel.row_height(0.8).line_width(0).fill_opacity(85).tooltip(_tooltip_of_all_series())
    panel = panel.legend(
        common.VizLegendOptions().placement(kinds.LegendPlacement.BOTTOM).show_legend(show_legend=True)
    )
    return panel.targets(list(queries)).no_value("no data")


def with_colours(panel: timeseries.Panel, colours: Mapping[str, str]) -> timeseries.Panel:
    """Set the colours of series by name."""
    for name, colour in colours.items():
        panel = panel.override_by_name(name, [field_option("color", styles.fixed(colour).build())])
    return panel


def with_limit_line(panel: timeseries.Panel, name: str) -> timeseries.Panel:
    """Draw a limit as a dashed red line: the series of that name, or all that match a /pattern/."""
    options = [
        field_option("color", styles.fixed("red").build()),
        field_option("custom.lineStyle", {"fill": "dash", "dash": [8, 8]}),
        field_option("custom.fillOpacity", 0),
    ]
    if name.startswith("/"):
        return panel.override_by_regexp(name, options)
    return panel.override_by_name(name, options)


def stacked(panel: timeseries.Panel) -> timeseries.Panel:
    """Stack the series and fill the areas."""
    return panel.fill_opacity(40).stacking(common.StackingConfig().mode(kinds.StackingMode.NORMAL).group("A"))


def logarithmic(panel: timeseries.Panel) -> timeseries.Panel:
    """Use a logarithmic axis, for small and large values on one panel."""
    return panel.scale_distribution(common.ScaleDistributionConfig().type(kinds.ScaleDistribution.LOG).log(10))


def _tooltip_of_all_series() -> common.VizTooltipOptions:
    return common.VizTooltipOptions().mode(kinds.TooltipDisplayMode.MULTI).sort(kinds.SortOrder.DESCENDING)


def _legend(calculations: list[str]) -> common.VizLegendOptions:
    legend = common.VizLegendOptions().display_mode(kinds.LegendDisplayMode.LIST).calcs(calculations)
    return legend.placement(kinds.LegendPlacement.BOTTOM).show_legend(show_legend=True)

"""The kinds of panels that the dashboards are made of, each set up once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from grafana_foundation_sdk.builders import bargauge, common, prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from deploy.grafana.generator.looks import (
    GOOD,
    NONE_YET,
    STATUS_COLOURS,
    fixed,
    nothing,
    palette,
    status_numbers,
    steps,
    words,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from grafana_foundation_sdk.builders import dashboard as build

WIDTH = 24
PROMETHEUS = kinds.DataSourceRef(type_val="prometheus", uid="${datasource}")


def over_time(expression: str, legend: str, ref: str = "A") -> prometheus.Dataquery:
    """Ask for the time range."""
    query = prometheus.Dataquery().datasource(PROMETHEUS).ref_id(ref).expr(expression)
    return query.range().legend_format(legend)


def now(expression: str, legend: str = "__auto", ref: str = "A") -> prometheus.Dataquery:
    """Ask for the end of the time range."""
    query = prometheus.Dataquery().datasource(PROMETHEUS).ref_id(ref).expr(expression)
    return query.instant().legend_format(legend)


def rows(expression: str, ref: str = "A") -> prometheus.Dataquery:
    """Ask for the end of the time range, for a table: labels are its columns."""
    return now(expression, ref=ref).format(PromQueryFormat.TABLE)


def prop(name: str, value: object) -> DynamicConfigValue:
    """Say how one field differs from the others of its panel."""
    return DynamicConfigValue(name, value)


class _HasFields(Protocol):
    """A panel of a kind whose values have units."""

    def unit(self, unit: str) -> Self: ...

    def decimals(self, decimals: float) -> Self: ...

    def min(self, min_val: float) -> Self: ...

    def max(self, max_val: float) -> Self: ...


Shown = TypeVar("Shown", bound=_HasFields)


def _measured(panel: Shown, unit: str, decimals: int | None, least: float | None, most: float | None = None) -> Shown:
    """Say what the values of a panel are measured in, and where its axis or bars begin and end."""
    panel = panel.unit(unit) if unit else panel
    panel = panel if decimals is None else panel.decimals(decimals)
    panel = panel if least is None else panel.min(least)
    return panel if most is None else panel.max(most)


def figure(  # noqa: PLR0913 (options by name)
    title: str,
    description: str,
    query: prometheus.Dataquery,
    absent: str = "no data",
    *,
    width: int = 3,
    unit: str = "",
    decimals: int | None = None,
    thresholds: build.ThresholdsConfig | None = None,
) -> stat.Panel:
    """Show a figure of now, large; `absent` says what it means that there is none."""
    panel = stat.Panel().title(title).description(description).datasource(PROMETHEUS).span(width).height(4)
    reduce = common.ReduceDataOptions().calcs(["lastNotNull"]).values(values=False)
    panel = panel.graph_mode(kinds.BigValueGraphMode.NONE).color_mode(kinds.BigValueColorMode.BACKGROUND_SOLID)
    panel = panel.text_mode(kinds.BigValueTextMode.VALUE).reduce_options(reduce)
    panel = panel.thresholds(thresholds or steps(GOOD)).targets([query])
    return _measured(panel.mappings([nothing(absent)]).no_value(absent), unit, decimals, None)


def status(title: str, description: str, query: prometheus.Dataquery, label: str) -> stat.Panel:
    """Show the status that a label tells, large, in its colour."""
    reduce = common.ReduceDataOptions().calcs(["lastNotNull"]).fields(f"/^{label}$/").values(values=False)
    panel = figure(title, description, query.format(PromQueryFormat.TABLE), NONE_YET).reduce_options(reduce)
    return panel.mappings(words(STATUS_COLOURS))


def lines(
    title: str,
    description: str,
    *queries: prometheus.Dataquery,
    width: int = 12,
    unit: str = "",
    least: float | None = None,
) -> timeseries.Panel:
    """Draw lines over time; a gap where nothing is known."""
    panel = timeseries.Panel().title(title).description(description).datasource(PROMETHEUS).span(width).height(8)
    panel = panel.tooltip(_all_at_once()).legend(_legend([])).color_scheme(palette())
    panel = panel.line_width(1.5).fill_opacity(0).show_points(kinds.VisibilityMode.NEVER)
    panel = panel.line_interpolation(kinds.LineInterpolation.STEP_AFTER)
    return _measured(panel.targets(list(queries)).no_value("no data"), unit, None, least)


def bars(title: str, description: str, *queries: prometheus.Dataquery, width: int = 12) -> timeseries.Panel:
    """Draw stacked bars of what came to be in each interval: few and wide ones, as jobs are few."""
    panel = lines(title, description, *queries, width=width).legend(_legend(["sum"]))
    panel = panel.draw_style(kinds.GraphDrawStyle.BARS).fill_opacity(80).line_width(0)
    panel = panel.stacking(common.StackingConfig().mode(kinds.StackingMode.NORMAL).group("A"))
    return panel.interval("5m").max_data_points(60).decimals(0).axis_soft_max(1).min(0)


def ranking(  # noqa: PLR0913 (options by name)
    title: str,
    description: str,
    query: prometheus.Dataquery,
    *,
    width: int = 8,
    unit: str = "",
    decimals: int | None = None,
    most: float | None = None,
    thresholds: build.ThresholdsConfig | None = None,
) -> bargauge.Panel:
    """Draw a bar for each of a few series, as of now."""
    panel = bargauge.Panel().title(title).description(description).datasource(PROMETHEUS).span(width).height(8)
    reduce = common.ReduceDataOptions().calcs(["lastNotNull"]).values(values=False)
    panel = panel.orientation(kinds.VizOrientation.HORIZONTAL).display_mode(kinds.BarGaugeDisplayMode.BASIC)
    panel = panel.value_mode(kinds.BarGaugeValueMode.COLOR).show_unfilled(show_unfilled=True).reduce_options(reduce)
    panel = panel.sizing(kinds.BarGaugeSizing.MANUAL).min_viz_height(16).max_viz_height(36)
    panel = panel.name_placement(kinds.BarGaugeNamePlacement.TOP)
    panel = panel.text(common.VizTextDisplayOptions().title_size(12).value_size(14))
    panel = panel.thresholds(thresholds) if thresholds else panel
    return _measured(panel.targets([query]).no_value("none"), unit, decimals, 0, most)


def strips(title: str, description: str, *queries: prometheus.Dataquery, height: int = 8) -> statetimeline.Panel:
    """Draw a strip for each series, coloured by status over time."""
    panel = statetimeline.Panel().title(title).description(description).datasource(PROMETHEUS).span(WIDTH)
    panel = panel.height(height).mappings(status_numbers()).show_value(kinds.VisibilityMode.NEVER)
    panel = panel.row_height(0.8).line_width(0).fill_opacity(85).tooltip(_all_at_once())
    panel = panel.legend(
        common.VizLegendOptions().placement(kinds.LegendPlacement.BOTTOM).show_legend(show_legend=True)
    )
    return panel.targets(list(queries)).no_value("no data")


def coloured(panel: timeseries.Panel, colours: Mapping[str, str]) -> timeseries.Panel:
    """Give series of known names the colour that they have everywhere."""
    for name, colour in colours.items():
        panel = panel.override_by_name(name, [prop("color", fixed(colour).build())])
    return panel


def limit_line(panel: timeseries.Panel, name: str) -> timeseries.Panel:
    """Draw one series, or those that a /pattern/ matches, as dashed red lines: what the others are held to."""
    style = {"fill": "dash", "dash": [8, 8]}
    looks = [prop("color", fixed("red").build()), prop("custom.lineStyle", style), prop("custom.fillOpacity", 0)]
    if name.startswith("/"):
        return panel.override_by_regexp(name, looks)
    return panel.override_by_name(name, looks)


def stacked(panel: timeseries.Panel) -> timeseries.Panel:
    """Fill the lines and put them on top of each other."""
    return panel.fill_opacity(40).stacking(common.StackingConfig().mode(kinds.StackingMode.NORMAL).group("A"))


def logarithmic(panel: timeseries.Panel) -> timeseries.Panel:
    """Draw small and large values on one panel."""
    return panel.scale_distribution(common.ScaleDistributionConfig().type(kinds.ScaleDistribution.LOG).log(10))


def _all_at_once() -> common.VizTooltipOptions:
    return common.VizTooltipOptions().mode(kinds.TooltipDisplayMode.MULTI).sort(kinds.SortOrder.DESCENDING)


def _legend(calculations: list[str]) -> common.VizLegendOptions:
    legend = common.VizLegendOptions().display_mode(kinds.LegendDisplayMode.LIST).calcs(calculations)
    return legend.placement(kinds.LegendPlacement.BOTTOM).show_legend(show_legend=True)

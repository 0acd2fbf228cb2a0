"""The queries of dashboards, sent to a Prometheus as Grafana sends them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support.dashboards import ANY, interpolate, panels

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.prometheus_server import Prometheus

DATA_POINTS = 700  # in a panel that sets no maximum
Series = list[dict[str, Any]]


@dataclass(frozen=True)
class View:
    """The time range of an open dashboard, the scrape interval, both in seconds, and the values of its variables."""

    start: float
    end: float
    scrape_interval: float
    variables: Mapping[str, str] = field(default_factory=dict)

    def step(self, panel: dict[str, Any]) -> float:
        """Return the step of a panel's range queries, as Grafana derives it from the time range and the panel.

        The minimum interval of a panel suits days of jobs. For the minutes of the demo, the step is shorter.
        """
        range_step = (self.end - self.start) / panel.get("maxDataPoints", DATA_POINTS)
        min_step = min(60.0, (self.end - self.start) / 12) if "interval" in panel else self.scrape_interval
        return max(1.0, float(round(max(range_step, min_step))))

    def values(self, step: float) -> dict[str, str]:
        """Return the value of each variable, including Grafana's own."""
        rate_interval = max(step + self.scrape_interval, 4 * self.scrape_interval)
        own = {"$__rate_interval": f"{rate_interval:.0f}s", "$__range": f"{self.end - self.start:.0f}s"}
        return {**ANY, **self.variables, **own}


def run_query(server: Prometheus, panel: dict[str, Any], target: dict[str, Any], view: View) -> Series:
    """Return the series of a query. The series of a range query include their step."""
    step = view.step(panel)
    query = interpolate(target["expr"], view.values(step))
    if target["instant"]:
        found: Series = server.get("query", query=query, time=view.end)["result"]
        return found
    return [{**series, "step": step} for series in _run_range_query(server, query, view, step)]


def run_annotation_query(server: Prometheus, annotation: dict[str, Any], view: View) -> Series:
    """Return the series of an annotation. Their values are the times of the annotations in milliseconds."""
    step = float(annotation["step"].removesuffix("s"))
    return _run_range_query(server, interpolate(annotation["expr"], view.values(step)), view, step)


def _run_range_query(server: Prometheus, query: str, view: View, step: float) -> Series:
    start = view.start // step * step
    found: Series = server.get("query_range", query=query, start=start, end=view.end, step=step)["result"]
    return found


def run_all_queries(server: Prometheus, file: str, view: View) -> dict[str, Series]:
    """Return the series of each query of a dashboard by panel and query."""
    return {
        f"{panel['id']}/{target['refId']}": run_query(server, panel, target, view)
        for panel in panels(file)
        for target in panel["targets"]
    }

"""Panels' queries as Grafana sends them, and what a Prometheus answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support.dashboards import ANY, interpolate, panels

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.prometheus_server import Prometheus

WIDTH_IN_POINTS = 700
Series = list[dict[str, Any]]


@dataclass(frozen=True)
class View:
    """What somebody looks at: values of the variables, a time range, and the interval between scrapes; in seconds."""

    start: float
    end: float
    scraped_every: float
    variables: Mapping[str, str] = field(default_factory=dict)

    def step(self, panel: dict[str, Any]) -> float:
        """Give the distance of points, as Grafana chooses it: what fits, but not less than the panel's interval.

        That interval is for days of jobs; for minutes of the demo it is less.
        """
        fits = (self.end - self.start) / panel.get("maxDataPoints", WIDTH_IN_POINTS)
        least = min(60.0, (self.end - self.start) / 12) if "interval" in panel else self.scraped_every
        return max(1.0, float(round(max(fits, least))))

    def values(self, step: float) -> dict[str, str]:
        """Give every variable's value."""
        rate = max(step + self.scraped_every, 4 * self.scraped_every)
        own = {"$__rate_interval": f"{rate:.0f}s", "$__range": f"{self.end - self.start:.0f}s"}
        return {**ANY, **self.variables, **own}


def ask(server: Prometheus, panel: dict[str, Any], target: dict[str, Any], view: View) -> Series:
    """Give the series that one query is answered with; each of a time range knows its step."""
    step = view.step(panel)
    query = interpolate(target["expr"], view.values(step))
    if target["instant"]:
        found: Series = server.get("query", query=query, time=view.end)["result"]
        return found
    return [{**series, "step": step} for series in _over_time(server, query, view, step)]


def marks(server: Prometheus, annotation: dict[str, Any], view: View) -> Series:
    """Give the series of an annotation, whose values are where its marks stand, in milliseconds."""
    step = float(annotation["step"].removesuffix("s"))
    return _over_time(server, interpolate(annotation["expr"], view.values(step)), view, step)


def _over_time(server: Prometheus, query: str, view: View, step: float) -> Series:
    start = view.start // step * step
    found: Series = server.get("query_range", query=query, start=start, end=view.end, step=step)["result"]
    return found


def answers(server: Prometheus, file: str, view: View) -> dict[str, Series]:
    """Give what every query of a dashboard is answered with, by panel and query."""
    return {
        f"{panel['id']}/{target['refId']}": ask(server, panel, target, view)
        for panel in panels(file)
        for target in panel["targets"]
    }

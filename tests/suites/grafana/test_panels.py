"""Every panel: its queries return data of the demo, and Grafana's own components render it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from exporter.providers.registry import DEFAULT_SERVICE
from tests.suites.grafana.panel_queries import View, run_all_queries, run_annotation_query, run_query
from tests.suites.grafana.rendering import RenderedDashboard
from tests.support.dashboards import FILES as ALL_FILES
from tests.support.dashboards import interpolate, kind_of, load, queries, service_of
from tests.support.harness import eventually
from tests.support.service_case import case_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from exporter.domain.service import Service
    from tests.support.prometheus_server import Prometheus

    MakeView = Callable[..., View]
    Render = Callable[[str], RenderedDashboard]

FILES = [file for file in ALL_FILES if service_of(file) is DEFAULT_SERVICE]
"""The dashboards of the default service and of the exporter; the same code generates those of other services."""

DETAILED_SOURCES = ("engineering-confluence", "archive-s3", "policies-s3")
"""Data sources of the demo. For each query of the dashboard of one data source, one of them returns data."""

WITHOUT_DATA = {
    "data-source.json: Documents scanned: usual": "needs data of a day",
    "index-capacity.json: Indexes: documents_full": "the demo's indexes do not grow",
    "index-capacity.json: Indexes: text_bytes_full": "the demo's indexes do not grow",
    "exporter.json: Failed requests by code: codes": "no request of the demo fails",
    "exporter.json: Failed polls by reason: reasons": "no poll of the demo fails",
    "exporter.json: Refused requests by code: codes": "no request to the demo is refused",
}
"""Queries that return no data of the demo, and why. tests/deploy/test_dashboard_queries.py has series for them."""

SCREENSHOT_SOURCE = ("support", "jira")  # fails sometimes
# The demo has one or two data sources of the other services, without objectives.
EMPTY_PANELS = {"Data sources with alerts", "Content age vs. objective", "Running time vs. objective"}
FAILURE_PANELS = {"Alerts", "Top failure reasons", "Failed syncs by reason"}

QUERIES_WITH_DATA = [
    pytest.param(file, panel, target, id=name)
    for file in FILES
    for name, panel, target in queries(file)
    if name not in WITHOUT_DATA
]


def source_ids(server: Prometheus, *names: str, service: Service = DEFAULT_SERVICE) -> list[str]:
    """Return the ids of data sources of the demo."""
    running = f"{service.name}_sync_running"
    found = [
        server.get("query", query=f'max by (data_source_id) ({running}{{data_source="{name}"}})')["result"]
        for name in names
    ]
    return [series["metric"]["data_source_id"] for (series,) in found]


@pytest.mark.parametrize(("file", "panel", "target"), QUERIES_WITH_DATA)
def test_every_query_returns_data(
    server: Prometheus, make_view: MakeView, file: str, panel: dict[str, Any], target: dict[str, Any]
) -> None:
    """A demo of two minutes suffices. In the dashboard of one data source, one of three returns data."""
    selected = source_ids(server, *DETAILED_SOURCES) if file == "data-source.json" else [".*"]
    eventually(lambda: any(run_query(server, panel, target, make_view(data_source=each)) for each in selected), 60)


@pytest.mark.parametrize("file", ["overview.json", "data-source.json"])
def test_failed_syncs_are_annotated_at_their_end(server: Prometheus, make_view: MakeView, file: str) -> None:
    """An annotation has the time at which the sync ended, and the labels of its data source."""
    (annotation,) = [each for each in load(file)["annotations"]["list"] if each["name"] == "Failed syncs"]
    (confluence,) = source_ids(server, "engineering-confluence")
    view = make_view(data_source=confluence)
    found = run_annotation_query(server, annotation, view)
    assert {(series["metric"]["application"], series["metric"]["data_source"]) for series in found} == {
        ("intranet", "engineering-confluence")
    }
    ended = server.value(f'max(qbusiness_last_completed_sync_end_timestamp_seconds{{data_source_id="{confluence}"}})')
    assert ended is not None
    times = {float(value) for series in found for _, value in series["values"]}
    assert max(times) <= 1000 * ended <= 1000 * view.end
    assert min(times) > 1000 * (view.start - 86400)


@pytest.mark.parametrize("name", WITHOUT_DATA)
def test_the_queries_listed_without_data_return_none(server: Prometheus, make_view: MakeView, name: str) -> None:
    """A query that returns data is not on the list, nor is one that no dashboard has."""
    ((panel, target),) = [(panel, target) for file in FILES for query, panel, target in queries(file) if query == name]
    assert run_query(server, panel, target, make_view()) == []


@pytest.mark.parametrize("file", FILES)
def test_every_variable_has_options(server: Prometheus, file: str) -> None:
    """Grafana displays the name of a data source as the option, and the value of the option is its id."""
    for variable in load(file)["templating"]["list"]:
        if variable["type"] == "query":
            assert variable_options(server, variable), variable["name"]
    variables = {variable["name"]: variable for variable in load(file)["templating"]["list"]}
    if file == "data-source.json":
        options = variable_options(server, variables["data_source"])
        assert ("jira", *source_ids(server, "jira")) in options
        assert len(options) == 9


def variable_options(server: Prometheus, variable: dict[str, Any]) -> set[tuple[str, str]]:
    """Return the options of a variable, text and value, as Grafana derives them from a query and a regex."""
    expression = interpolate(variable["query"]["query"])
    if by_label := re.fullmatch(r"label_values\((.*), (\w+)\)", expression):
        found = server.get("series", **{"match[]": by_label[1]})
        return {(labels[by_label[2]], labels[by_label[2]]) for labels in found}
    query = expression.removeprefix("query_result(").removesuffix(")")
    pattern = variable["regex"].strip("/").replace("(?<", "(?P<")
    rows = [
        ",".join(f'{name}="{value}"' for name, value in sorted(series["metric"].items()))
        for series in server.get("query", query=query)["result"]
    ]
    return {(match["text"], match["value"]) for row in rows if (match := re.search(pattern, row))}


@pytest.fixture
def render(
    request: pytest.FixtureRequest, server: Prometheus, make_view: MakeView, browser: Browser, page_folder: Path
) -> Render:
    """Return a function that renders a dashboard with its default variables, or those of one data source."""

    def render_file(file: str) -> RenderedDashboard:
        texts, selected = {"exporter_url": "http://localhost:10142", "datasource": "Prometheus"}, {}
        service = service_of(file)
        if kind_of(file) == "data-source":
            is_sometimes_failing = service is DEFAULT_SERVICE and request.config.getoption("--screenshots")
            root, name = SCREENSHOT_SOURCE if is_sometimes_failing else case_of(service.name).healthy_source
            texts |= {service.root.word: root, "data_source": name}
            selected = {service.root.word: root, "data_source": source_ids(server, name, service=service)[0]}
        view, dashboard = make_view(**selected), RenderedDashboard(browser, page_folder)
        dashboard.render(file, run_all_queries(server, file, view), view, texts)
        return dashboard

    return render_file


@pytest.mark.parametrize("file", ALL_FILES)
def test_dashboards_render(render: Render, screenshot: Callable[[Page, str], None], file: str) -> None:
    """Only panels of failures are empty, no link has an unresolved variable, and the browser reports no error."""
    service = service_of(file)
    others = {*EMPTY_PANELS, f"Other alerts: {service.container.plural}, targets, exporter"}
    may_be_empty = FAILURE_PANELS if service is DEFAULT_SERVICE else FAILURE_PANELS | others
    dashboard = render(file)
    assert dashboard.errors == []
    panels = dashboard.panels().values()
    assert {panel["title"] for panel in panels if not _has_content(panel)} <= may_be_empty
    links = [link for panel in panels for link in panel["links"]]
    assert not [link for link in links if "${" in link or "undefined" in link]
    if file in FILES:
        screenshot(dashboard.page, file)


def _has_content(panel: dict[str, Any]) -> bool:
    match panel["type"]:
        case "timeseries":
            return bool(panel["paintedPixels"] > 1000)
        case "state-timeline":
            return bool(panel["regions"])
        case "table":
            return bool(panel["cells"])
        case "bargauge":
            return any(character.isdigit() for character in panel["text"])
        case _:
            return len(panel["text"].split("\n")) > 1


def test_the_overview_explains_a_failing_data_source(server: Prometheus, render: Render) -> None:
    """It names the data source, the alert, the error and the failed syncs, and links its page and the runbook."""
    panels = render("overview.json").panels().values()
    (alerts,) = [panel for panel in panels if panel["title"] == "Data sources with alerts"]
    for expected in (
        "engineering-confluence",
        "SyncFailingRepeatedly",
        "FAILED",
        "CNF-5572",
        "critical",
        "Consecutive failures",
    ):
        assert expected in alerts["text"]
    (confluence,) = source_ids(server, "engineering-confluence")
    links = "\n".join(alerts["links"])
    assert f"/d/qbusiness-data-source?var-application=intranet&var-data_source={confluence}" in links
    assert f"http://localhost:10142/?data_source_id={confluence}" in links
    assert "/runbooks/QBusinessSyncFailingRepeatedly" in links

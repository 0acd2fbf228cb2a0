"""Every panel asked of a Prometheus that scraped the demo, and drawn by Grafana's own components."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.suites.grafana.asking import View, answers, ask, marks
from tests.suites.grafana.drawing import Drawing
from tests.support.dashboards import FILES, interpolate, load, queries
from tests.support.harness import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.support.prometheus_server import Prometheus

    Look = Callable[..., View]

IN_DEPTH = ("engineering-confluence", "archive-s3", "policies-s3")
"""Data sources of the demo that between them have all there is to show of one."""

NOTHING_TO_SHOW = {
    "data-source.json: Documents scanned: usual": "needs a day of watching",
    "index-capacity.json: Indexes: documents_full": "the demo's indexes do not grow",
    "index-capacity.json: Indexes: text_bytes_full": "the demo's indexes do not grow",
    "exporter.json: Failed requests by code: codes": "the demo answers every request",
    "exporter.json: Failed polls by reason: reasons": "no poll of the demo fails",
}
"""Queries that the demo has no answer for, and why: tests/deploy/test_dashboard_queries.py has series for these."""

DRAWN_IN_DEPTH, IN_PICTURES = "servicenow", "jira"
"""One that never fails, so that it is known which panels are empty; and one that now and then does."""
OF_FAILURES = {"Alerts", "Top failure reasons", "Failed syncs by reason"}

EVERY_QUERY = [
    pytest.param(file, panel, target, id=name)
    for file in FILES
    for name, panel, target in queries(file)
    if name not in NOTHING_TO_SHOW
]


def ids(server: Prometheus, *names: str) -> list[str]:
    """Give the ids of data sources of the demo."""
    found = [
        server.get("query", query=f'max by (data_source_id) (qbusiness_sync_running{{data_source="{name}"}})')["result"]
        for name in names
    ]
    return [one["metric"]["data_source_id"] for (one,) in found]


@pytest.mark.parametrize(("file", "panel", "target"), EVERY_QUERY)
def test_every_query_is_answered(
    watched: Prometheus, look: Look, file: str, panel: dict[str, Any], target: dict[str, Any]
) -> None:
    """With data, from a demo that was watched for a minute or two; in depth, for one of three data sources at least."""
    chosen = ids(watched, *IN_DEPTH) if file == "data-source.json" else [".*"]
    eventually(lambda: any(ask(watched, panel, target, look(data_source=one)) for one in chosen), 60)


@pytest.mark.parametrize("file", ["overview.json", "data-source.json"])
def test_failed_syncs_are_marked_where_they_ended(watched: Prometheus, look: Look, file: str) -> None:
    """At a moment of the demo's past, with what the mark is to say of which data source it was."""
    (annotation,) = [one for one in load(file)["annotations"]["list"] if one["name"] == "Failed syncs"]
    (confluence,) = ids(watched, "engineering-confluence")
    view = look(data_source=confluence)
    found = marks(watched, annotation, view)
    assert {(one["metric"]["application"], one["metric"]["data_source"]) for one in found} == {
        ("intranet", "engineering-confluence")
    }
    ended = watched.value(f'max(qbusiness_last_completed_sync_end_timestamp_seconds{{data_source_id="{confluence}"}})')
    assert ended is not None
    times = {float(value) for one in found for _, value in one["values"]}
    assert max(times) <= 1000 * ended <= 1000 * view.end
    assert min(times) > 1000 * (view.start - 86400)


@pytest.mark.parametrize("name", NOTHING_TO_SHOW)
def test_what_has_nothing_to_show_is_listed_rightly(watched: Prometheus, look: Look, name: str) -> None:
    """A query that would be answered has no place in that list, nor has one that there is not."""
    ((panel, target),) = [(panel, target) for file in FILES for query, panel, target in queries(file) if query == name]
    assert ask(watched, panel, target, look()) == []


@pytest.mark.parametrize("file", FILES)
def test_every_variable_has_something_to_choose_from(watched: Prometheus, file: str) -> None:
    """By name where Grafana shows a name, though what is chosen is an id."""
    for variable in load(file)["templating"]["list"]:
        if variable["type"] == "query":
            assert choices(watched, variable), variable["name"]
    chosen = {variable["name"]: variable for variable in load(file)["templating"]["list"]}
    if file == "data-source.json":
        assert ("jira", *ids(watched, "jira")) in choices(watched, chosen["data_source"])
        assert len(choices(watched, chosen["data_source"])) == 12


def choices(server: Prometheus, variable: dict[str, Any]) -> set[tuple[str, str]]:
    """Give what can be chosen, text and value, as Grafana makes it of a query and a regular expression."""
    asked = interpolate(variable["query"]["query"])
    if by_label := re.fullmatch(r"label_values\((.*), (\w+)\)", asked):
        series = server.get("series", **{"match[]": by_label[1]})
        return {(one[by_label[2]], one[by_label[2]]) for one in series}
    query = asked.removeprefix("query_result(").removesuffix(")")
    pattern = variable["regex"].strip("/").replace("(?<", "(?P<")
    rows = [
        ",".join(f'{name}="{value}"' for name, value in sorted(one["metric"].items()))
        for one in server.get("query", query=query)["result"]
    ]
    return {(found["text"], found["value"]) for row in rows if (found := re.search(pattern, row))}


@pytest.fixture
def drawn(
    request: pytest.FixtureRequest, watched: Prometheus, look: Look, chromium: Browser, page: Path
) -> Callable[[str], Drawing]:
    """Draw a dashboard, as it is opened; the one in depth for one data source."""

    def draw(file: str) -> Drawing:
        shown, chosen = {"exporter_url": "http://localhost:10142", "datasource": "Prometheus"}, {}
        if file == "data-source.json":
            name = IN_PICTURES if request.config.getoption("--pictures") else DRAWN_IN_DEPTH
            shown |= {"application": "support", "data_source": name}
            chosen = {"application": "support", "data_source": ids(watched, name)[0]}
        view, drawing = look(**chosen), Drawing(chromium, page)
        drawing.draw(file, answers(watched, file, view), view, shown)
        return drawing

    return draw


@pytest.mark.parametrize("file", FILES)
def test_dashboards_are_drawn(drawn: Callable[[str], Drawing], keep: Callable[[Page, str], None], file: str) -> None:
    """Every panel is there with something in it, no link is left half made, and nothing complains."""
    drawing = drawn(file)
    assert drawing.complaints == []
    facts = drawing.facts()
    assert {fact["title"] for fact in facts.values() if not _has_something(fact)} <= OF_FAILURES
    links = [link for fact in facts.values() for link in fact["links"]]
    assert not [link for link in links if "${" in link or "undefined" in link]
    keep(drawing.page, file)


def _has_something(fact: dict[str, Any]) -> bool:
    match fact["kind"]:
        case "timeseries":
            return bool(fact["painted"] > 1000)
        case "state-timeline":
            return bool(fact["strips"])
        case "table":
            return bool(fact["cells"])
        case "bargauge":
            return any(character.isdigit() for character in fact["text"])
        case _:
            return len(fact["text"].split("\n")) > 1


def test_what_is_broken_can_be_read_from_the_first_screen(watched: Prometheus, drawn: Callable[[str], Drawing]) -> None:
    """Which data source, what is wrong with it, for how many syncs and why; and ways to its page and the runbook."""
    facts = drawn("overview.json").facts()
    (problems,) = [fact for fact in facts.values() if fact["title"] == "Data sources with alerts"]
    for expected in (
        "engineering-confluence",
        "SyncFailingRepeatedly",
        "FAILED",
        "CNF-5572",
        "critical",
        "Consecutive failures",
    ):
        assert expected in problems["text"]
    (confluence,) = ids(watched, "engineering-confluence")
    links = "\n".join(problems["links"])
    assert f"/d/qbusiness-data-source?var-application=intranet&var-data_source={confluence}" in links
    assert f"http://localhost:10142/?data_source_id={confluence}" in links
    assert "/docs/runbooks/QBusinessSyncFailingRepeatedly.md" in links

"""Dashboards: the files are up to date, and their queries use existing metrics and labels."""

from __future__ import annotations

import re
from typing import Any

import pytest

from deploy.grafana.generator.__main__ import files
from exporter.providers.registry import SERVICES
from exporter.rules.options import STATUS_PAGE
from tests.support.alert_rules import ROOT
from tests.support.dashboards import (
    EXPORTER,
    FILES,
    FOLDER,
    interpolate,
    kind_of,
    links,
    load,
    panels,
    queries,
    service_of,
    strings,
)
from tests.support.promql import labels_of, unknown

EVERY_QUERY = [pytest.param(target, id=name) for file in FILES for name, _, target in queries(file)]
DOCS = ROOT / "docs"
PARTS = [pytest.param(file, id=file.removesuffix(".json")) for file in FILES]


def test_the_files_are_up_to_date() -> None:
    """`make generate` writes every file of the folder."""
    assert {path.name for path in FOLDER.iterdir()} == set(FILES)
    for path, text in files().items():
        assert path.read_text() == text, f"{path.name} is out of date: run make generate"


@pytest.mark.parametrize("target", EVERY_QUERY)
def test_every_query_is_valid(target: dict[str, Any]) -> None:
    """It can be parsed, and the exporter or the rules have its series and labels."""
    assert unknown(interpolate(target["expr"])) == []


@pytest.mark.parametrize("target", EVERY_QUERY)
def test_the_labels_of_legends_are_in_the_result(target: dict[str, Any]) -> None:
    """If the query aggregates a label away, the legend has no name for the series."""
    used = set(re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", "")))
    assert used <= labels_of(interpolate(target["expr"]))


@pytest.mark.parametrize("file", PARTS)
def test_the_columns_of_tables_come_from_queries(file: str) -> None:
    """Each label and value of the queries is either shown or hidden, and a table has no other columns."""
    for panel in panels(file):
        if panel["type"] == "table":
            columns = next(step["options"] for step in panel["transformations"] if step["id"] == "organize")
            targets = panel["targets"]
            values = {f"Value #{target['refId']}" for target in targets}
            labels = set().union(*(labels_of(interpolate(target["expr"])) for target in targets))
            shown, hidden = set(columns["indexByName"]), set(columns["excludeByName"])
            assert shown | hidden == values | labels | {"Time"}, panel["title"]
            titles = {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]}
            assert titles <= set(columns["renameByName"].values())


@pytest.mark.parametrize("file", [file for file in FILES if kind_of(file) == "index-capacity"])
def test_no_documented_word_of_an_index_is_cut_off(file: str) -> None:
    """The columns of its type and status are as wide as the longest of them, at eight pixels a character."""
    service, (table,) = service_of(file), (panel for panel in panels(file) if panel["type"] == "table")
    widths = {
        override["matcher"]["options"]: option["value"]
        for override in table["fieldConfig"]["overrides"]
        for option in override["properties"]
        if option["id"] == "custom.width"
    }
    for column, words in {"Type": service.container_types, "Status": service.container_statuses}.items():
        assert widths[column] >= 8 * max(map(len, words)), column


@pytest.mark.parametrize("file", PARTS)
def test_a_dashboard_can_be_imported_into_any_grafana(file: str) -> None:
    """It has a fixed uid and the schema of Grafana 10, but no id and no fixed data source."""
    board = load(file)
    assert "id" not in board
    service = service_of(file)
    assert board["uid"] == f"{service.name}-{kind_of(file)}"
    assert board["title"].startswith(f"{service.title.removeprefix('Amazon ')} / ") == (file != EXPORTER)
    assert (board["schemaVersion"], board["timezone"], board["refresh"]) == (38, "browser", "1m")
    assert {"qbusiness-exporter"} <= set(board["tags"])
    assert (service.name in board["tags"]) == (file != EXPORTER)
    sources = [value for value in _values(board, "datasource") if isinstance(value, dict)]
    assert sources
    assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)


def _values(node: Any, key: str) -> list[Any]:
    if isinstance(node, list):
        return [found for item in node for found in _values(item, key)]
    if isinstance(node, dict):
        return [found for name, item in node.items() for found in ([item] if name == key else _values(item, key))]
    return []


@pytest.mark.parametrize("file", PARTS)
def test_panels_have_a_title_a_description_and_a_text_for_no_data(file: str) -> None:
    """The description states what the panel shows, and from which metric."""
    for panel in panels(file):
        assert panel["title"]
        assert len(panel["description"]) > 60, panel["title"]
        assert panel["fieldConfig"]["defaults"]["noValue"], panel["title"]


@pytest.mark.parametrize("file", PARTS)
def test_panels_do_not_overlap(file: str) -> None:
    """Their ids are unique, and the grid is 24 columns wide."""
    boxes = [panel["gridPos"] for panel in load(file)["panels"]]
    ids = [panel["id"] for panel in load(file)["panels"]]
    assert len(set(ids)) == len(ids)
    cells = [
        (x, y)
        for box in boxes
        for x in range(box["x"], box["x"] + box["w"])
        for y in range(box["y"], box["y"] + box["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) == 23


@pytest.mark.parametrize("file", PARTS)
def test_variables_are_declared_and_used(file: str) -> None:
    """Each variable of a query or link is declared, and each declared variable is used."""
    board = load(file)
    declared = {variable["name"] for variable in board["templating"]["list"]}
    outside = [text for part in ("panels", "annotations", "links") for text in strings(board.get(part, {}))]
    inside = [text for variable in board["templating"]["list"] for text in strings(variable.get("query", ""))]
    used = {name for text in outside + inside for name in re.findall(r"\$\{?([a-z]\w*)", text)}
    assert used <= declared
    assert declared <= used | {"datasource"}


@pytest.mark.parametrize("file", PARTS)
def test_links_have_targets(file: str) -> None:
    """They lead to existing dashboards with their variables, to the status page, or to runbooks."""
    boards = {load(other)["uid"]: {v["name"] for v in load(other)["templating"]["list"]} for other in FILES}
    found = links(file)
    for link in found:
        if link.startswith("/d/"):
            uid = link.removeprefix("/d/").partition("?")[0]
            assert set(re.findall(r"var-(\w+)=", link)) <= boards[uid]
        elif not link.startswith("${exporter_url:raw}/"):
            assert link == STATUS_PAGE  # the default of the variable
    others = {f"/d/{uid}" for uid in boards if uid != load(file)["uid"] and _belongs_together(file, uid)}
    top_links = {link.get("url"): link for link in load(file)["links"]}
    assert all(top_links[other]["includeVars"] and top_links[other]["keepTime"] for other in others)
    assert any(link.startswith("${exporter_url:raw}/") for link in found)


def _belongs_together(file: str, uid: str) -> bool:
    """Return whether a dashboard links to another one: to those of its service and that of the exporter."""
    return file != EXPORTER and (uid.startswith(f"{service_of(file).name}-") or uid == "qbusiness-exporter")


def test_the_exporter_links_to_the_overviews_that_are_installed() -> None:
    """Grafana finds them by their tag. No link leads to the dashboards of a service that is not installed."""
    (link,) = (link for link in load(EXPORTER)["links"] if link["type"] == "dashboards")
    assert (link["tags"], link["includeVars"], link["keepTime"]) == (["sync-overview"], True, True)
    tagged = [file for file in FILES if "sync-overview" in load(file)["tags"]]
    assert tagged == [file for file in FILES if kind_of(file) == "overview"]
    assert len(tagged) == len(SERVICES)


@pytest.mark.parametrize("file", [file for file in FILES if file != EXPORTER])
def test_a_dashboard_has_the_words_of_its_service_alone(file: str) -> None:
    """No query or text has a metric or a label of another service."""
    service, text = service_of(file), " ".join(strings(load(file)))
    others = [other for other in SERVICES.values() if other is not service]
    labels = {level.word for other in others for level in other.levels} - {level.word for level in service.levels}
    assert not re.search(rf"\b({'|'.join(other.name for other in others)})_(?!exporter_)", text)
    assert not re.search(rf"\b({'|'.join(labels)})=", text)


@pytest.mark.parametrize("file", [file for file in FILES if kind_of(file) in {"overview", "data-source"}])
def test_failed_syncs_are_marked_at_their_end(file: str) -> None:
    """The annotation query returns the end of the sync in milliseconds, which Grafana uses as the time."""
    marks = [mark for mark in load(file)["annotations"]["list"] if mark["name"] == "Failed syncs"]
    assert len(marks) == 1
    assert marks[0]["useValueForTime"]
    assert unknown(interpolate(marks[0]["expr"])) == []


def test_a_status_has_the_same_colour_in_every_panel() -> None:
    """FAILED is red, and SUCCEEDED is green."""
    colors: dict[str, set[str]] = {}
    for mapping in (mapping for file in FILES for found in _values(load(file), "mappings") for mapping in found):
        for word, result in mapping["options"].items() if mapping["type"] == "value" else ():
            colors.setdefault(result.get("text", word), set()).add(result["color"])
    assert colors["FAILED"] == {"red"}
    assert colors["SUCCEEDED"] == {"green"}
    assert all(len(found) == 1 for found in colors.values())


@pytest.mark.parametrize("file", PARTS)
def test_each_dashboard_is_documented(file: str) -> None:
    """The page has its address, and for each kind a section with an image of at most 250 kB."""
    page, kind = (DOCS / "dashboards.md").read_text(), kind_of(file)
    image = f"images/dashboard-{kind}.png"
    assert f"`/d/{load(file)['uid']}`" in page
    assert f"## {kind.replace('-', ' ').capitalize()}" in page
    assert f"({image})" in page
    assert (DOCS / image).stat().st_size < 250_000

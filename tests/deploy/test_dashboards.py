"""Dashboards: what is checked in is what the code makes, and it asks for nothing that there is not."""

from __future__ import annotations

import re
from typing import Any

import pytest

from deploy.grafana.generator.__main__ import files
from tests.support.alert_rules import ROOT, RUNBOOK_URL
from tests.support.dashboards import FILES, FOLDER, interpolate, links, load, panels, queries, strings
from tests.support.promql import labels_of, unknown

EVERY_QUERY = [pytest.param(target, id=name) for file in FILES for name, _, target in queries(file)]
DOCS = ROOT / "docs"
PARTS = [pytest.param(file, id=file.removesuffix(".json")) for file in FILES]


def test_the_files_are_what_the_code_makes() -> None:
    """`make generate` rewrites them; nothing else lies beside them."""
    assert {path.name for path in FOLDER.iterdir()} == set(FILES)
    for path, text in files().items():
        assert path.read_text() == text, f"{path.name} is out of date: run make generate"


@pytest.mark.parametrize("target", EVERY_QUERY)
def test_every_query_is_right(target: dict[str, Any]) -> None:
    """It parses, its types fit, and there is no series or label in it that the exporter and the rules do not have."""
    assert unknown(interpolate(target["expr"])) == []


@pytest.mark.parametrize("target", EVERY_QUERY)
def test_every_legend_names_labels_that_its_query_keeps(target: dict[str, Any]) -> None:
    """A label that is aggregated away would leave the name of a series empty."""
    wanted = set(re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", "")))
    assert wanted <= labels_of(interpolate(target["expr"]))


@pytest.mark.parametrize("file", PARTS)
def test_every_column_comes_from_a_query(file: str) -> None:
    """Each column of a table is a label or the value of one of its queries, and each of those is shown or hidden."""
    for panel in panels(file):
        if panel["type"] == "table":
            arranged = next(step["options"] for step in panel["transformations"] if step["id"] == "organize")
            asked = panel["targets"]
            values = {f"Value #{target['refId']}" for target in asked}
            labels = set().union(*(labels_of(interpolate(target["expr"])) for target in asked))
            shown, hidden = set(arranged["indexByName"]), set(arranged["excludeByName"])
            assert shown | hidden == values | labels | {"Time"}, panel["title"]
            titles = {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]}
            assert titles <= set(arranged["renameByName"].values())


@pytest.mark.parametrize("file", PARTS)
def test_a_dashboard_loads_anywhere(file: str) -> None:
    """No id of one Grafana, no data source of one Grafana, a schema that Grafana 10 has, and an address that stays."""
    board = load(file)
    assert "id" not in board
    assert board["uid"] == "qbusiness-" + file.removesuffix(".json")
    assert board["title"].startswith("Q Business / ")
    assert (board["schemaVersion"], board["timezone"], board["refresh"]) == (38, "browser", "1m")
    assert "qbusiness" in board["tags"]
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
def test_panels_explain_themselves(file: str) -> None:
    """Each has a title, a description of what it shows and where that is from, and words for when there is no data."""
    for panel in panels(file):
        assert panel["title"]
        assert len(panel["description"]) > 60, panel["title"]
        assert panel["fieldConfig"]["defaults"]["noValue"], panel["title"]


@pytest.mark.parametrize("file", PARTS)
def test_panels_have_their_place(file: str) -> None:
    """Ids are unique, nothing overlaps, and no row of the grid is wider than the page."""
    boxes = [panel["gridPos"] for panel in load(file)["panels"]]
    ids = [panel["id"] for panel in load(file)["panels"]]
    assert len(set(ids)) == len(ids)
    taken = [
        (x, y)
        for box in boxes
        for x in range(box["x"], box["x"] + box["w"])
        for y in range(box["y"], box["y"] + box["h"])
    ]
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) == 23


@pytest.mark.parametrize("file", PARTS)
def test_variables_are_there_for_whoever_uses_them(file: str) -> None:
    """Each variable in a query or link is declared, and each that is declared is used."""
    board = load(file)
    declared = {variable["name"] for variable in board["templating"]["list"]}
    elsewhere = [text for part in ("panels", "annotations", "links") for text in strings(board.get(part, {}))]
    among = [text for variable in board["templating"]["list"] for text in strings(variable.get("query", ""))]
    used = {name for text in elsewhere + among for name in re.findall(r"\$\{?([a-z]\w*)", text)}
    assert used <= declared
    assert declared <= used | {"datasource"}


@pytest.mark.parametrize("file", PARTS)
def test_links_lead_somewhere(file: str) -> None:
    """To dashboards that there are, with their variables; to the status page; to runbooks where rules have them."""
    boards = {load(other)["uid"]: {v["name"] for v in load(other)["templating"]["list"]} for other in FILES}
    found = links(file)
    for link in found:
        if link.startswith("/d/"):
            uid = link.removeprefix("/d/").partition("?")[0]
            assert set(re.findall(r"var-(\w+)=", link)) <= boards[uid]
        elif link.startswith("https://"):
            assert link.startswith(RUNBOOK_URL)
    others = {f"/d/{uid}" for uid in boards if uid != load(file)["uid"]}
    on_top = {link["url"]: link for link in load(file)["links"]}
    assert all(on_top[other]["includeVars"] and on_top[other]["keepTime"] for other in others)
    assert any(link.startswith("${exporter_url:raw}/") for link in found)


@pytest.mark.parametrize("file", ["overview.json", "data-source.json"])
def test_failed_syncs_are_marked_when_they_ended(file: str) -> None:
    """At the time that AWS says, not when it was seen; the value of the query is that time in milliseconds."""
    marks = [mark for mark in load(file)["annotations"]["list"] if mark["name"] == "Failed syncs"]
    assert len(marks) == 1
    assert marks[0]["useValueForTime"]
    assert unknown(interpolate(marks[0]["expr"])) == []


def test_statuses_have_their_colour_everywhere() -> None:
    """Red is FAILED and green is SUCCEEDED, wherever a status is shown."""
    colours: dict[str, set[str]] = {}
    for mapping in (mapping for file in FILES for found in _values(load(file), "mappings") for mapping in found):
        for word, result in mapping["options"].items() if mapping["type"] == "value" else ():
            colours.setdefault(result.get("text", word), set()).add(result["color"])
    assert colours["FAILED"] == {"red"}
    assert colours["SUCCEEDED"] == {"green"}
    assert all(len(found) == 1 for found in colours.values())


@pytest.mark.parametrize("file", PARTS)
def test_the_page_about_them_shows_each(file: str) -> None:
    """By its address, what it is called, and a picture that is light enough to load."""
    page, board = DOCS / "dashboards.md", load(file)
    picture = f"images/dashboard-{file.removesuffix('.json')}.png"
    assert f"`/d/{board['uid']}`" in page.read_text()
    assert f"## {board['title'].removeprefix('Q Business / ')}" in page.read_text()
    assert f"({picture})" in page.read_text()
    assert (DOCS / picture).stat().st_size < 250_000

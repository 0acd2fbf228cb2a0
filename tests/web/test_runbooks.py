"""The runbooks over real HTTP: each link of the page leads to one, and they need no other server."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urldefrag, urljoin

import pytest

from docs.runbook_pages import PACKAGED, runbook_pages
from tests.support.alert_rules import RUNBOOKS, alerts
from tests.support.status_fixtures import (
    HEALTH,
    TARGET,
    StatusFixture,
    example_sources,
    make_container_snapshot,
)
from tests.support.status_site import StatusSite, serve_status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.web_app import HttpResponse

NAMES = sorted(alert.name for alert in alerts())
DOWN = replace(TARGET, is_up=False, last_error="ListApplications: AccessDeniedException")


@pytest.fixture(scope="module")
def site() -> Iterator[StatusSite]:
    """Serve the example sources, with a full index and a target that is down."""
    fixture = StatusFixture.of(example_sources(), [make_container_snapshot(1, "full", documents=19_000)])
    fixture.health = replace(HEALTH, targets=(DOWN,))
    with serve_status(fixture) as served:
        yield served


@pytest.fixture(scope="module")
def fetch(site: StatusSite) -> Callable[[str], HttpResponse]:
    """Return what requests a page, once: many runbooks link to the same ones."""
    return cache(site.get)


def links(text: str) -> set[str]:
    """Return the addresses of the links of a page."""
    return set(re.findall(r'<a[^>]* href="([^"]*)"', text)) - {"#runbook", "#sources"}


def article(text: str) -> str:
    """Return the runbook of a page."""
    (found,) = re.findall(r"<article.*?</article>", text, re.DOTALL)
    return str(found)


@pytest.mark.parametrize("name", NAMES)
def test_every_alert_has_a_page(fetch: Callable[[str], HttpResponse], name: str) -> None:
    """It has the name and the sections of the runbook, and the target of each link exists."""
    response = fetch(f"/runbooks/{name}")
    assert response.status == 200
    assert f"<title>{name} · qbusiness-exporter</title>" in response.text
    assert re.findall(r'<h2 id="(\w+)">', response.text) == ["meaning", "impact", "diagnosis", "mitigation"]
    for link in links(response.text):
        path, fragment = urldefrag(urljoin(f"/runbooks/{name}", link))
        target = fetch(path)
        assert target.status == 200, link
        assert not fragment or f'id="{fragment}"' in target.text, link


def test_the_list_of_runbooks_links_each_of_them(site: StatusSite) -> None:
    """It also has the common part of the runbooks, the connector codes."""
    text = site.get("/runbooks/").text
    assert links(text) >= {f"./{name}" for name in NAMES}
    assert '<h2 id="connector-codes">' in text
    assert "<td>SPE-5001, SPE-5002</td>" in text


@pytest.mark.parametrize("name", ["README", "nothing", "..%2Fstyle.css", "QBusinessSyncFailed/", "qbusinesssyncfailed"])
def test_an_unknown_name_is_not_found(site: StatusSite, name: str) -> None:
    """The response is 404, including for names of other files."""
    assert site.get(f"/runbooks/{name}").status == 404


def test_each_problem_links_its_runbook(site: StatusSite) -> None:
    """On the page and in the JSON, for data sources, indexes and the exporter."""
    document = site.json()
    owners = [*document["data_sources"], *document["indexes"], document["exporter"]]
    problems = [problem for owner in owners for problem in owner["problems"]]
    addresses = {problem["runbook"] for problem in problems}
    assert addresses == {f"runbooks/{problem['alert']}" for problem in problems}
    assert {"runbooks/QBusinessSyncFailed", "runbooks/QBusinessIndexDocumentsNearLimit"} < addresses
    on_page = {link.partition("?")[0] for link in links(site.get("/").text) if "runbooks/Q" in link}
    assert on_page == {f"./{address}" for address in addresses}
    for address in addresses:
        assert site.get(f"/{address}").status == 200


def test_the_link_of_a_data_source_fills_in_its_ids(site: StatusSite) -> None:
    """Commands and queries can be copied as they are. The link to the status page leads to the data source."""
    source = example_sources()[1].source.id
    page = site.get(f"/?data_source_id={source.data_source_id}").text
    (link,) = (link for link in links(page) if "runbooks/QBusinessSyncFailed?" in link)
    text = article(site.get(urljoin("/", link)).text)
    assert f"--data-source-id {source.data_source_id}\n" in text
    assert f"--application-id {source.root.own} --index-id {source.container.own} " in text
    assert f'href="../?data_source_id={source.data_source_id}"' in text
    assert not re.search("DATA_SOURCE_ID|APPLICATION_ID|INDEX_ID", text)


@pytest.mark.parametrize("query", ["", "?data_source_id=unknown", "?data_source_id=%3Cscript%3E"])
def test_without_a_data_source_the_placeholders_stay(site: StatusSite, query: str) -> None:
    """Links have no placeholder: that to the status page leads to all data sources."""
    text = site.get(f"/runbooks/QBusinessSyncFailed{query}").text
    assert "--data-source-id DATA_SOURCE_ID" in text
    assert 'href="../"' in text
    assert "<script>" not in text


def test_a_runbook_has_no_script_and_nothing_from_outside(site: StatusSite) -> None:
    """The policy allows only the style of the page."""
    response = site.get("/runbooks/QBusinessTargetDown")
    policy = response.headers["Content-Security-Policy"].split("; ")
    assert policy[0] == "default-src 'none'"
    assert [part.split()[0] for part in policy] == [
        "default-src",
        "style-src",
        "img-src",
        "form-action",
        "base-uri",
        "frame-ancestors",
    ]
    assert not re.search(r'(?:src|href)="(?:\w+:)?//', response.text)
    assert response.headers["Referrer-Policy"] == "no-referrer"


def test_the_health_of_the_exporter_is_on_every_page(site: StatusSite) -> None:
    """A target that is down is reported above a runbook, the list, and a single data source."""
    text = "Target production is unreachable or denies access (ListApplications: AccessDeniedException)"
    one = example_sources()[0].source.id.data_source_id
    for path in ("/", "/?page=2&page_size=10", "/?q=nothing", f"/?data_source_id={one}"):
        assert text in site.get(path).text.partition('id="sources"')[0], path
    for path in ("/runbooks/", "/runbooks/QBusinessSyncFailed", "/?state=invalid"):
        assert text in re.split('<article|class="empty"', site.get(path).text)[0], path


def test_the_package_has_a_page_of_each_runbook_and_no_other() -> None:
    """`make check` compares their texts; a runbook that was removed must leave the package as well."""
    assert {path.stem for path in PACKAGED.iterdir()} == {path.stem for path in RUNBOOKS.glob("*.md")}
    assert all(path.read_text() == text for path, text in runbook_pages({}).items())

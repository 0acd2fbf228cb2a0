"""The status page and the JSON API over real HTTP."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hatchling.builders.wheel import WheelBuilder
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from msgspec import structs

from exporter.cli.demo import demo_fleets
from exporter.domain.units import HOUR
from exporter.domain.unreadable import UnreadableResource
from exporter.errors import Reason
from exporter.providers.registry import SERVICES
from exporter.simulator.fleet import SimulatedApplication, SimulatedDataSource, SimulatedIndex
from exporter.simulator.server import SimulatedEndpoint
from exporter.status.query import Query
from exporter.web.page import StatusPage
from exporter.web.public_address import PublicAddress
from tests.app.test_reload import post, reload, rewrite
from tests.support.builders import NOON
from tests.support.harness import Program, config_for, eventually, fleet_of, serve
from tests.support.status_fixtures import (
    DAILY,
    HEALTH,
    TARGET,
    StatusFixture,
    ended_job,
    example_sources,
    make_container_snapshot,
    make_snapshot,
    running_job,
)
from tests.support.status_site import API, HOSTILE, SCHEMA, StatusSite, gzip_text, hostile_source, serve_status

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PAGE = StatusPage({"Metrics": "/metrics"})


@pytest.fixture(scope="module")
def server() -> Iterator[StatusSite]:
    """Serve the example sources and a hostile one."""
    indexes = [make_container_snapshot(1, "full", documents=19_000), make_container_snapshot(2, "almost-empty")]
    with serve_status(StatusFixture.of([*example_sources(), hostile_source()], indexes)) as served:
        yield served


def page_of(fixture: StatusFixture, **query: str) -> str:
    """Return the page without a server."""
    document = fixture.status.document(Query.parse(query, 50))
    return PAGE.render(document, fixture.status.choices(), fixture.status.priority).decode()


def test_the_json_is_valid_by_its_schema(server: StatusSite) -> None:
    """This holds for all example sources, for filters, and for an empty result."""
    everything = server.json()
    assert everything["matching"] == len(everything["data_sources"]) == len(example_sources()) + 1
    for query in (
        "?state=problem",
        "?q=failed&page_size=2&page=2",
        "?data_source_id=unknown",
        "?type=S3&application=x",
    ):
        server.json(query)
    assert server.json("?data_source_id=unknown")["data_sources"] == []
    assert server.json("?q=failed&page_size=2&page=2")["page"] == 2


def test_the_json_is_ascii() -> None:
    """It has texts of AWS unchanged, but no terminal interprets their control characters, and UTF-8 can encode it."""
    texts = ("plain", "B\u00fcro", "\u202eforged", "\x9b31m", "\ud800")
    fixture = StatusFixture.of([make_snapshot(number, text) for number, text in enumerate(texts)])
    with serve_status(fixture) as served:
        body = served.get(API).body
    assert body.isascii()
    assert {each["data_source"] for each in json.loads(body)["data_sources"]} == set(texts)


def test_the_schema_describes_every_field() -> None:
    """Each object of the schema requires all its fields, but the words of other services, and allows no others."""
    levels = [level for service in SERVICES.values() for level in service.containers]
    words = {name for level in levels for name in (level.word, level.key)}
    schema = json.loads((ROOT / "docs/api.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    for definition in (schema, *schema["$defs"].values()):
        assert definition["additionalProperties"] is False
        assert set(definition["required"]) - words == set(definition["properties"]) - words
    refused = {**json.loads(json.dumps(StatusFixture.of().status.document(Query()))), "surprise": 1}
    assert not SCHEMA.is_valid(refused)


def test_the_page_and_the_json_agree(server: StatusSite) -> None:
    """Every problem and every count of the JSON is on the page, and the sources have the same order."""
    document = server.json("?page_size=1000")
    page = server.get("/?page_size=1000").text
    ids = [each["data_source_id"] for each in document["data_sources"]]
    assert re.findall(r'<li class="source \w+" id="([^"]+)"', page) == ids
    for each in document["data_sources"]:
        for problem in each["problems"]:
            failed_once = problem["alert"] == "QBusinessSyncFailed" and each["consecutive_failures"] >= 3
            assert failed_once or html.escape(problem["text"], quote=False)[:30] in page
    counts = re.findall(r'id="(?:in-(\w+)|all)".*?<b>(\d+)</b>', page)
    assert {state or "data_sources": int(count) for state, count in counts} == {
        state: document["summary"][state] for state in (state or "data_sources" for state, _ in counts)
    }


def test_the_link_of_an_alert_opens_one_source(server: StatusSite) -> None:
    """The page has only this source, with its details open. For an unknown id it has a message."""
    identity = example_sources()[3].source.id.data_source_id
    page = server.get(f"/?data_source_id={identity}").text
    assert page.count('<li class="source') == 1
    assert f'<details id="more-{identity}" open>' in page
    assert "failed-thrice" in page
    unknown = server.get("/?data_source_id=unknown").text
    assert "No data source with this id" in unknown


@pytest.mark.parametrize(
    ("query", "message"), [("state=bad", "state=bad must be one of"), ("page=0", "page=0 must be a whole number")]
)
@pytest.mark.parametrize("path", ["/", API])
def test_an_invalid_query_is_rejected(server: StatusSite, path: str, query: str, message: str) -> None:
    """The 400 response states the valid values: as plain text, and for people as a page that leads back."""
    response = server.get(f"{path}?{query}")
    assert response.status == 400
    kind = "html" if path == "/" else "plain"
    assert response.headers["Content-Type"] == f"text/{kind}; charset=utf-8"
    assert message in response.text
    assert (path == "/") == ('<a href="./">Show all data sources</a>' in response.text)


def test_the_query_is_escaped_in_its_error(server: StatusSite) -> None:
    """The page shows it as text, under the policy of the status page."""
    response = server.get("/?state=%3Cscript%3Ealert(1)%3C/script%3E")
    assert "state=&lt;script&gt;alert(1)&lt;/script&gt; must be one of" in response.text
    assert "<script>" not in response.text
    assert response.headers["Content-Security-Policy"] == server.get("/").headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/", API])
def test_responses_are_compressed_if_the_client_accepts_gzip(server: StatusSite, path: str) -> None:
    """The content is the same, and caches must not store it."""
    plain, small = server.get(path), server.get(path, **{"Accept-Encoding": "gzip"})
    assert small.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert gzip_text(small) == plain.text
    assert len(small.body) * 4 < len(plain.body)
    assert plain.headers["Cache-Control"] == "no-store"
    assert plain.headers["Vary"] == "Accept-Encoding"


def test_the_policy_allows_only_the_style_and_script_of_the_page(server: StatusSite) -> None:
    """The hashes of the policy match the page, and the page has no external resources."""
    response = server.get("/")

    def digest(tag: str) -> str:
        (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", response.text, re.DOTALL)
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    assert response.headers["Content-Security-Policy"].split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{digest('style')}'",
        f"script-src 'sha256-{digest('script')}'",
        "connect-src 'self'",
        "img-src data:",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
    anchors = re.sub(r'<a class="out" rel="noreferrer" href="https://us-east-1\.console\.aws\.', "", response.text)
    assert re.findall(r'(?:src|href|action)="((?!\?|\./|#|data:)[^"]*)"', anchors) == []
    assert not re.search(
        r'\s(?:style|on\w+)="', re.sub(r"<pre.*?</pre>|<td.*?</td>", "", response.text, flags=re.DOTALL)
    )


def test_external_text_is_escaped(server: StatusSite) -> None:
    """The page has the complete text with its invisible characters made visible; the JSON has it unmodified."""
    identity = "src0090".ljust(36, "0")
    page = server.get(f"/?data_source_id={identity}").text
    (shown_error,) = re.findall(r'<pre class="error" dir="auto">(.*?)</pre>', page, re.DOTALL)
    for made_visible in ("U+202E", "U+2066", "U+0000", "U+0007", "U+001B", "U+D83D", "U+200B"):
        assert f"\u27e8{made_visible}\u27e9" in shown_error
    assert html.unescape(shown_error).startswith(HOSTILE.partition(" \u202e")[0])
    assert page.count("<script>") == 1
    assert "<img" not in page
    assert "49" not in re.sub(r"\D49\D", "", shown_error) or "{{ 7*7 }}" in shown_error
    (source,) = server.json(f"?data_source_id={identity}")["data_sources"]
    assert source["last_error"]["message"] == HOSTILE
    assert source["index"] == "<i>\u202e"


@settings(max_examples=60)
@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=300))
def test_no_text_changes_the_elements_of_the_page(text: str) -> None:
    """This holds for any message, name, label and search word."""

    def elements(text: str) -> list[str]:
        failed = structs.replace(ended_job("FAILED", HOUR), error_message=text, error_code=text, connector_error=text)
        source = make_snapshot(1, "x", failed, type=text, status=text)
        source = replace(source, container=text, source=replace(source.source, labels=(("team", text),)))
        page = page_of(StatusFixture.of([source]), q="1")
        return re.findall(r"</?[a-z]\w*", page)

    assert elements(f"word {text}") == elements("word")


def test_the_page_links_the_console_where_the_json_does(server: StatusSite) -> None:
    """There are links for the application, the data source and the runs, and they reveal no address of the exporter."""
    identity = example_sources()[3].source.id.data_source_id
    (source,) = server.json(f"?data_source_id={identity}")["data_sources"]
    page = server.get(f"/?data_source_id={identity}").text
    found = {html.unescape(link) for link in re.findall(r'rel="noreferrer" href="(https:[^"]+)"', page)}
    assert len(source["console"]["runs"]) == len(source["runs"]) == 3
    logs = [address for run in source["console"]["runs"].values() for address in run.values()]
    assert found == {source["console"]["application"], source["console"]["data_source"], *logs}
    names = re.findall(r'class="out"[^>]*>([^<]+)<span class="sr"> of (.*?)</span>', page)
    assert ("Failed documents", "the run of 2026-09-21 13:03:20 UTC") in names
    assert len(names) == len(set(names)) + 2  # those of the last run are in two places


def test_a_data_source_links_its_dashboard_if_grafana_is_known() -> None:
    """The dashboard belongs to its service, with the data source selected. Without the address, there is no link."""
    fixture = StatusFixture.of(example_sources()[:1])
    identity = example_sources()[0].source.id.data_source_id
    address = PublicAddress.of(None, None, "https://grafana.example.com")
    with serve_status(fixture, address=address) as known, serve_status(fixture) as unknown:
        link = f'href="https://grafana.example.com/d/qbusiness-data-source?var-data_source={identity}">Dashboard<'
        assert link in known.get("/").text
        assert ">Dashboard<" not in unknown.get("/").text


def test_a_run_without_failed_documents_has_no_link_to_them() -> None:
    """Where AWS does not report the number, there is a link."""
    known = StatusFixture.of([make_snapshot(1, "hr", ended_job("SUCCEEDED", HOUR, scanned=5, failed=0))])
    unknown = StatusFixture.of([make_snapshot(1, "hr", ended_job("SUCCEEDED", HOUR, scanned=5))])
    assert "Log stream" in page_of(known)
    assert ">Failed documents<span" not in page_of(known)
    assert ">Failed documents<span" in page_of(unknown)


def test_filters_are_in_the_form_escaped(server: StatusSite) -> None:
    """The field of a filter has its value."""
    response = server.get("/?q=%22%3E%3Cscript%3Ex&application=%3Cb%3E")
    assert 'name="q" value="&#34;&gt;&lt;script&gt;x"' in response.text
    assert response.text.count("<script>") == 1
    assert "No data source matches the filters" in response.text


def test_links_to_other_pages_keep_the_filters(server: StatusSite) -> None:
    """The filters and the page size are in the links."""
    page = server.get("/?application=intranet&page_size=10&page=2").text
    assert "Page 2 of 6" in page
    for link in re.findall(r'rel="(?:prev|next)" href="([^"]+)"', page):
        assert "application=intranet" in link
        assert "page_size=10" in link


def test_an_empty_list_has_a_reason() -> None:
    """The texts differ before the first pass, without data sources, and while AWS is unreachable."""
    waiting = StatusFixture.of()
    waiting.health = replace(HEALTH, unready="the first discovery run is in progress")
    page = page_of(waiting)
    assert "Looking for data sources" in page
    assert "The first pass has not ended: the first discovery run is in progress." in page
    assert "No data sources" in page_of(StatusFixture.of())
    refused = StatusFixture.of()
    down = replace(TARGET, is_up=False, last_error="ListApplications: AccessDeniedException", discovery_succeeded=False)
    refused.health = replace(HEALTH, targets=(down,), unready="no poll has succeeded yet")
    page = page_of(refused)
    assert "The exporter needs attention" in page
    assert "Target production is unreachable or denies access (ListApplications: AccessDeniedException)" in page
    assert "See the problems above." in page


def test_the_headline_is_ok_only_without_stale_sources_and_problems() -> None:
    """A source that is not watched for punctuality or an index near its limit changes the headline too."""
    fresh = make_snapshot(1, "hr", ended_job("SUCCEEDED", HOUR, scanned=5), schedule=DAILY)
    assert "The data source is OK" in page_of(StatusFixture.of([fresh]))
    stale = replace(fresh, poll_succeeded=False, polled_at=NOON - 60)
    page = page_of(StatusFixture.of([stale]))
    assert " OK" not in page.partition("</h1>")[0]
    assert "1 stale" in page
    unwatched = page_of(StatusFixture.of([make_snapshot(1, "hr", ended_job("SUCCEEDED", HOUR, scanned=5))]))
    assert " OK" not in unwatched.partition("</h1>")[0]
    assert "1 not watched for punctuality" in unwatched
    assert "1 index needs attention" in page_of(StatusFixture.of([fresh], [make_container_snapshot(documents=20_000)]))


def test_unknown_counts_are_dashes_and_not_zero() -> None:
    """A run in progress has both kinds of counts."""
    page = page_of(
        StatusFixture.of([make_snapshot(1, "hr", running_job(90, scanned=0), ended_job("SUCCEEDED", HOUR, added=0))])
    )
    figures = dict(re.findall(r"<dt>(\w+)</dt><dd>([^<]*)</dd>", page.partition("<h4>In progress")[2]))
    assert figures["scanned"] == "0"
    assert figures["added"] == "\u2013"


def test_the_error_of_a_run_has_its_code_once() -> None:
    """Messages of connectors often begin with the code; the table does not repeat it."""
    coded = structs.replace(
        ended_job("FAILED", HOUR, 1), connector_error="CNF-5572", error_message="CNF-5572 token expired"
    )
    plain = structs.replace(ended_job("FAILED", 2 * HOUR, 2), error_code="InvalidRequest", error_message="no access")
    page = page_of(StatusFixture.of([make_snapshot(1, "wiki", coded, plain)]))
    cells = re.findall(r'<td class="truncated">(.*?)</td>', page)
    assert [re.sub(r"<[^>]+>", "", cell) for cell in cells] == ["CNF-5572 token expired", "InvalidRequest no access"]


def test_all_codes_of_an_error_are_on_the_page_beside_the_message() -> None:
    """DataSourceErrorCode is shown in full, but only once if it is the code of the connector."""
    raw = structs.replace(
        ended_job("FAILED", HOUR, 1), data_source_error_code="S3.AccessDenied", error_message="no access"
    )
    coded = structs.replace(
        raw, connector_error="SPE-5001", data_source_error_code="SPE-5001", error_code="InvalidRequest"
    )
    pages = [page_of(StatusFixture.of([make_snapshot(1, "hr", job)])) for job in (raw, coded)]
    codes = [
        re.findall(r"<code>([^<]+)</code>", page.partition('class="codes">')[2].partition("</p>")[0]) for page in pages
    ]
    assert codes == [["S3.AccessDenied"], ["InvalidRequest", "SPE-5001"]]
    assert all('<pre class="error" dir="auto">no access</pre>' in page for page in pages)
    assert "S3.AccessDenied <span" in pages[0].partition('<td class="truncated">')[2]


def test_a_state_in_memory_is_not_called_written() -> None:
    """Without a state file, a restart loses the counters."""
    fixture = StatusFixture.of()
    fixture.health = replace(HEALTH, state_path=":memory:")
    assert '<code>:memory:</code> <span class="muted">lost on restart</span>' in page_of(fixture)


def test_the_demo_serves_page_and_json(tmp_path: Path) -> None:
    """Both have names, errors, indexes and the health of the exporter."""
    with Program(["demo"], {"HOME": str(tmp_path)}) as program:
        program.until_ready()
        document = json.loads(program.get(API)[1])
        SCHEMA.validate(document)
        by_name = {each["data_source"]: each for each in document["data_sources"]}
        sources = {f"demo-{name}": len(list(fleet.data_sources())) for name, fleet in demo_fleets(NOON).items()}
        assert len(document["data_sources"]) == sum(sources.values())
        assert by_name["engineering-confluence"]["state"] == "critical"
        assert by_name["engineering-confluence"]["last_error"]["connector_code"] == "CNF-5572"
        assert by_name["tickets-custom"]["last_completed"]["documents"]["scanned"] is None
        assert by_name["legal-onedrive"]["latest"] is None
        assert by_name["archive-s3"]["running"]["status"] == "SYNCING"
        assert document["exporter"]["configuration"] == {
            "file": "built-in demo",
            "current": True,
            "loaded_at": document["exporter"]["configuration"]["loaded_at"],
        }
        targets = document["exporter"]["targets"]
        assert {target["name"]: target["data_sources"] for target in targets} == sources
        scrape = program.scrape()
        for target in targets:
            assert (target["is_up"], target["discovery_succeeded"]) == (True, True)
            assert 0 < target["request_rate"] <= target["request_rate_limit"] == 50
            polls = scrape.value("qbusiness_exporter_polls_total", target=target["name"])
            assert polls >= target["polls"] >= target["data_sources"]
        status, page = program.get("/")
        assert status == 200
        for name in by_name:
            assert name in page
        assert "CNF-5572 Authentication failed" in page


def test_problems_of_the_exporter_appear_and_disappear(tmp_path: Path) -> None:
    """A rejected configuration and a target that denies access are problems until they are resolved."""

    def exporter_of(program: Program) -> Any:
        document = json.loads(program.get(API)[1])
        SCHEMA.validate(document)
        return document["exporter"]

    def freshness_of(program: Program) -> Any:
        (source,) = json.loads(program.get(API)[1])["data_sources"]
        return source["freshness"]

    def alerts(program: Program) -> set[str]:
        return {problem["alert"] for problem in exporter_of(program)["problems"]}

    with SimulatedEndpoint(fleet_of(SimulatedDataSource("hr"))) as service:
        config = config_for(service, tmp_path / "state.db")
        with serve(tmp_path, config) as program:
            program.until_ready()
            eventually(lambda: exporter_of(program)["targets"][0]["discovery_succeeded"])
            assert exporter_of(program)["problems"] == []
            assert exporter_of(program)["state"] == {"path": str(tmp_path / "state.db"), "written": True}
            assert exporter_of(program)["configuration"]["file"] == str(tmp_path / "config.yaml")
            rewrite(program, "targets: 7")
            assert post(program)[0] == 500
            assert alerts(program) == {"QBusinessConfigReloadFailed"}
            assert "Configuration reload failed, keeping the previous configuration" in program.get("/")[1]
            fault = service.faults.add("denied", operation="ListDataSourceSyncJobs")
            eventually(lambda: alerts(program) == {"QBusinessConfigReloadFailed", "QBusinessTargetDown"})
            assert exporter_of(program)["targets"][0]["last_error"] == "ListDataSourceSyncJobs: AccessDeniedException"
            eventually(lambda: freshness_of(program)["last_poll_succeeded"] is False)
            freshness = freshness_of(program)
            assert freshness["last_poll_error"]["reason"] == "access_denied"
            assert "ListDataSourceSyncJobs" in freshness["last_poll_error"]["message"]
            assert freshness["stale"] is True
            page = program.get("/")[1]
            assert "AccessDeniedException" in page
            assert "<dt>Poll error</dt><dd><code>access_denied</code> ListDataSourceSyncJobs: " in page
            service.faults.remove(fault)
            reload(program, config)
            eventually(lambda: exporter_of(program)["problems"] == [])


def test_what_discovery_cannot_read_is_named(tmp_path: Path) -> None:
    """Application, operation and reason are on the page and in the JSON, until discovery can read it."""

    def target_of(program: Program) -> Any:
        document = json.loads(program.get(API)[1])
        SCHEMA.validate(document)
        return document["exporter"]["targets"][0]

    hidden = SimulatedApplication("payroll", [SimulatedIndex("main", [SimulatedDataSource("slips")])])
    fleet = fleet_of(SimulatedDataSource("hr"))
    fleet.applications.append(hidden)
    with SimulatedEndpoint(fleet) as service:
        fault = service.faults.add("denied", application_id=hidden.id)
        target = {"name": "test", "region": "us-east-1", "endpoint_url": service.url, "discovery": {"interval": "1s"}}
        config = {"targets": [target], "polling": {"interval": "1s"}, "state": {"path": str(tmp_path / "state.db")}}
        with serve(tmp_path, config) as program:
            eventually(lambda: target_of(program)["unreadable"])
            assert target_of(program)["unreadable"] == [
                {
                    "resource": f"application payroll ({hidden.id})",
                    "reason": "access_denied",
                    "operation": "ListIndices",
                    "code": "AccessDeniedException",
                }
            ]
            page = program.get("/")[1]
            assert (
                f"application payroll ({hidden.id}) (ListIndices: AccessDeniedException)" in page.partition("</h2>")[0]
            )
            assert f"<li>application payroll ({hidden.id}): <code>ListIndices</code>" in page
            service.faults.remove(fault)
            eventually(lambda: target_of(program)["unreadable_count"] == 0)
            assert "application payroll (" not in program.get("/")[1]


def test_many_unreadable_resources_are_counted() -> None:
    """The page names ten, the JSON fifty, and the problem one of them."""
    unreadable = tuple(UnreadableResource(f"application {n}", Reason.TIMEOUT, "ListIndices") for n in range(60))
    fixture = StatusFixture.of()
    fixture.health = replace(HEALTH, targets=(replace(TARGET, discovery_succeeded=False, unreadable=unreadable),))
    (target,) = fixture.status.exporter()["targets"]
    assert (len(target["unreadable"]), target["unreadable_count"]) == (50, 60)
    page = page_of(fixture)
    assert page.count("<li>application ") == 10
    assert "and 50 more</span>" in page
    assert "production could not read application 0 (ListIndices: timeout) and 59 more: new data sources may" in page


def test_the_wheel_contains_templates_and_runbooks(tmp_path: Path) -> None:
    """An installed package has templates, style, script, and a page of each runbook."""
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    templates = {path.relative_to(ROOT).as_posix() for path in (ROOT / "exporter/web/page/templates").iterdir()}
    assert {Path(name).suffix for name in templates} == {".html", ".css", ".js"}
    assert templates <= names
    runbooks = {f"exporter/web/page/runbooks/{path.stem}.html" for path in (ROOT / "docs/runbooks").glob("*.md")}
    assert runbooks <= names

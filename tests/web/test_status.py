"""The status page and the JSON over real HTTP: what they say, and what they never do."""

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

from exporter.simulator.fleet import SimulatedDataSource
from exporter.simulator.server import SimulatedQBusiness
from exporter.status import Query
from exporter.web.page import StatusPage
from tests.app.test_reload import post, reload, rewrite
from tests.support.builders import HOUR, NOON
from tests.support.harness import Program, config_for, eventually, fleet_of, serve
from tests.support.status_fixtures import HEALTH, TARGET, Exhibit, begun, ended, index, shown, stories
from tests.support.status_site import API, HOSTILE, SCHEMA, Served, gzip_text, hostile, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PAGE = StatusPage({"Metrics": "/metrics"})


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    """Serve the stories, one of them hostile."""
    indexes = [index(1, "full", documents=19_000), index(2, "roomy")]
    with serving(Exhibit.of([*stories(), hostile()], indexes)) as served:
        yield served


def page_of(exhibit: Exhibit, **query: str) -> str:
    """Render the page without a server."""
    document = exhibit.overview.document(Query.parse(query, 50))
    return PAGE.render(document, exhibit.overview.choices()).decode()


def test_the_json_is_as_its_schema_has_it(server: Served) -> None:
    """With every story at once, for each filter, and with nothing in it."""
    everything = server.json()
    assert everything["matching"] == len(everything["data_sources"]) == len(stories()) + 1
    for query in ("?state=problem", "?q=failed&page_size=2&page=2", "?data_source_id=nobody", "?type=S3&application=x"):
        server.json(query)
    assert server.json("?data_source_id=nobody")["data_sources"] == []
    assert server.json("?q=failed&page_size=2&page=2")["page"] == 2


def test_the_schema_leaves_no_field_out() -> None:
    """Every object of it says what is required, lets nothing else in, and every reference leads somewhere."""
    schema = json.loads((ROOT / "docs/api.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    for definition in (schema, *schema["$defs"].values()):
        assert definition["additionalProperties"] is False
        assert set(definition["required"]) == set(definition["properties"])
    refused = {**json.loads(json.dumps(Exhibit.of().overview.document(Query()))), "surprise": 1}
    assert not SCHEMA.is_valid(refused)


def test_the_page_and_the_json_tell_the_same_story(server: Served) -> None:
    """Every problem and every count of the JSON is on the page, and its sources come in the same order."""
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


def test_the_permalink_of_an_alert_opens_one_source(server: Served) -> None:
    """It alone is on the page, with everything unfolded; one that nobody knows is told so."""
    identity = stories()[3].source.id.data_source_id
    page = server.get(f"/?data_source_id={identity}").text
    assert page.count('<li class="source') == 1
    assert f'<details id="more-{identity}" open>' in page
    assert "failed-thrice" in page
    gone = server.get("/?data_source_id=gone").text
    assert "No data source with this id" in gone


@pytest.mark.parametrize(
    ("query", "message"), [("state=bad", "state=bad must be one of"), ("page=0", "page=0 must be a whole number")]
)
@pytest.mark.parametrize("path", ["/", API])
def test_a_query_that_means_nothing_is_refused(server: Served, path: str, query: str, message: str) -> None:
    """400 says what would be right, as plain text."""
    answer = server.get(f"{path}?{query}")
    assert answer.status == 400
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert message in answer.text


@pytest.mark.parametrize("path", ["/", API])
def test_answers_are_compressed_for_who_can_read_it(server: Served, path: str) -> None:
    """And are the same, to whoever asks; no cache keeps them."""
    plain, small = server.get(path), server.get(path, **{"Accept-Encoding": "gzip"})
    assert small.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert gzip_text(small) == plain.text
    assert len(small.body) * 4 < len(plain.body)
    assert plain.headers["Cache-Control"] == "no-store"
    assert plain.headers["Vary"] == "Accept-Encoding"


def test_the_policy_allows_the_pages_own_style_and_script_and_nothing_else(server: Served) -> None:
    """Its hashes are those of what is in the page, and the page asks for nothing from anywhere."""
    answer = server.get("/")

    def digest(tag: str) -> str:
        (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", answer.text, re.DOTALL)
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    assert answer.headers["Content-Security-Policy"].split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{digest('style')}'",
        f"script-src 'sha256-{digest('script')}'",
        "connect-src 'self'",
        "img-src data:",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
    assert re.findall(r'(?:src|href|action)="((?!\?|\./|#|data:)[^"]*)"', answer.text) == []
    assert not re.search(r'\s(?:style|on\w+)="', re.sub(r"<pre.*?</pre>|<td.*?</td>", "", answer.text, flags=re.DOTALL))


def test_text_from_outside_is_shown_and_does_nothing(server: Served) -> None:
    """In full, escaped, and with what nobody would see made visible; the JSON has it to the letter."""
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
def test_no_text_breaks_the_page(text: str) -> None:
    """Whatever a message, a name, a label or a search word is made of, the page has the same elements."""

    def elements(said: str) -> list[str]:
        failed = replace(ended("FAILED", HOUR), error_message=said, error_code=said, connector_error=said)
        source = shown(1, "x", failed, type=said, status=said)
        source = replace(source, index=said, source=replace(source.source, labels=(("team", said),)))
        page = page_of(Exhibit.of([source]), q="1")
        return re.findall(r"</?[a-z]\w*", page)

    assert elements(f"word {text}") == elements("word")


def test_a_filter_is_put_back_into_the_form_escaped(server: Served) -> None:
    """What was asked for stands in its field, and gets nowhere else."""
    answer = server.get("/?q=%22%3E%3Cscript%3Ex&application=%3Cb%3E")
    assert 'name="q" value="&#34;&gt;&lt;script&gt;x"' in answer.text
    assert answer.text.count("<script>") == 1
    assert "No data source matches the filters" in answer.text


def test_a_page_leads_to_the_next_with_its_filters(server: Served) -> None:
    """What was asked for holds on every page."""
    page = server.get("/?application=intranet&page_size=10&page=2").text
    assert "Page 2 of 5" in page
    for link in re.findall(r'rel="(?:prev|next)" href="([^"]+)"', page):
        assert "application=intranet" in link
        assert "page_size=10" in link


def test_empty_states_say_why() -> None:
    """Before the first pass, without any data source, and when AWS cannot be reached: each has its own words."""
    waiting = Exhibit.of()
    waiting.health = replace(HEALTH, unready="data sources are being looked for")
    page = page_of(waiting)
    assert "Looking for data sources" in page
    assert "The first pass has not ended: data sources are being looked for." in page
    assert "No data sources" in page_of(Exhibit.of())
    refused = Exhibit.of()
    down = replace(TARGET, is_up=False, trouble="ListApplications: AccessDeniedException", discovery_succeeded=False)
    refused.health = replace(HEALTH, targets=(down,), unready="no poll has succeeded yet")
    page = page_of(refused)
    assert "The exporter needs attention" in page
    assert "Target production is unreachable or denies access (ListApplications: AccessDeniedException)" in page
    assert "See the problems above." in page


def test_nothing_is_called_fine_that_is_not_known() -> None:
    """Data that is out of date takes the word back, and so does an index that is nearly full."""
    fresh = shown(1, "hr", ended("SUCCEEDED", HOUR, scanned=5))
    assert "The data source is OK" in page_of(Exhibit.of([fresh]))
    stale = replace(fresh, poll_succeeded=False, polled_at=NOON - 60)
    page = page_of(Exhibit.of([stale]))
    assert " OK" not in page.partition("</h1>")[0]
    assert "1 stale" in page
    assert "1 index needs attention" in page_of(Exhibit.of([fresh], [index(documents=20_000)]))


def test_runs_in_progress_and_figures_that_were_not_said_are_told_apart() -> None:
    """A dash is not a zero."""
    page = page_of(Exhibit.of([shown(1, "hr", begun(90, scanned=0), ended("SUCCEEDED", HOUR, added=0))]))
    figures = dict(re.findall(r"<dt>(\w+)</dt><dd>([^<]*)</dd>", page.partition("<h4>In progress")[2]))
    assert figures["scanned"] == "0"
    assert figures["added"] == "\u2013"


def test_the_demo_serves_both(tmp_path: Path) -> None:
    """From boto3's answers over HTTP to the page: with names, errors, indexes and the exporter's own health."""
    with Program(["demo"], {"HOME": str(tmp_path)}) as program:
        program.until_ready()
        document = json.loads(program.get(API)[1])
        SCHEMA.validate(document)
        by_name = {each["data_source"]: each for each in document["data_sources"]}
        assert len(by_name) == 12
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
        (target,) = document["exporter"]["targets"]
        assert (target["is_up"], target["data_sources"], target["discovery_succeeded"]) == (True, 12, True)
        assert 0 < target["request_rate"] <= target["request_rate_limit"] == 50
        scrape = program.scrape()
        assert scrape.value("qbusiness_exporter_polls_total", target="demo") >= target["polls"] >= 12
        status, page = program.get("/")
        assert status == 200
        for name in by_name:
            assert name in page
        assert "CNF-5572 Authentication failed" in page


def test_what_becomes_of_the_exporter_is_told_while_it_happens(tmp_path: Path) -> None:
    """A configuration that was refused, a target that denies access, and the way back from both."""

    def exporter_of(program: Program) -> Any:
        document = json.loads(program.get(API)[1])
        SCHEMA.validate(document)
        return document["exporter"]

    def alerts(program: Program) -> set[str]:
        return {problem["alert"] for problem in exporter_of(program)["problems"]}

    with SimulatedQBusiness(fleet_of(SimulatedDataSource("hr"))) as service:
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
            assert exporter_of(program)["targets"][0]["trouble"] == "ListDataSourceSyncJobs: AccessDeniedException"
            (source,) = json.loads(program.get(API)[1])["data_sources"]
            assert source["freshness"]["last_poll_succeeded"] is False
            assert source["freshness"]["stale"] is True
            assert "AccessDeniedException" in program.get("/")[1]
            service.faults.remove(fault)
            reload(program, config)
            eventually(lambda: exporter_of(program)["problems"] == [])


def test_a_wheel_has_all_that_the_page_is_made_of(tmp_path: Path) -> None:
    """Who installs it gets templates, style and script."""
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    templates = {path.relative_to(ROOT).as_posix() for path in (ROOT / "exporter/web/page/templates").iterdir()}
    assert {Path(name).suffix for name in templates} == {".html", ".css", ".js"}
    assert templates <= names

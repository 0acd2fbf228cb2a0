"""The page: whole sources, the format that was asked for, and figures that time alone changes."""

from __future__ import annotations

import gzip
import itertools
import threading
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from isal import isal_zlib
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from exporter.aws import AwsClock
from exporter.domain.history import fold
from exporter.domain.model import Description, Location, Names, SyncJob, tag_label
from exporter.domain.snapshots import SourceSnapshot
from exporter.domain.source_history import PollData
from exporter.exposition import Exposition, ExpositionCache, chunks
from exporter.exposition import gzip as gzip_blocks
from exporter.metrics import SourceFamilies
from tests.support.builders import HOUR, NOON, POLICY, FakeClock, make_job, make_source, scrape

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@dataclass(frozen=True)
class Page:
    """A page, and where it is published to."""

    sources: ExpositionCache[SourceSnapshot]
    exposition: Exposition

    def render(self, accept: str, accept_encoding: str) -> tuple[bytes, dict[str, str]]:
        """Give the page's body and headers."""
        return scrape(self.exposition, accept, accept_encoding)


@pytest.fixture
def page(clock: FakeClock) -> Page:
    """Give a page with one live metric of the exporter's own."""
    registry = CollectorRegistry()
    Gauge("own", "Something live.", registry=registry).set_function(clock.monotonic)
    section: ExpositionCache[SourceSnapshot] = ExpositionCache(SourceFamilies(POLICY.window), clock)
    return Page(section, Exposition((section,), registry))


def show(page: Page, clock: FakeClock, *jobs: SyncJob, name: str = "hr") -> None:
    """Publish a source with jobs."""
    history = fold(None, PollData(jobs, NOON, NOON), POLICY)
    shown = SourceSnapshot(make_source(), Names("intranet", name), history, poll_succeeded=True, polled_at=NOON)
    page.sources.put("a", shown, AwsClock(clock))


def value(page: Page, name: str, **labels: str) -> float | None:
    """Scrape and give one sample."""
    return value_in(page.render("", "")[0], name, **labels)


def value_in(body: bytes, name: str, **labels: str) -> float | None:
    """Give one sample of a page."""
    for family in text_string_to_metric_families(body.decode()):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return sample.value
    return None


@pytest.mark.parametrize(
    ("accept", "served"),
    [
        ("", TEXT),
        ("*/*", TEXT),
        ("text/html", TEXT),
        ("application/openmetrics-text", OPENMETRICS),
        ("application/openmetrics-text; version=1.0.0", OPENMETRICS),
        ("application/openmetrics-text; version=2.0.0", TEXT),
        ("application/openmetrics-text;q=0", TEXT),
        ("application/openmetrics-text;q=nonsense", TEXT),
        ("application/openmetrics-text;version=1.0.0;q=0.2,text/plain;version=0.0.4;q=0.9", TEXT),
        # Prometheus 2.42 and 3.x
        (
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
                "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
            ),
            OPENMETRICS,
        ),
        (
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
                "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
                "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
            ),
            OPENMETRICS,
        ),
    ],
)
def test_the_format_is_the_one_that_was_asked_for(page: Page, accept: str, served: str) -> None:
    """By quality, as RFC 9110 has it; text when in doubt."""
    body, headers = page.render(accept, "")
    assert headers["Content-Type"] == served
    assert body.endswith(b"# EOF\n") == (served == OPENMETRICS)


@pytest.mark.parametrize(
    ("accepts", "zipped"), [("gzip", True), ("deflate, GZIP;q=0.5", True), ("gzip;q=0", False), ("", False)]
)
def test_gzip_when_it_is_accepted(page: Page, clock: FakeClock, accepts: str, zipped: bool) -> None:  # noqa: FBT001 (a table)
    """And the same page within."""
    show(page, clock)
    body, headers = page.render("", accepts)
    assert headers.get("Content-Encoding") == ("gzip" if zipped else None)
    assert (gzip.decompress(body) if zipped else body) == page.render("", "")[0]


def test_there_are_no_created_series(page: Page, clock: FakeClock) -> None:
    """Prometheus would keep them as plain extra series."""
    show(page, clock, make_job(started=NOON + 1))
    assert b"_created" not in page.render("application/openmetrics-text", "")[0].replace(b"data_source_created", b"")


def test_a_job_leaves_the_window_between_polls(page: Page, clock: FakeClock) -> None:
    """Time alone changes the figure, and nothing else has to happen."""
    show(page, clock, make_job("a", started=NOON - 23 * HOUR), make_job("b", started=NOON - 22 * HOUR))
    counts = []
    for _ in range(4):
        counts.append(value(page, "qbusiness_sync_jobs", status="SUCCEEDED"))
        clock.advance(HOUR)
    assert counts == [2.0, 1.0, 0.0, 0.0]


def test_the_exporters_own_metrics_are_live(page: Page, clock: FakeClock) -> None:
    """They are asked for at each scrape."""
    show(page, clock)
    before = value(page, "own")
    clock.advance(5)
    assert value(page, "own") == (before or 0) + 5


def test_publishing_replaces_all_of_a_source(page: Page, clock: FakeClock) -> None:
    """Nothing of what was shown before is left."""
    show(page, clock, make_job("a", "SYNCING", started=NOON - HOUR, lasted=None), name="former")
    show(page, clock, make_job("a", "FAILED", started=NOON - HOUR), name="new")
    body, _ = page.render("", "")
    assert b"former" not in body
    assert value(page, "qbusiness_running_sync_start_timestamp_seconds") is None
    assert value(page, "qbusiness_sync_status", status="FAILED") == 1.0


@pytest.mark.parametrize("name", ['quote"d', "back\\slash", "new\nline", "# HELP qbusiness_fake", "üñï", ""])
def test_hostile_names_stay_within_their_label(page: Page, clock: FakeClock, name: str) -> None:
    """Escaped by prometheus_client, and never taken for a header of ours."""
    show(page, clock, make_job(started=NOON - HOUR), name=name)
    assert value(page, "qbusiness_sync_running", data_source=name) == 0.0
    assert value(page, "qbusiness_consecutive_failed_syncs", data_source=name) == 0.0


def test_the_next_sync_is_right_between_polls(page: Page, clock: FakeClock) -> None:
    """When the schedule fires, what was next is what was last, whether a poll came or not."""
    description = Description("hr", "S3", "ACTIVE", schedule="cron(0/30 * * * ? *)")
    names, location = Names("intranet", "hr"), Location("111122223333", "us-east-1")
    history = fold(None, PollData((), NOON, NOON), POLICY)
    shown = SourceSnapshot(make_source(), names, history, True, NOON, "main", description, location)  # noqa: FBT003 (a record)
    page.sources.put("a", shown, AwsClock(clock))
    fired = []
    for _ in range(4):
        last = value(page, "qbusiness_data_source_previous_scheduled_sync_timestamp_seconds")
        following = value(page, "qbusiness_data_source_next_scheduled_sync_timestamp_seconds")
        assert last is not None
        assert following is not None
        assert last <= clock.time() < following
        assert following - last == 1800
        fired.append(last)
        clock.advance(following - clock.time())
    assert len(set(fired)) == 4


def test_what_is_withdrawn_is_shown_no_more(page: Page, clock: FakeClock) -> None:
    """And can be published again."""
    show(page, clock)
    page.sources.remove("a")
    assert value(page, "qbusiness_poll_success") is None
    show(page, clock)
    assert value(page, "qbusiness_poll_success") == 1.0


@given(st.text(max_size=30), st.text(max_size=20), st.text(max_size=30))
def test_hostile_facts_stay_within_their_labels(schedule: str, key: str, tag: str) -> None:
    """Schedules, tags and types are AWS's text."""
    clock = FakeClock()
    section: ExpositionCache[SourceSnapshot] = ExpositionCache(SourceFamilies(POLICY.window), clock)
    clean = [text.encode("utf-8", "replace").decode() for text in (schedule, key, tag)]
    description = Description("hr", clean[2], clean[0], schedule=clean[0], tags=((clean[1], clean[2]),))
    names, location = Names("intranet", "hr"), Location("", "")
    shown = SourceSnapshot(make_source(), names, None, True, NOON, "main", description, location)  # noqa: FBT003 (a record)
    section.put("a", shown, AwsClock(clock))
    body, _ = scrape(Exposition((section,), CollectorRegistry()))
    families = {family.name: family for family in text_string_to_metric_families(body.decode())}
    (info,) = families["qbusiness_data_source_info"].samples
    assert info.labels["data_source_type"] == clean[2]
    assert info.labels["schedule"] == clean[0].strip()
    assert info.labels[tag_label(clean[1])] == clean[2]


FIRST_LINES = st.sampled_from(["intranet", 'quote"d', "back\\slash", "two\nlines", "# HELP qbusiness_fake", "üñï", ""])
JOBS = st.lists(
    st.builds(
        make_job,
        st.sampled_from("abcdef"),
        st.sampled_from(["SUCCEEDED", "FAILED", "INCOMPLETE", "SYNCING", "SYNCING_INDEXING", "PAUSED"]),
        st.floats(NOON - 30 * HOUR, NOON),
        st.none() | st.floats(0, 9 * HOUR),
        scanned=st.none() | st.integers(0, 10**12),
    ),
    max_size=4,
    unique_by=lambda job: job.execution_id,
)
ABOUT = st.builds(
    Description,
    st.just("hr"),
    FIRST_LINES,
    st.sampled_from(["ACTIVE", "MENDING"]),
    schedule=st.sampled_from([None, "", "cron(0/30 * * * ? *)", "whenever"]),
    tags=st.just(()) | st.tuples(st.tuples(FIRST_LINES, FIRST_LINES)),
)
KEYS = st.sampled_from("abcdefgh")


@st.composite
def snapshots(draw: st.DrawFn) -> SourceSnapshot:
    """Make a source with anything between nothing and a past that was watched."""
    history = None
    if draw(st.booleans()):
        history = fold(None, PollData(tuple(draw(JOBS)), NOON - HOUR, NOON - HOUR), POLICY)
        history = fold(history, PollData(tuple(draw(JOBS)), NOON, NOON), POLICY)
    names = Names(draw(FIRST_LINES), draw(FIRST_LINES))
    description, location = draw(st.none() | ABOUT), Location("111122223333", "us-east-1")
    polled = draw(st.none() | st.floats(NOON - HOUR, NOON))
    return SourceSnapshot(make_source(), names, history, draw(st.booleans()), polled, "main", description, location)


PASSED = st.sampled_from([0.0, 7.0, 1800.0, 9 * HOUR])
PREPARED = st.sampled_from([0.0, 1800.0, 30 * HOUR])
CHANGES = st.lists(st.tuples(KEYS, st.none() | snapshots(), PASSED, PREPARED), max_size=16)


@mock.patch.object(chunks, "MAX_CHUNK_SOURCES", 2)
@given(CHANGES, st.sampled_from([isal_zlib, zlib]))
@settings(deadline=None)
def test_what_is_kept_and_joined_is_what_prometheus_client_renders(
    changes: list[tuple[str, SourceSnapshot | None, float, float]], compression: ModuleType
) -> None:
    """After any publications, withdrawals and hours, in either format: the samples, under the headers, in the order."""
    clock, families = FakeClock(), SourceFamilies(POLICY.window)
    section: ExpositionCache[SourceSnapshot] = ExpositionCache(families, clock)
    page = Exposition((section,), CollectorRegistry())
    shown: dict[str, SourceSnapshot] = {}
    for key, snapshot, passed, prepared in changes:
        for _ in page.prepare(prepared):
            pass
        clock.advance(passed)
        if snapshot is None:
            section.remove(key)
            shown.pop(key, None)
        else:
            shown[key] = replace(snapshot, source=make_source(ord(key)))
            section.put(key, shown[key], AwsClock(clock))
        expected = [
            merged(parts) for parts in zip(*(collected(shown[key], clock) for key in sorted(shown)), strict=True)
        ]
        with mock.patch.object(gzip_blocks, "zlib", compression):
            for accept, render in (("", generate_latest), ("application/openmetrics-text", generate_openmetrics)):
                body, _ = scrape(page, accept)
                assert body == render(Collected(expected))
                assert gzip.decompress(scrape(page, accept, "gzip")[0]) == body
        text, openmetrics = (scrape(page, accept)[0].decode() for accept in ("", "application/openmetrics-text"))
        assert parsed(text_string_to_metric_families(text)) == parsed(parse_openmetrics(openmetrics))


def collected(snapshot: SourceSnapshot, clock: FakeClock) -> list[Metric]:
    """Give all families of one source as of now."""
    families = SourceFamilies(POLICY.window)
    parts = range(len(families.parts(snapshot)))
    return [metric for part in parts for metric in families.collect(snapshot, AwsClock(clock).now(), part)]


def merged(families: tuple[Metric, ...]) -> Metric:
    """Put the samples of one family of several sources together."""
    first = families[0]
    metric = Metric(first.name, first.documentation, first.type)
    metric.samples = [sample for family in families for sample in family.samples]
    return metric


def parsed(families: Iterable[Metric]) -> dict[str, list[tuple[str, dict[str, str], float]]]:
    """Give what a parser read, exemplars aside."""
    return {
        family.name: [(sample.name, sample.labels, sample.value) for sample in family.samples] for family in families
    }


@dataclass
class Collected(CollectorRegistry):
    """A registry of what is already there."""

    metrics: list[Metric]

    def collect(self) -> list[Metric]:
        """Give all of it."""
        return self.metrics


def test_gzip_is_one_member(page: Page, clock: FakeClock) -> None:
    """Browsers and curl read the first, and leave out what follows without a word."""
    show(page, clock, make_job(started=NOON - HOUR))
    reader = zlib.decompressobj(zlib.MAX_WBITS | 16)
    assert reader.decompress(page.render("", "gzip")[0]) == page.render("", "")[0]
    assert (reader.eof, reader.unused_data) == (True, b"")


def test_what_did_not_change_is_the_same_object(page: Page, clock: FakeClock) -> None:
    """A quiet poll costs a scrape one family: when it was; the formats share what is the same in both."""
    show(page, clock, make_job(started=NOON - HOUR))
    pieces, _ = page.exposition.render("", "")
    openmetrics, _ = page.exposition.render("application/openmetrics-text", "")
    old = {id(piece) for piece in pieces}
    assert sum(id(piece) in old for piece in openmetrics) > len(openmetrics) / 2
    history = fold(None, PollData((make_job(started=NOON - HOUR),), NOON, NOON), POLICY)
    again = SourceSnapshot(make_source(), Names("intranet", "hr"), history, poll_succeeded=True, polled_at=NOON + 60)
    page.sources.put("a", again, AwsClock(clock))
    new = b"".join(piece for piece in page.exposition.render("", "")[0] if id(piece) not in old)
    names = [line.split(b"{")[0].split()[0] for line in new.splitlines() if not line.startswith(b"#")]
    assert names == [b"qbusiness_last_successful_poll_timestamp_seconds", b"own"]


def test_no_scrape_sees_half_a_source(page: Page, clock: FakeClock) -> None:
    """While one is published again and again, every page is of one moment, and none earlier than the last."""
    stop = threading.Event()

    def publish() -> None:
        for number in itertools.count():
            if stop.is_set():
                return
            jobs = [make_job(str(n), started=NOON - n - 1, scanned=number) for n in range(number % 5)]
            show(
                page, clock, *jobs, make_job("last", "SYNCING", started=NOON, lasted=None, scanned=number, added=number)
            )

    publisher = threading.Thread(target=publish)
    show(page, clock)
    publisher.start()
    try:
        seen = [
            (
                value_in(body, "qbusiness_running_sync_documents_scanned"),
                value_in(body, "qbusiness_running_sync_documents_added"),
            )
            for body in (page.render("", "")[0] for _ in range(200))
        ]
    finally:
        stop.set()
        publisher.join()
    assert all(scanned == added for scanned, added in seen)
    moments = [scanned for scanned, _ in seen if scanned is not None]
    assert moments == sorted(moments)
    assert len(set(moments)) > 20


def test_a_scrape_at_the_full_hour_finds_all_of_it_rendered(clock: FakeClock) -> None:
    """What falls due within the next minutes is made ahead, also when quiet polls come in between."""
    counted = Counted(POLICY.window)
    section: ExpositionCache[SourceSnapshot] = ExpositionCache(counted, clock)
    page = Exposition((section,), CollectorRegistry())
    description = Description("hr", "S3", "ACTIVE", schedule="cron(0 * * * ? *)")
    shown = SourceSnapshot(make_source(), Names("a", "b"), None, True, NOON, "main", description, Location("", ""))  # noqa: FBT003 (a record)
    section.put("a", shown, AwsClock(clock))
    firing = value_in(scrape(page)[0], "qbusiness_data_source_next_scheduled_sync_timestamp_seconds")
    assert firing is not None
    clock.advance(firing - clock.time() - 60)
    assert len(list(page.prepare(50))) == 0
    assert len(list(page.prepare(180))) == 1
    assert len(list(page.prepare(180))) == 0
    section.put("a", replace(shown, polled_at=clock.time()), AwsClock(clock))
    scrape(page)
    clock.advance(59.9)
    Counted.collected = 0
    assert value_in(scrape(page)[0], "qbusiness_data_source_next_scheduled_sync_timestamp_seconds") == firing
    clock.advance(0.11)
    assert value_in(scrape(page)[0], "qbusiness_data_source_previous_scheduled_sync_timestamp_seconds") == firing
    assert Counted.collected == 0


class Counted(SourceFamilies):
    """The families, counting how often one is rendered."""

    collected = 0

    def collect(self, snapshot: SourceSnapshot, now: float, part: int) -> list[Metric]:
        """Count and give."""
        Counted.collected += 1
        return super().collect(snapshot, now, part)


def test_other_declarations_apply_to_what_is_shown(page: Page, clock: FakeClock) -> None:
    """A window of another length counts anew what is already there."""
    show(page, clock, make_job("a", started=NOON - 23 * HOUR), make_job("b", started=NOON - 2 * HOUR))
    assert value(page, "qbusiness_sync_jobs", status="SUCCEEDED") == 2
    page.sources.use_families(SourceFamilies(3 * HOUR))
    assert value(page, "qbusiness_sync_jobs", status="SUCCEEDED") == 1

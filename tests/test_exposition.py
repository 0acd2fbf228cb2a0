"""The page: whole sources, the format that was asked for, and figures that time alone changes."""

from __future__ import annotations

import gzip
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.parser import text_string_to_metric_families

from builders import HOUR, NOON, POLICY, FakeClock, make_job, make_source
from exporter.aws import AwsClock
from exporter.exposition import Exposition, Section
from exporter.history import fold
from exporter.metrics import SourceFamilies
from exporter.model import Description, Location, Names, Reading, SourceSnapshot, SyncJob, tag_label

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@dataclass(frozen=True)
class Page:
    """A page, and where it is published to."""

    sources: Section[SourceSnapshot]
    exposition: Exposition

    def render(self, accept: str, accept_encoding: str) -> tuple[bytes, dict[str, str]]:
        """Give the page's body and headers."""
        return self.exposition.render(accept, accept_encoding)


@pytest.fixture
def page(clock: FakeClock) -> Page:
    """Give a page with one live metric of the exporter's own."""
    registry = CollectorRegistry()
    Gauge("own", "Something live.", registry=registry).set_function(clock.monotonic)
    section: Section[SourceSnapshot] = Section(SourceFamilies(POLICY.window), clock)
    return Page(section, Exposition((section,), registry))


def show(page: Page, clock: FakeClock, *jobs: SyncJob, name: str = "hr") -> None:
    """Publish a source with jobs."""
    history = fold(None, Reading(jobs, NOON, NOON), POLICY)
    shown = SourceSnapshot(make_source(), Names("intranet", name), history, poll_succeeded=True, polled_at=NOON)
    page.sources.publish("a", shown, AwsClock(clock))


def value(page: Page, name: str, **labels: str) -> float | None:
    """Scrape and give one sample."""
    body, _ = page.render("", "")
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
    about = Description("hr", "S3", "ACTIVE", schedule="cron(0/30 * * * ? *)")
    names, location = Names("intranet", "hr"), Location("111122223333", "us-east-1")
    history = fold(None, Reading((), NOON, NOON), POLICY)
    shown = SourceSnapshot(make_source(), names, history, True, NOON, "main", about, location)  # noqa: FBT003 (a record)
    page.sources.publish("a", shown, AwsClock(clock))
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
    page.sources.withdraw("a")
    assert value(page, "qbusiness_poll_success") is None
    show(page, clock)
    assert value(page, "qbusiness_poll_success") == 1.0


@given(st.text(max_size=30), st.text(max_size=20), st.text(max_size=30))
def test_hostile_facts_stay_within_their_labels(schedule: str, key: str, tag: str) -> None:
    """Schedules, tags and types are AWS's text."""
    clock = FakeClock()
    section: Section[SourceSnapshot] = Section(SourceFamilies(POLICY.window), clock)
    clean = [text.encode("utf-8", "replace").decode() for text in (schedule, key, tag)]
    about = Description("hr", clean[2], clean[0], schedule=clean[0], tags=((clean[1], clean[2]),))
    names, location = Names("intranet", "hr"), Location("", "")
    shown = SourceSnapshot(make_source(), names, None, True, NOON, "main", about, location)  # noqa: FBT003 (a record)
    section.publish("a", shown, AwsClock(clock))
    body, _ = Exposition((section,), CollectorRegistry()).render("", "")
    families = {family.name: family for family in text_string_to_metric_families(body.decode())}
    (info,) = families["qbusiness_data_source_info"].samples
    assert info.labels["data_source_type"] == clean[2]
    assert info.labels["schedule"] == clean[0].strip()
    assert info.labels[tag_label(clean[1])] == clean[2]

"""The cache of rendered metrics, and its changes by a put, a removal, other declarations and time."""

from __future__ import annotations

import itertools
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.domain.counting.history import fold
from exporter.domain.counting.source_history import PollData
from exporter.domain.model import Description, Location, Names
from exporter.domain.snapshots import SourceSnapshot
from exporter.domain.units import HOUR
from exporter.metrics import FamilyFilter, SourceFamilies
from exporter.providers.qbusiness.service import QBUSINESS
from tests.support.builders import NOON, POLICY, FakeClock, make_job, make_source
from tests.support.exposition_page import ExpositionPage, sample_value

if TYPE_CHECKING:
    from exporter.domain.source_view import SourceView
    from exporter.exposition.lines import FormatLines
    from exporter.metrics.families import LabelledView

SCRAPES = 200
ACCEPTS = ("", "application/openmetrics-text")
PREVIOUS = "qbusiness_data_source_previous_scheduled_sync_timestamp_seconds"
NEXT = "qbusiness_data_source_next_scheduled_sync_timestamp_seconds"


def scheduled(schedule: str) -> SourceSnapshot:
    """Build a snapshot of a data source with a schedule."""
    description = Description("hr", "S3", "ACTIVE", schedule=schedule)
    names, location = Names("intranet", "hr"), Location("111122223333", "us-east-1")
    history = fold(None, PollData((), NOON, NOON), POLICY)
    return SourceSnapshot(make_source(), names, history, True, NOON, "main", description, location)  # noqa: FBT003 (a record)


def test_a_put_replaces_all_lines_of_a_source(page: ExpositionPage) -> None:
    """No line of the former snapshot is left."""
    page.put(make_job("a", "SYNCING", started=NOON - HOUR, lasted=None), name="former")
    page.put(make_job("a", "FAILED", started=NOON - HOUR), name="new")
    assert b"former" not in page.render()[0]
    assert page.value("qbusiness_running_sync_start_timestamp_seconds") is None
    assert page.value("qbusiness_sync_status", status="FAILED") == 1.0


def test_a_removed_source_has_no_lines(page: ExpositionPage) -> None:
    """It can be put again."""
    page.put()
    page.cache.remove("a")
    assert page.value("qbusiness_poll_success") is None
    page.put()
    assert page.value("qbusiness_poll_success") == 1.0


def test_removing_an_unknown_key_does_nothing(page: ExpositionPage) -> None:
    """Two targets may both remove an index that they share."""
    page.put()
    page.cache.remove("b")
    assert page.value("qbusiness_poll_success") == 1.0


def test_other_declarations_apply_to_present_sources(page: ExpositionPage) -> None:
    """With a shorter window, fewer of the same jobs count."""
    page.put(make_job("a", started=NOON - 23 * HOUR), make_job("b", started=NOON - 2 * HOUR))
    assert page.value("qbusiness_sync_jobs", status="SUCCEEDED") == 2
    page.cache.use_families(SourceFamilies(QBUSINESS, 3 * HOUR))
    assert page.value("qbusiness_sync_jobs", status="SUCCEEDED") == 1


def test_excluded_families_are_gone_until_they_are_included_again(page: ExpositionPage) -> None:
    """They have no lines and no header in either format, including for a source that is put meanwhile."""
    page.put(make_job("a", started=NOON - HOUR, scanned=5))
    everything = [page.render(accept)[0] for accept in ACCEPTS]
    excluded = FamilyFilter(("qbusiness_documents_*_total", "qbusiness_sync_job_duration_seconds"))
    page.cache.use_families(SourceFamilies(QBUSINESS, POLICY.window, filter=excluded))
    page.put_snapshot(scheduled("cron(0 3 * * ? *)"), "b")
    for accept in ACCEPTS:
        body = page.render(accept)[0]
        assert b"qbusiness_documents_" not in body
        assert b"qbusiness_sync_job_duration_seconds" not in body
        assert b"qbusiness_last_completed_sync_documents_scanned" in body
    page.cache.use_families(SourceFamilies(QBUSINESS, POLICY.window))
    assert page.value("qbusiness_documents_scanned_total") == 0
    page.cache.remove("b")
    assert [page.render(accept)[0] for accept in ACCEPTS] == everything


def test_a_part_without_families_is_not_rendered_when_time_passes(page: ExpositionPage, clock: FakeClock) -> None:
    """Excluded families take no time: if a schedule fires, no line changes."""
    families = CountingFamilies(QBUSINESS, POLICY.window, filter=FamilyFilter(("*_scheduled_sync_*",)))
    page.cache.use_families(families)
    page.put_snapshot(replace(scheduled("cron(0 * * * ? *)"), history=None))
    page.render()
    CountingFamilies.rendered = 0
    clock.advance(3 * HOUR)
    page.render()
    assert CountingFamilies.rendered == 0


def test_a_job_leaves_the_window_between_polls(page: ExpositionPage, clock: FakeClock) -> None:
    """The count follows time, without another put."""
    page.put(make_job("a", started=NOON - 23 * HOUR), make_job("b", started=NOON - 22 * HOUR))
    counts = []
    for _ in range(4):
        counts.append(page.value("qbusiness_sync_jobs", status="SUCCEEDED"))
        clock.advance(HOUR)
    assert counts == [2.0, 1.0, 0.0, 0.0]


def test_the_next_sync_is_correct_between_polls(page: ExpositionPage, clock: FakeClock) -> None:
    """When the schedule fires, the next firing becomes the previous one, without another put."""
    page.put_snapshot(scheduled("cron(0/30 * * * ? *)"))
    fired = []
    for _ in range(4):
        previous, following = page.value(PREVIOUS), page.value(NEXT)
        assert previous is not None
        assert following is not None
        assert previous <= clock.time() < following
        assert following - previous == 1800
        fired.append(previous)
        clock.advance(following - clock.time())
    assert len(set(fired)) == 4


def test_unchanged_pieces_stay_the_same_objects(page: ExpositionPage) -> None:
    """An idle poll changes the piece of one family; the formats share all pieces in which they do not differ."""
    job = make_job(started=NOON - HOUR)
    page.put(job)
    before = {id(piece): piece for piece in page.exposition.render("", "")[0]}
    openmetrics, _ = page.exposition.render("application/openmetrics-text", "")
    assert sum(id(piece) in before for piece in openmetrics) > len(openmetrics) / 2
    page.put(job, polled_at=NOON + 60)
    changed = b"".join(piece for piece in page.exposition.render("", "")[0] if id(piece) not in before)
    names = [line.split(b"{")[0].split()[0] for line in changed.splitlines() if not line.startswith(b"#")]
    assert names == [b"qbusiness_last_successful_poll_timestamp_seconds", b"own"]


def test_a_scrape_never_sees_half_a_put(page: ExpositionPage) -> None:
    """While another thread puts a source repeatedly, each scrape has one snapshot, and none is older than the last."""
    page.put()
    stop = threading.Event()
    writer = threading.Thread(target=_put_until, args=(page, stop))
    writer.start()
    try:
        seen = [_running_documents(page.render()[0]) for _ in range(SCRAPES)]
    finally:
        stop.set()
        writer.join()
    assert all(scanned == added for scanned, added in seen)
    numbers = [scanned for scanned, _ in seen if scanned is not None]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) > 20


def _running_documents(body: bytes) -> tuple[float | None, float | None]:
    scanned, added = (sample_value(body, f"qbusiness_running_sync_documents_{kind}") for kind in ("scanned", "added"))
    return scanned, added


def _put_until(page: ExpositionPage, stop: threading.Event) -> None:
    for number in itertools.count():
        if stop.is_set():
            return
        ended = [make_job(str(n), started=NOON - n - 1, scanned=number) for n in range(number % 5)]
        page.put(*ended, make_job("last", "SYNCING", started=NOON, lasted=None, scanned=number, added=number))


def test_a_scrape_after_a_firing_renders_nothing(clock: FakeClock) -> None:
    """`prepare` has rendered the successor, and an idle poll in between keeps it."""
    families = CountingFamilies(QBUSINESS, POLICY.window)
    page = ExpositionPage.empty(clock, families)
    snapshot = replace(scheduled("cron(0 * * * ? *)"), history=None)
    page.put_snapshot(snapshot)
    firing = page.value(NEXT)
    assert firing is not None
    clock.advance(firing - clock.time() - 60)
    assert [len(list(page.exposition.prepare(seconds))) for seconds in (50, 180, 180)] == [0, 1, 0]
    page.put_snapshot(replace(snapshot, polled_at=clock.time()))
    clock.advance(59.9)
    CountingFamilies.rendered = 0
    assert page.value(NEXT) == firing
    clock.advance(0.11)
    assert page.value(PREVIOUS) == firing
    assert CountingFamilies.rendered == 0


class CountingFamilies(SourceFamilies):
    """The families of data sources; counts how often one is rendered."""

    rendered = 0

    def lines(self, view: LabelledView[SourceView], part: int) -> dict[str, FormatLines]:
        """Count the call, and render."""
        CountingFamilies.rendered += 1
        return super().lines(view, part)

"""How far one poll reads: it is correct for every order and filter, and takes one request if nothing changed."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from exporter.domain.counting.history import fold, newly_ended
from exporter.domain.counting.source_history import SourceHistory
from exporter.domain.model import IN_PROGRESS
from exporter.domain.units import DAY, HOUR
from exporter.polling.full_read import read_full
from exporter.polling.lookback import read_for_backfill, read_incremental
from exporter.providers import JobPage
from tests.support.builders import NOON, POLICY, make_job

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.domain.model import SyncJob

ORDERS = ("newest", "oldest", "shuffled")
FILTERS = ("start", "overlap")


@dataclass
class FakeListing:
    """The sync jobs of a service, in one order and with one meaning of the `startTime` filter."""

    jobs: list[SyncJob]
    order: str = "newest"
    time_filter: str = "start"
    now: float = NOON
    unreadable: frozenset[str] = frozenset()
    requests: list[dict[str, object]] = field(default_factory=list)

    def __call__(
        self, *, since: float | None = None, until: float | None = None, status: str | None = None
    ) -> Iterator[JobPage]:
        """Yield pages of ten, and record each of them as a request."""
        found = [job for job in self._ordered() if self._matches(job, since, until, status)]
        for at in range(0, max(1, len(found)), 10):
            self.requests.append({"since": since, "status": status})
            page = found[at : at + 10]
            jobs = tuple(job for job in page if job.execution_id not in self.unreadable)
            yield JobPage(jobs, self.now, has_more=at + 10 < len(found), is_complete=len(jobs) == len(page))

    def _ordered(self) -> list[SyncJob]:
        if self.order == "shuffled":
            return sorted(self.jobs, key=lambda job: zlib.crc32(job.execution_id.encode()))
        found = sorted(self.jobs, key=lambda job: job.started, reverse=self.order == "newest")
        if self.order == "page-sorted":  # the oldest page first, the newest job first on each
            return [job for at in range(0, len(found), 10) for job in reversed(found[at : at + 10])]
        return found

    def _matches(self, job: SyncJob, since: float | None, until: float | None, status: str | None) -> bool:
        if (status is not None and job.status != status) or (until is not None and job.started > until):
            return False
        if since is None:
            return True
        if self.time_filter == "start":
            return job.started >= since
        return not job.is_terminal or job.ended is None or job.ended >= since


def hourly(count: int, status: str = "SUCCEEDED") -> list[SyncJob]:
    """Build the last `count` hourly jobs."""
    return [make_job(f"h{n}", status, started=NOON - n * HOUR - 1800, lasted=600) for n in range(count)]


def initial_poll(listing: FakeListing) -> SourceHistory:
    """Return the history after the initial poll."""
    return fold(None, read_full(listing, POLICY.window), POLICY)


def poll(listing: FakeListing, history: SourceHistory) -> SourceHistory:
    """Return the history after another poll."""
    return fold(history, read_incremental(listing, POLICY.window, history), POLICY)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("time_filter", FILTERS)
def test_the_initial_poll_reads_the_window_the_latest_jobs_and_deeper_ones_by_status(
    order: str, time_filter: str
) -> None:
    """Three days of failures hide neither the last success nor a job that is stuck for weeks."""
    failures = [make_job(f"f{n}", "FAILED", started=NOON - n * HOUR / 2 - 900, lasted=60) for n in range(150)]
    success = make_job("good", started=NOON - 20 * DAY)
    older = [make_job(f"g{n}", started=NOON - (21 + n) * DAY) for n in range(30)]
    stuck = make_job("stuck", "SYNCING", started=NOON - 19 * DAY, lasted=None)
    history = initial_poll(FakeListing([*failures, success, *older, stuck], order, time_filter))
    assert history.last_succeeded == success.ended
    assert [job.execution_id for job in history.jobs_in_progress()] == [stuck.execution_id]
    assert sum(job.started > NOON - DAY for job in history.jobs_newest_first()) == 48
    assert history.consecutive_failures() >= 100


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("time_filter", FILTERS)
def test_a_source_found_days_later_counts_from_when_its_target_was_first_watched(order: str, time_filter: str) -> None:
    """A job that was in progress then counts if it has ended since; one that had ended does not."""
    since = NOON - 2 * DAY
    before = [make_job(f"b{n}", started=since - DAY / 2 - n * HOUR, lasted=600) for n in range(60)]
    long = make_job("long", started=since - 6 * DAY, lasted=6 * DAY + HOUR)
    later = [make_job(f"l{n}", "FAILED", started=since + 60 + n * HOUR, lasted=600) for n in range(47)]
    listing = FakeListing([*later, long, *before], order, time_filter)
    watched = SourceHistory(watched_since=since, as_of=since)
    after = fold(watched, read_full(listing, POLICY.window, watched), POLICY)
    assert after.completed == {"FAILED": 47, "SUCCEEDED": 1}
    assert len(newly_ended(watched, after)) == 48


def test_the_initial_poll_of_a_source_found_soon_reads_the_window_only() -> None:
    """Discovery finds most sources within seconds after their target was first watched."""
    listing = FakeListing(hourly(24 * 365))
    watched = SourceHistory(watched_since=NOON - HOUR, as_of=NOON - HOUR)
    read_full(listing, POLICY.window, watched)
    assert len(listing.requests) <= 3 + 3


def test_the_initial_poll_of_a_young_source_is_one_request() -> None:
    """The first page has all of its jobs, so no search by status follows."""
    listing = FakeListing(hourly(10))
    initial_poll(listing)
    assert len(listing.requests) == 1


def test_the_initial_poll_of_an_old_source_is_bounded() -> None:
    """A year of hourly jobs costs the pages of the window, and one request for each status in progress."""
    listing = FakeListing(hourly(24 * 365))
    initial_poll(listing)
    assert len(listing.requests) <= 3 + 3


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("time_filter", FILTERS)
@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 500])
def test_an_idle_source_costs_one_request(order: str, time_filter: str, count: int) -> None:
    """The length of its history makes no difference."""
    listing = FakeListing(hourly(count), order, time_filter)
    history = initial_poll(listing)
    listing.requests.clear()
    poll(listing, history)
    assert len(listing.requests) == 1


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("time_filter", FILTERS)
def test_a_stuck_job_does_not_make_polls_read_all_later_jobs(order: str, time_filter: str) -> None:
    """A poll reads one page of new jobs and one page by status; it finds the end of the job."""
    stuck = make_job("stuck", "SYNCING", started=NOON - 20 * DAY, lasted=None, scanned=5)
    listing = FakeListing([*hourly(450), stuck], order, time_filter)
    history = initial_poll(listing)
    listing.requests.clear()
    history = poll(listing, history)
    assert len(listing.requests) <= (2 if time_filter == "start" else 1)
    listing.jobs[-1] = make_job("stuck", "FAILED", started=NOON - 20 * DAY, lasted=20 * DAY + 60, scanned=9)
    listing.now = NOON + 120
    history = poll(listing, history)
    assert history.completed == {"FAILED": 1}
    assert history.documents == {"scanned": 4}
    listing.requests.clear()
    poll(listing, history)
    assert len(listing.requests) == 1


@pytest.mark.parametrize("status", sorted(IN_PROGRESS))
def test_a_job_that_changes_between_states_in_progress_is_followed(status: str) -> None:
    """The job is missing under its last status, and is found under another one."""
    stuck = make_job("stuck", "SYNCING", started=NOON - 20 * DAY, lasted=None)
    listing = FakeListing([*hourly(100), stuck])
    history = initial_poll(listing)
    listing.jobs[-1] = structs.replace(stuck, status=status)
    listing.requests.clear()
    history = poll(listing, history)
    assert [job.status for job in history.jobs_in_progress()] == [status]
    assert len(listing.requests) <= 4


def test_a_job_that_aws_no_longer_lists_is_not_in_progress() -> None:
    """Otherwise an alert about a sync that takes too long would fire forever."""
    stuck = make_job("stuck", "SYNCING", started=NOON - 20 * DAY, lasted=None)
    listing = FakeListing([*hourly(30), stuck])
    history = initial_poll(listing)
    listing.jobs.pop()
    history = poll(listing, history)
    assert history.jobs_in_progress() == []
    listing.requests.clear()
    poll(listing, history)
    assert len(listing.requests) == 1


def test_a_job_with_an_unreadable_entry_has_not_vanished() -> None:
    """It stays in progress, and its end is counted later, although it started long before the window."""
    stuck = make_job("stuck", "SYNCING", started=NOON - 9 * DAY, lasted=None)
    listing = FakeListing([*hourly(40), stuck])
    history = initial_poll(listing)
    listing.unreadable = frozenset({stuck.execution_id})
    listing.now = NOON + 300
    history = poll(listing, history)
    assert [job.execution_id for job in history.jobs_in_progress()] == [stuck.execution_id]
    listing.unreadable = frozenset()
    listing.jobs[-1] = structs.replace(stuck, status="ABORTED", ended=NOON + 400)
    listing.now = NOON + 600
    assert poll(listing, history).completed == {"ABORTED": 1}


def test_a_full_reread_searches_a_job_that_had_vanished() -> None:
    """A job that one listing lacked is still counted when it ends; after a week it is evicted."""
    stuck = make_job("stuck", "SYNCING", started=NOON - 9 * DAY, lasted=None)
    listing = FakeListing([*hourly(40), stuck])
    history = initial_poll(listing)
    listing.jobs.remove(stuck)
    listing.now = NOON + 300
    history = poll(listing, history)
    assert history.jobs_in_progress() == []
    listing.jobs.append(structs.replace(stuck, status="ABORTED", ended=NOON + 400))
    listing.now = NOON + 6 * HOUR
    found = fold(history, read_full(listing, POLICY.window, history), POLICY)
    assert found.completed == {"ABORTED": 1}
    listing.jobs.pop()
    for hours in range(6, 8 * 24, 6):
        listing.now = NOON + hours * HOUR
        history = fold(history, read_full(listing, POLICY.window, history), POLICY)
    assert stuck.execution_id not in history.jobs


def test_a_missing_job_is_searched_by_its_last_status_first() -> None:
    """The other statuses follow in alphabetical order, which does not depend on hashing."""
    job = make_job("gone", "STOPPING", started=NOON - 9 * DAY, lasted=None)
    listing = FakeListing([*hourly(40), job])
    history = initial_poll(listing)
    listing.jobs.remove(job)
    listing.requests.clear()
    poll(listing, history)
    assert [request["status"] for request in listing.requests if request["status"]] == [
        "STOPPING",
        "SYNCING",
        "SYNCING_INDEXING",
    ]


def test_a_job_that_starts_in_the_future_does_not_hide_new_jobs() -> None:
    """New jobs start before it, and the next poll counts them."""
    listing = FakeListing([make_job("odd", started=NOON + 300 * DAY)])
    history = initial_poll(listing)
    listing.jobs.append(make_job("new", started=NOON + 60, lasted=30))
    listing.now = NOON + 120
    assert poll(listing, history).completed == {"SUCCEEDED": 1}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("time_filter", FILTERS)
def test_jobs_that_ended_between_two_polls_are_counted(order: str, time_filter: str) -> None:
    """No job is lost when no poll succeeds for three days."""
    listing = FakeListing(hourly(40), order, time_filter)
    history = initial_poll(listing)
    listing.jobs += [make_job(f"n{n}", "FAILED", started=NOON + n * HOUR, lasted=60) for n in range(70)]
    listing.now = NOON + 3 * DAY
    assert poll(listing, history).completed == {"FAILED": 70}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("time_filter", FILTERS)
@pytest.mark.parametrize("known", [0, 3, 40])
def test_a_reread_after_a_long_outage_goes_back_to_where_polling_ended(
    order: str, time_filter: str, known: int
) -> None:
    """Three days are longer than the window. The full reread that is due then misses no job."""
    listing = FakeListing(hourly(known), order, time_filter)
    history = initial_poll(listing)
    listing.jobs += [make_job(f"n{n}", "ABORTED", started=NOON + n * HOUR + 60, lasted=60) for n in range(70)]
    listing.now = NOON + 3 * DAY
    history = fold(history, read_full(listing, POLICY.window, history), POLICY)
    assert history.completed == {"ABORTED": 70}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("time_filter", FILTERS)
def test_a_search_for_the_last_success_loses_no_new_job(order: str, time_filter: str) -> None:
    """After a long outage of a source that only fails, the poll looks back further than one read."""
    known = [make_job(f"k{n}", "FAILED", started=NOON - n * HOUR / 3 - 1200, lasted=60) for n in range(299)]
    listing = FakeListing(known, order, time_filter)
    history = initial_poll(listing)
    listing.jobs += [make_job(f"n{n}", "FAILED", started=NOON + n * HOUR + 60, lasted=60) for n in range(70)]
    listing.now = NOON + 3 * DAY
    history = fold(history, read_full(listing, POLICY.window, history), POLICY)
    assert history.completed == {"FAILED": 70}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("time_filter", FILTERS)
def test_a_search_for_the_last_success_keeps_the_newest_jobs(order: str, time_filter: str) -> None:
    """The initial poll of a source that only fails knows its current state."""
    failures = hourly(400, "FAILED")
    history = initial_poll(FakeListing(failures, order, time_filter))
    assert [job.started for job in history.jobs_newest_first()[:24]] == [job.started for job in failures[:24]]


def test_a_reread_that_starts_with_old_jobs_does_not_stop_early() -> None:
    """A first page that is sorted newest-first, but has no job as new as the tracked ones, is not sufficient."""
    listing = FakeListing([make_job(f"j{n}", started=NOON - n * HOUR, lasted=60) for n in range(2, 60)], "page-sorted")
    history = fold(None, read_full(listing, POLICY.window), POLICY)
    listing.jobs.append(make_job("new", started=NOON + HOUR, lasted=60))
    listing.now = NOON + 6 * HOUR
    history = fold(history, read_incremental(listing, POLICY.window, history), POLICY)
    listing.jobs.append(make_job("newer", started=NOON + 7 * HOUR, lasted=60))
    listing.now = NOON + 8 * HOUR
    assert fold(history, read_full(listing, POLICY.window, history), POLICY).completed == {"SUCCEEDED": 2}


def test_a_job_that_is_listed_late_is_counted_by_the_next_poll() -> None:
    """It may have started up to five minutes before the newest known job."""
    listing = FakeListing(hourly(40))
    history = initial_poll(listing)
    newest = max(job.started for job in listing.jobs)
    listing.jobs.append(make_job("late", started=newest - 299, lasted=NOON - newest + 300))
    listing.now = NOON + 300
    assert poll(listing, history).completed == {"SUCCEEDED": 1}


def test_a_full_reread_finds_a_job_that_other_polls_missed() -> None:
    """AWS lists the job late, with a start long before the watermark; the reread counts it."""
    listing = FakeListing(hourly(40))
    history = initial_poll(listing)
    late = make_job("late", started=NOON - 5 * HOUR - 60, lasted=5 * HOUR + 120)
    listing.jobs.append(late)
    listing.now = NOON + 300
    history = poll(listing, history)
    assert history.completed == {}
    history = fold(history, read_full(listing, POLICY.window, history), POLICY)
    assert history.completed == {"SUCCEEDED": 1}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("since", [None, NOON - 30 * DAY])
def test_a_backfill_reads_all_jobs_under_every_order(order: str, since: float | None) -> None:
    """It reads each job since a time, the jobs of the week before, and the last success before."""
    success = make_job("good", started=NOON - 50 * DAY)
    jobs = [*hourly(24 * 45, "FAILED"), success, make_job("older", started=NOON - 51 * DAY)]
    read = {job.execution_id for job in read_for_backfill(FakeListing(jobs, order), since, POLICY.window).jobs}
    assert {job.execution_id for job in (*jobs[: 24 * 45], success)} <= read


def test_a_backfill_does_not_read_the_whole_listing() -> None:
    """Of ten years of hourly jobs, it reads the requested 30 days and the week before."""
    listing = FakeListing(hourly(24 * 3650))
    read_for_backfill(listing, NOON - 30 * DAY, POLICY.window)
    assert len(listing.requests) <= 24 * 37 / 10 + 2

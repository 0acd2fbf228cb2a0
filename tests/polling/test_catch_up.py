"""Catch-ups after a long absence: bounded steps, each committed, and every job counted once."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from exporter.domain.counting.eviction import LATEST_JOBS
from exporter.domain.counting.history import fold
from exporter.domain.counting.source_history import SourceHistory
from exporter.domain.units import DAY, HOUR
from exporter.polling.full_read import read_full
from exporter.polling.lookback import MAX_STEP_PAGES, read_incremental, read_unread
from exporter.polling.missing_jobs import MAX_PAGES
from exporter.polling.watermark import FULL_REREAD_INTERVAL
from exporter.providers import JobPage
from exporter.store import codec
from tests.support.builders import NOON, POLICY, make_job

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.domain.counting.source_history import PollData
    from exporter.domain.model import SyncJob

ORDERS = ("newest", "oldest")
FILTERS = ("start", "overlap", "contained")
MAX_REQUESTS = MAX_PAGES + MAX_STEP_PAGES + 3 + 30  # a listing, a step, a search by status, and the window


@dataclass
class SortedListing:
    """The sync jobs of a service, sorted by their start; the longest of them takes less than a day."""

    jobs: list[SyncJob]
    order: str = "newest"
    time_filter: str = "start"
    now: float = NOON
    requests: int = 0
    unparsed: frozenset[str] = frozenset()
    starts: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Sort the jobs, to find those of a range without reading all of them."""
        self.jobs = sorted(self.jobs, key=lambda job: job.started)
        self.starts = [job.started for job in self.jobs]

    def __call__(
        self, *, since: float | None = None, until: float | None = None, status: str | None = None
    ) -> Iterator[JobPage]:
        """Yield pages of ten, and count each of them as a request."""
        margin = DAY if self.time_filter == "overlap" else 0.0
        first = bisect_left(self.starts, since - margin) if since is not None else 0
        last = bisect_right(self.starts, min(self.now, self.now if until is None else until))
        found = [job for job in self.jobs[first:last] if self._matches(job, since, until, status)]
        if self.order == "newest":
            found.reverse()
        for at in range(0, max(1, len(found)), 10):
            self.requests += 1
            page = found[at : at + 10]
            jobs = tuple(job for job in page if job.execution_id not in self.unparsed)
            yield JobPage(jobs, self.now, has_more=at + 10 < len(found), is_complete=len(jobs) == len(page))

    def _matches(self, job: SyncJob, since: float | None, until: float | None, status: str | None) -> bool:
        if status is not None:
            return job.status == status
        if self.time_filter == "overlap" and since is not None:
            return job.end_or_start >= since or not job.is_terminal
        return self.time_filter == "start" or until is None or (job.is_terminal and job.end_or_start <= until)


def jobs_every(seconds: float, count: int, lasted: float = 60.0) -> list[SyncJob]:
    """Build jobs at regular times, the last of them shortly before NOON."""
    return [make_job(f"j{n}", started=NOON - 600 - n * seconds, lasted=lasted) for n in range(count)]


def watched(since: float) -> SourceHistory:
    """Return the history of a source without jobs that is watched since a time."""
    return SourceHistory(watched_since=since, as_of=since)


class CatchUp:
    """Polls a source with a catch-up until nothing is left unread, and saves the history after each poll."""

    def __init__(self, listing: SortedListing, history: SourceHistory) -> None:
        self.listing = listing
        self.history = history
        self.requests: list[int] = []
        self.sizes: list[int] = []

    def apply(self, data: PollData) -> None:
        """Fold the data of a poll, and read the history back from its saved form, as after a crash."""
        after = fold(self.history, data, POLICY)
        saved = self.history.jobs  # the store writes the jobs that have changed
        jobs = {
            key: tracked if saved.get(key) is tracked else codec.load_job(codec.dump_job(tracked))
            for key, tracked in after.jobs.items()
        }
        self.history = codec.load_history(codec.dump_totals(after), jobs)
        assert self.history == after

    def first_poll(self) -> None:
        """Read in full, as the first poll after the absence."""
        self.listing.requests = 0
        self.apply(read_full(self.listing, POLICY.window, self.history))
        self.requests.append(self.listing.requests)

    def step(self) -> None:
        """Read the new jobs, and then one step of the catch-up."""
        self.listing.requests = 0
        self.apply(read_incremental(self.listing, POLICY.window, self.history))
        if self.history.unread:
            self.apply(read_unread(self.listing, self.history.unread, self.history.unparsed))
        self.requests.append(self.listing.requests)
        self.sizes.append(len(self.history.jobs))

    def run(self) -> SourceHistory:
        """Poll until the source is caught up."""
        self.first_poll()
        while self.history.unread:
            self.step()
        return self.history

    def run_until(self, end: float) -> SourceHistory:
        """Catch up, and then read in full at every interval until a time."""
        self.run()
        while self.listing.now < end:
            self.listing.now += FULL_REREAD_INTERVAL
            self.run()
        return self.history


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("time_filter", FILTERS)
@pytest.mark.parametrize(("seconds", "lasted"), [(300.0, 60.0), (300.0, 299.0), (900.0, 600.0)])
def test_every_job_is_counted_once(order: str, time_filter: str, seconds: float, lasted: float) -> None:
    """Each poll makes a bounded number of requests, for every order and every meaning of the filters."""
    jobs = jobs_every(seconds, 1200, lasted)
    catch_up = CatchUp(SortedListing(jobs, order, time_filter), watched(jobs[-1].started - HOUR))
    history = catch_up.run()
    assert history.completed == {"SUCCEEDED": 1200}
    assert max(catch_up.requests) <= MAX_REQUESTS
    assert max(catch_up.requests[1:]) <= MAX_STEP_PAGES + 2


@pytest.mark.trial
def test_100000_jobs_are_caught_up_with_a_history_of_limited_size() -> None:
    """Jobs that are old enough are evicted as soon as all jobs before them have been read."""
    jobs = jobs_every(300.0, 100_000)
    catch_up = CatchUp(SortedListing(jobs), watched(jobs[-1].started - HOUR))
    assert catch_up.run().completed == {"SUCCEEDED": 100_000}
    assert max(catch_up.sizes) < 1000
    assert sum(catch_up.requests) < 100_000 / 10 * 1.5


def test_steps_go_from_the_oldest_job_to_the_newest_one() -> None:
    """After each step, the last completed job is the newest known one, and no older job replaces it."""
    jobs = jobs_every(300.0, 1200)
    catch_up = CatchUp(SortedListing(jobs), watched(jobs[-1].started - HOUR))
    catch_up.first_poll()
    read_to = 0.0
    while catch_up.history.unread:
        assert catch_up.history.unread.read_to >= read_to
        read_to = catch_up.history.unread.read_to
        assert catch_up.history.last_completed() == jobs[0]
        assert catch_up.history.last_succeeded == jobs[0].ended
        counted = sum(catch_up.history.completed.values())
        catch_up.step()
        assert sum(catch_up.history.completed.values()) >= counted


@pytest.mark.trial
def test_jobs_with_equal_starts_at_the_end_of_a_step_are_all_counted() -> None:
    """More jobs than a step may read start in the same second."""
    rest = jobs_every(300.0, 700)
    at_once = [make_job(f"e{n}", started=rest[500].started, lasted=30) for n in range(250)]
    catch_up = CatchUp(SortedListing([*rest, *at_once]), watched(rest[-1].started - HOUR))
    assert catch_up.run().completed == {"SUCCEEDED": 950}


def test_jobs_that_start_during_the_catch_up_are_counted_by_the_next_poll() -> None:
    """New jobs move the others to later pages, and are counted before the catch-up has ended."""
    jobs = jobs_every(300.0, 1200)
    new = [make_job(f"n{n}", started=NOON + n * 100.0, lasted=60) for n in range(40)]
    listing = SortedListing([*jobs, *new])
    catch_up = CatchUp(listing, watched(jobs[-1].started - HOUR))
    catch_up.first_poll()
    while catch_up.history.unread:
        listing.now += 100.0
        catch_up.step()
        last = catch_up.history.last_completed()
        assert last
        assert last.end_or_start >= min(listing.now - 100.0, new[-1].end_or_start)
    assert catch_up.history.completed == {"SUCCEEDED": 1200 + sum(job.started <= listing.now for job in new)}


@pytest.mark.parametrize("order", ORDERS)
def test_a_job_that_runs_is_known_from_the_first_poll_on(order: str) -> None:
    """It started in the unread range, so no listing by time of the first poll contains it."""
    jobs = jobs_every(300.0, 1200)
    stuck = make_job("stuck", "SYNCING", started=jobs[800].started + 1, lasted=None)
    catch_up = CatchUp(SortedListing([*jobs, stuck], order), watched(jobs[-1].started - HOUR))
    catch_up.first_poll()
    while catch_up.history.unread:
        assert [job.execution_id for job in catch_up.history.jobs_in_progress()] == [stuck.execution_id]
        catch_up.step()
    assert catch_up.history.completed == {"SUCCEEDED": 1200}


def test_a_second_absence_during_a_catch_up_loses_nothing() -> None:
    """The unread range is extended, and the catch-up continues where it was."""
    jobs = jobs_every(300.0, 2400)
    listing = SortedListing(jobs, now=jobs[1200].started + 200)
    catch_up = CatchUp(listing, watched(jobs[-1].started - HOUR))
    catch_up.first_poll()
    catch_up.step()
    listing.now = NOON
    assert catch_up.run().completed == {"SUCCEEDED": 2400}


def test_failures_before_the_unread_range_do_not_extend_the_streak() -> None:
    """A job that did not fail may be among the unread ones."""
    jobs = [structs.replace(job, status="FAILED") for job in jobs_every(300.0, 2000)]
    jobs[1000] = structs.replace(jobs[1000], status="SUCCEEDED")
    catch_up = CatchUp(SortedListing(jobs), watched(jobs[-1].started - HOUR))
    catch_up.first_poll()
    while catch_up.history.unread:
        assert catch_up.history.consecutive_failures() <= 1000
        catch_up.step()
    assert catch_up.history.consecutive_failures() == 1000


def test_the_end_of_a_job_is_found_after_10200_later_jobs() -> None:
    """The search is in a short range around its start, instead of in all later jobs."""
    later = jobs_every(300.0, 10_200)
    stuck = make_job("stuck", "SYNCING", started=later[-1].started - HOUR, lasted=None)
    listing = SortedListing([stuck, *later])
    history = fold(None, read_full(listing, POLICY.window), POLICY)
    listing.jobs[0] = structs.replace(stuck, status="FAILED", ended=NOON + 60)
    listing.now, listing.requests = NOON + 120, 0
    assert fold(history, read_incremental(listing, POLICY.window, history), POLICY).completed == {"FAILED": 1}
    assert listing.requests <= MAX_PAGES + 6


def test_a_status_that_never_ends_is_evicted_after_a_week() -> None:
    """The history and the rereads keep their size, although every job has an undocumented status."""
    jobs = [structs.replace(job, status="PAUSED") for job in jobs_every(3600.0, 24 * 105)]
    listing = SortedListing(jobs, now=jobs[-1].started)
    history = fold(None, read_full(listing, POLICY.window), POLICY)
    sizes, requests = [], []
    for day in range(1, 105):
        listing.now, listing.requests = jobs[-1].started + day * DAY, 0
        history = fold(history, read_full(listing, POLICY.window, history), POLICY)
        sizes.append(len(history.jobs))
        requests.append(listing.requests)
    assert max(sizes) <= 8 * 24 + 10
    assert max(requests) <= MAX_REQUESTS
    assert history.completed == {}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("time_filter", FILTERS)
@pytest.mark.parametrize(("seconds", "count"), [(900.0, 350), (3 * HOUR, 30)], ids=["in steps", "in one poll"])
def test_entries_that_cannot_be_parsed_after_an_absence_are_counted_later(
    order: str, time_filter: str, seconds: float, count: int
) -> None:
    """Every third job of an absence of days can be parsed when it is older than the window."""
    jobs = jobs_every(seconds, count)
    listing = SortedListing(jobs, order, time_filter, unparsed=frozenset(job.execution_id for job in jobs[::3]))
    catch_up = CatchUp(listing, watched(jobs[-1].started - HOUR))
    catch_up.run()
    listing.now += 1.5 * DAY
    assert catch_up.run().completed["SUCCEEDED"] == len(jobs) - len(jobs[::3])
    listing.unparsed = frozenset()
    history = catch_up.run_until(listing.now + FULL_REREAD_INTERVAL)
    assert history.completed == {"SUCCEEDED": len(jobs)}
    assert (history.unread, history.unparsed) == (None, None)


def test_an_entry_that_can_never_be_parsed_is_given_up_after_a_week() -> None:
    """Until then, each full reread lists its day again. After that, the history is as small as without it."""
    jobs = jobs_every(900.0, 400)
    listing = SortedListing(jobs, unparsed=frozenset({jobs[300].execution_id}))
    catch_up = CatchUp(listing, watched(jobs[-1].started - HOUR))
    history = catch_up.run_until(NOON + 6 * DAY)
    assert history.unparsed
    assert history.unparsed.covers(jobs[300].started, jobs[300].started)
    assert history.unparsed.end - history.unparsed.start < 3 * DAY
    catch_up.requests.clear()
    history = catch_up.run_until(NOON + 8 * DAY)
    assert max(catch_up.requests) <= MAX_REQUESTS
    assert history.unparsed is None
    assert len(history.jobs) == LATEST_JOBS
    assert history.completed == {"SUCCEEDED": 399}


def test_an_entry_that_cannot_be_parsed_does_not_change_the_streak_while_it_is_read_again() -> None:
    """The other jobs are known, so nothing suggests that one of them did not fail."""
    jobs = [structs.replace(job, status="FAILED") for job in jobs_every(3 * HOUR, 40)]
    listing = SortedListing(jobs, unparsed=frozenset({jobs[20].execution_id}))
    catch_up = CatchUp(listing, watched(jobs[-1].started - HOUR))
    catch_up.run()
    listing.now += FULL_REREAD_INTERVAL
    catch_up.first_poll()
    assert catch_up.history.unread
    assert catch_up.history.consecutive_failures() == 39


def test_polls_that_list_the_same_unparsed_entry_do_not_change_the_history() -> None:
    """A history that changes is written to the disk and rendered, which must not happen at each poll."""
    jobs = jobs_every(900.0, 50)
    listing = SortedListing(jobs, unparsed=frozenset({jobs[0].execution_id}))
    catch_up = CatchUp(listing, watched(jobs[-1].started - HOUR))
    catch_up.first_poll()
    for _ in range(3):
        before = catch_up.history
        listing.now += 60.0
        after = fold(before, read_incremental(listing, POLICY.window, before), POLICY)
        assert after is before


def test_an_absence_during_a_second_reading_loses_nothing() -> None:
    """The range that is read again is extended, and is then one that has not been read."""
    jobs = jobs_every(900.0, 900)
    listing = SortedListing(jobs, now=jobs[500].started + 100, unparsed=frozenset({jobs[800].execution_id}))
    catch_up = CatchUp(listing, watched(jobs[-1].started - HOUR))
    catch_up.run_until(listing.now + FULL_REREAD_INTERVAL)
    listing.now += FULL_REREAD_INTERVAL
    catch_up.first_poll()
    assert catch_up.history.unread
    listing.now, listing.unparsed = NOON, frozenset()
    assert catch_up.run_until(NOON + DAY).completed == {"SUCCEEDED": 900}

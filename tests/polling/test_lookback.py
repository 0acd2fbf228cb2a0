"""How far a poll reads: right under any order and either meaning of the filter, and one request when all is quiet."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from exporter.domain.history import fold, newly_ended
from exporter.domain.model import IN_PROGRESS
from exporter.domain.source_history import SourceHistory
from exporter.polling.lookback import read_for_backfill, read_full, read_incremental
from exporter.providers import JobPage
from tests.support.builders import HOUR, NOON, POLICY, make_job

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.domain.model import SyncJob

DAY = 24 * HOUR
ORDERS = ("newest", "oldest", "shuffled")
READINGS = ("start", "overlap")


@dataclass
class Listing:
    """A service's list of jobs, with the order and the meaning of startTime that it happens to have."""

    jobs: list[SyncJob]
    order: str = "newest"
    reading: str = "start"
    now: float = NOON
    unreadable: frozenset[str] = frozenset()
    asked: list[dict[str, object]] = field(default_factory=list)

    def __call__(self, *, since: float | None = None, status: str | None = None) -> Iterator[JobPage]:
        """Yield pages of ten, each counted when it is fetched."""
        found = [job for job in self._ordered() if self._matches(job, since, status)]
        for at in range(0, max(1, len(found)), 10):
            self.asked.append({"since": since, "status": status})
            page = found[at : at + 10]
            jobs = tuple(job for job in page if job.execution_id not in self.unreadable)
            yield JobPage(jobs, self.now, has_more=at + 10 < len(found), is_complete=len(jobs) == len(page))

    def _ordered(self) -> list[SyncJob]:
        if self.order == "shuffled":
            return sorted(self.jobs, key=lambda job: zlib.crc32(job.execution_id.encode()))
        found = sorted(self.jobs, key=lambda job: job.started, reverse=self.order == "newest")
        if self.order == "turned":  # the oldest page first, and the newest first on each
            return [job for at in range(0, len(found), 10) for job in reversed(found[at : at + 10])]
        return found

    def _matches(self, job: SyncJob, since: float | None, status: str | None) -> bool:
        if status is not None and job.status != status:
            return False
        if since is None:
            return True
        if self.reading == "start":
            return job.started >= since
        return not job.is_terminal or job.ended is None or job.ended >= since


def hourly(count: int, status: str = "SUCCEEDED") -> list[SyncJob]:
    """Build the last `count` hourly jobs."""
    return [make_job(f"h{n}", status, started=NOON - n * HOUR - 1800, lasted=600) for n in range(count)]


def look(listing: Listing) -> SourceHistory:
    """Have a first look."""
    return fold(None, read_full(listing, POLICY.window), POLICY)


def poll(listing: Listing, history: SourceHistory) -> SourceHistory:
    """Poll once more."""
    return fold(history, read_incremental(listing, POLICY.window, history), POLICY)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("reading", READINGS)
def test_the_first_look_has_the_window_the_ten_latest_and_what_lies_deeper(order: str, reading: str) -> None:
    """A day of failures every half hour hides neither the last success nor a job stuck for weeks."""
    failures = [make_job(f"f{n}", "FAILED", started=NOON - n * HOUR / 2 - 900, lasted=60) for n in range(150)]
    success = make_job("good", started=NOON - 20 * DAY)
    older = [make_job(f"g{n}", started=NOON - (21 + n) * DAY) for n in range(30)]
    stuck = make_job("stuck", "SYNCING", started=NOON - 19 * DAY, lasted=None)
    history = look(Listing([*failures, success, *older, stuck], order, reading))
    assert history.last_succeeded == success.ended
    assert [job.execution_id for job in history.jobs_in_progress()] == [stuck.execution_id]
    assert sum(job.started > NOON - DAY for job in history.jobs_newest_first()) == 48
    assert history.consecutive_failures() >= 100


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("reading", READINGS)
def test_a_source_found_days_later_counts_from_when_its_target_was_first_watched(order: str, reading: str) -> None:
    """What went on then and ended since counts too, however long before it began; what had ended does not."""
    since = NOON - 2 * DAY
    before = [make_job(f"b{n}", started=since - DAY / 2 - n * HOUR, lasted=600) for n in range(60)]
    long = make_job("long", started=since - 30 * HOUR, lasted=31 * HOUR)
    later = [make_job(f"l{n}", "FAILED", started=since + 60 + n * HOUR, lasted=600) for n in range(47)]
    listing = Listing([*later, long, *before], order, reading)
    watched = SourceHistory(watched_since=since, as_of=since)
    after = fold(watched, read_full(listing, POLICY.window, watched), POLICY)
    assert after.completed == {"FAILED": 47, "SUCCEEDED": 1}
    assert len(newly_ended(watched, after)) == 48


def test_the_first_look_at_a_source_found_soon_goes_no_further_than_the_window() -> None:
    """Every source is found a moment after its target was first watched."""
    listing = Listing(hourly(24 * 365))
    watched = SourceHistory(watched_since=NOON - HOUR, as_of=NOON - HOUR)
    read_full(listing, POLICY.window, watched)
    assert len(listing.asked) <= 3 + 3


def test_the_first_look_at_a_young_source_is_one_request() -> None:
    """All its jobs are on the first page: nothing lies deeper."""
    listing = Listing(hourly(10))
    look(listing)
    assert len(listing.asked) == 1


def test_the_first_look_at_an_old_source_is_bounded() -> None:
    """A year of hourly jobs costs the window, and a request for each status that a job in progress can have."""
    listing = Listing(hourly(24 * 365))
    look(listing)
    assert len(listing.asked) <= 3 + 3


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 500])
def test_a_quiet_source_costs_one_request(order: str, reading: str, count: int) -> None:
    """However long its history is."""
    listing = Listing(hourly(count), order, reading)
    history = look(listing)
    listing.asked.clear()
    poll(listing, history)
    assert len(listing.asked) == 1


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("reading", READINGS)
def test_a_stuck_job_does_not_make_every_poll_read_what_came_after_it(order: str, reading: str) -> None:
    """It is asked for by its status: a page for what is new and a page for it; and its end is found."""
    stuck = make_job("stuck", "SYNCING", started=NOON - 20 * DAY, lasted=None, scanned=5)
    listing = Listing([*hourly(450), stuck], order, reading)
    history = look(listing)
    listing.asked.clear()
    history = poll(listing, history)
    assert len(listing.asked) <= (2 if reading == "start" else 1)
    listing.jobs[-1] = make_job("stuck", "FAILED", started=NOON - 20 * DAY, lasted=20 * DAY + 60, scanned=9)
    listing.now = NOON + 120
    history = poll(listing, history)
    assert history.completed == {"FAILED": 1}
    assert history.documents == {"scanned": 4}
    listing.asked.clear()
    poll(listing, history)
    assert len(listing.asked) == 1


@pytest.mark.parametrize("status", sorted(IN_PROGRESS))
def test_a_job_that_changes_between_states_in_progress_is_followed(status: str) -> None:
    """It disappears under one status and is found under the next."""
    stuck = make_job("stuck", "SYNCING", started=NOON - 20 * DAY, lasted=None)
    listing = Listing([*hourly(100), stuck])
    history = look(listing)
    listing.jobs[-1] = replace(stuck, status=status)
    listing.asked.clear()
    history = poll(listing, history)
    assert [job.status for job in history.jobs_in_progress()] == [status]
    assert len(listing.asked) <= 4


def test_a_job_that_aws_has_forgotten_no_longer_runs() -> None:
    """Nobody is alerted for ever by a job that no longer exists."""
    stuck = make_job("stuck", "SYNCING", started=NOON - 20 * DAY, lasted=None)
    listing = Listing([*hourly(30), stuck])
    history = look(listing)
    listing.jobs.pop()
    history = poll(listing, history)
    assert history.jobs_in_progress() == []
    listing.asked.clear()
    poll(listing, history)
    assert len(listing.asked) == 1


def test_a_job_that_cannot_be_read_for_a_while_has_not_vanished() -> None:
    """It goes on as far as anyone knows, and its end counts, though it began long before the window."""
    stuck = make_job("stuck", "SYNCING", started=NOON - 9 * DAY, lasted=None)
    listing = Listing([*hourly(40), stuck])
    history = look(listing)
    listing.unreadable = frozenset({stuck.execution_id})
    listing.now = NOON + 300
    history = poll(listing, history)
    assert [job.execution_id for job in history.jobs_in_progress()] == [stuck.execution_id]
    listing.unreadable = frozenset()
    listing.jobs[-1] = replace(stuck, status="ABORTED", ended=NOON + 400)
    listing.now = NOON + 600
    assert poll(listing, history).completed == {"ABORTED": 1}


def test_the_reread_looks_again_for_a_job_that_had_vanished() -> None:
    """A listing that passed over it once, at its depth, must not lose its end for good; forgotten, it costs nothing."""
    stuck = make_job("stuck", "SYNCING", started=NOON - 9 * DAY, lasted=None)
    listing = Listing([*hourly(40), stuck])
    history = look(listing)
    listing.jobs.remove(stuck)
    listing.now = NOON + 300
    history = poll(listing, history)
    assert history.jobs_in_progress() == []
    listing.jobs.append(replace(stuck, status="ABORTED", ended=NOON + 400))
    listing.now = NOON + 6 * HOUR
    found = fold(history, read_full(listing, POLICY.window, history), POLICY)
    assert found.completed == {"ABORTED": 1}
    listing.jobs.pop()
    for hours in range(6, 8 * 24, 6):
        listing.now = NOON + hours * HOUR
        history = fold(history, read_full(listing, POLICY.window, history), POLICY)
    assert stuck.execution_id not in history.jobs


def test_a_job_out_of_sight_is_asked_for_by_its_last_status_first() -> None:
    """The others follow in an order that is the same in every process, however it hashes."""
    job = make_job("gone", "STOPPING", started=NOON - 9 * DAY, lasted=None)
    listing = Listing([*hourly(40), job])
    history = look(listing)
    listing.jobs.remove(job)
    listing.asked.clear()
    poll(listing, history)
    assert [asked["status"] for asked in listing.asked if asked["status"]] == [
        "STOPPING",
        "SYNCING",
        "SYNCING_INDEXING",
    ]


def test_a_job_dated_in_the_future_does_not_blind_the_polls() -> None:
    """New jobs begin before it and are found all the same."""
    listing = Listing([make_job("odd", started=NOON + 300 * DAY)])
    history = look(listing)
    listing.jobs.append(make_job("new", started=NOON + 60, lasted=30))
    listing.now = NOON + 120
    assert poll(listing, history).completed == {"SUCCEEDED": 1}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("reading", READINGS)
def test_what_ended_while_nobody_looked_is_counted_afterwards(order: str, reading: str) -> None:
    """Three days without a poll lose nothing."""
    listing = Listing(hourly(40), order, reading)
    history = look(listing)
    listing.jobs += [make_job(f"n{n}", "FAILED", started=NOON + n * HOUR, lasted=60) for n in range(70)]
    listing.now = NOON + 3 * DAY
    assert poll(listing, history).completed == {"FAILED": 70}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("known", [0, 3, 40])
def test_a_reread_after_a_long_outage_goes_back_to_where_polling_ended(order: str, reading: str, known: int) -> None:
    """Three days without an answer are longer than the window, and a reread is due by then: it loses nothing either."""
    listing = Listing(hourly(known), order, reading)
    history = look(listing)
    listing.jobs += [make_job(f"n{n}", "ABORTED", started=NOON + n * HOUR + 60, lasted=60) for n in range(70)]
    listing.now = NOON + 3 * DAY
    history = fold(history, read_full(listing, POLICY.window, history), POLICY)
    assert history.completed == {"ABORTED": 70}


def test_a_reread_that_begins_with_what_is_old_reads_on() -> None:
    """A first page that looks newest first, and has nothing as new as what is known, is not the end of it."""
    listing = Listing([make_job(f"j{n}", started=NOON - n * HOUR, lasted=60) for n in range(2, 60)], "turned")
    history = fold(None, read_full(listing, POLICY.window), POLICY)
    listing.jobs.append(make_job("new", started=NOON + HOUR, lasted=60))
    listing.now = NOON + 6 * HOUR
    history = fold(history, read_incremental(listing, POLICY.window, history), POLICY)
    listing.jobs.append(make_job("newer", started=NOON + 7 * HOUR, lasted=60))
    listing.now = NOON + 8 * HOUR
    assert fold(history, read_full(listing, POLICY.window, history), POLICY).completed == {"SUCCEEDED": 2}


def test_the_reread_finds_what_a_poll_missed() -> None:
    """A job that was listed late, with a start long before the watermark, is counted by the next full reread."""
    listing = Listing(hourly(40))
    history = look(listing)
    late = make_job("late", started=NOON - 5 * HOUR - 60, lasted=5 * HOUR + 120)
    listing.jobs.append(late)
    listing.now = NOON + 300
    history = poll(listing, history)
    assert history.completed == {}
    history = fold(history, read_full(listing, POLICY.window, history), POLICY)
    assert history.completed == {"SUCCEEDED": 1}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("since", [None, NOON - 30 * DAY])
def test_the_past_is_read_whatever_the_order(order: str, since: float | None) -> None:
    """Every job since a moment, those of the week before it, and the last success before."""
    success = make_job("good", started=NOON - 50 * DAY)
    jobs = [*hourly(24 * 45, "FAILED"), success, make_job("older", started=NOON - 51 * DAY)]
    read = {job.execution_id for job in read_for_backfill(Listing(jobs, order), since, POLICY.window).jobs}
    assert {job.execution_id for job in (*jobs[: 24 * 45], success)} <= read


def test_the_past_is_read_no_further_than_it_takes() -> None:
    """Of ten years of hourly jobs: what is asked for, and a week."""
    listing = Listing(hourly(24 * 3650))
    read_for_backfill(listing, NOON - 30 * DAY, POLICY.window)
    assert len(listing.asked) <= 24 * 37 / 10 + 2

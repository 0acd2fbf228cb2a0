"""Defects of polling, of requests to AWS, and of discovery."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from exporter.aws.rate_limiter import AdaptiveRate, RateLimiter
from exporter.discovery.crawler import Crawler
from exporter.discovery.inventory import Inventory
from exporter.domain.counting.history_builder import HistoryBuilder
from exporter.domain.counting.source_history import SourceHistory
from exporter.errors import ProviderError, Reason, StoppedError
from exporter.polling.job_accumulator import JobAccumulator
from exporter.polling.poller import Poller
from exporter.polling.queue import PollQueue
from exporter.polling.watched_sources import WatchedSources
from exporter.providers import Listing
from exporter.providers.qbusiness.provider import QBusiness

if TYPE_CHECKING:
    import pytest


# Polling.


def reads_one_page(patch: pytest.MonkeyPatch) -> None:
    """Ignore all pages after the first."""
    original: Any = JobAccumulator.read

    def read(self: Any, pages: Any) -> Any:
        yield from original(self, [page for number, page in enumerate(pages) if number == 0])

    patch.setattr(JobAccumulator, "read", read)


def treats_unreadable_jobs_as_vanished(patch: pytest.MonkeyPatch) -> None:
    """Treat a job in progress as vanished when its entry is invalid, and never look for it again."""
    original: Any = QBusiness.sync_jobs

    def sync_jobs(self: Any, *arguments: Any, **filters: Any) -> Any:
        return (replace(page, is_complete=True) for page in original(self, *arguments, **filters))

    patch.setattr(QBusiness, "sync_jobs", sync_jobs)
    patch.setattr(SourceHistory, "unfinished_jobs", SourceHistory.jobs_in_progress)


def forgets_entries_that_cannot_be_parsed(patch: pytest.MonkeyPatch) -> None:
    """Skip entries that cannot be parsed, and do not read them again when they are older than the window."""
    original: Any = HistoryBuilder.build
    patch.setattr(HistoryBuilder, "build", lambda self, poll: replace(original(self, poll), unparsed=None))


def removes_sources_that_are_not_found(patch: pytest.MonkeyPatch) -> None:
    """Remove a data source from the page when a poll fails with 404."""
    original: Any = Poller._fail

    def fail(self: Any, state: Any, error: Any) -> None:
        original(self, state, error)
        if error.reason is Reason.NOT_FOUND:
            self._context.publisher.remove_source(state.source.id)

    patch.setattr(Poller, "_fail", fail)


def reports_failed_polls_as_successful(patch: pytest.MonkeyPatch) -> None:
    """Expose a failed poll as a successful one."""
    original: Any = Poller._fail

    def fail(self: Any, state: Any, error: Any) -> None:
        original(self, state, error)
        state.failure = None
        self._sources.publish_safely(state)

    patch.setattr(Poller, "_fail", fail)


def uses_the_hosts_clock_for_polls(patch: pytest.MonkeyPatch) -> None:
    """Expose the time of a poll by the host's clock, which may be wrong by hours."""
    original: Any = WatchedSources.publish

    def publish(self: Any, state: Any) -> None:
        if state.polled_at is not None and state.was_polled:
            state.polled_at = self._context.clock.time()
        original(self, state)

    patch.setattr(WatchedSources, "publish", publish)


def drops_sources_that_fail_often(patch: pytest.MonkeyPatch) -> None:
    """Stop polling a data source after four consecutive failures."""
    original: Any = PollQueue.complete

    def complete(self: Any, source: Any, outcome: Any, now: float) -> None:
        original(self, source, outcome, now)
        if self._backoff.failures(str(source.id)) > 3:
            self._tickets.pop(str(source.id), None)

    patch.setattr(PollQueue, "complete", complete)


def polls_idle_sources_too_rarely(patch: pytest.MonkeyPatch) -> None:
    """Use twice the idle interval."""
    original: Any = PollQueue.__init__

    def init(self: Any, intervals: Any, *rest: Any) -> None:
        original(self, replace(intervals, idle=2 * intervals.idle), *rest)

    patch.setattr(PollQueue, "__init__", init)


def polls_active_sources_too_rarely(patch: pytest.MonkeyPatch) -> None:
    """Use the idle interval for a data source with a sync in progress."""
    original: Any = PollQueue.complete

    def complete(self: Any, source: Any, outcome: Any, now: float) -> None:
        original(self, source, replace(outcome, active=False), now)

    patch.setattr(PollQueue, "complete", complete)


# Requests.


def ignores_the_rate_limit(patch: pytest.MonkeyPatch) -> None:
    """Send every request immediately."""
    patch.setattr(AdaptiveRate, "reserve", lambda _self, now: now)


def sends_requests_while_it_stops(patch: pytest.MonkeyPatch) -> None:
    """Send the requests that wait for the rate limiter when the program stops."""
    original: Any = RateLimiter.acquire

    def acquire(self: Any, *arguments: Any) -> None:
        try:
            original(self, *arguments)
        except StoppedError:
            return

    patch.setattr(RateLimiter, "acquire", acquire)


# Discovery.


def treats_a_failed_listing_as_empty(patch: pytest.MonkeyPatch) -> None:
    """Remove all data sources of an index when their listing fails."""
    original: Any = Crawler._listing

    def listing(self: Any, index: Any, where: str) -> Any:
        try:
            return original(self, index, where)
        except ProviderError:
            return Listing({})

    patch.setattr(Crawler, "_listing", listing)


def never_updates_an_index(patch: pytest.MonkeyPatch) -> None:
    """Keep the first size of an index."""
    original: Any = Inventory.publish_container
    first: dict[Any, Any] = {}

    def publish_container(self: Any, index: Any, application: str, name: str, facts: Any) -> None:
        original(self, index, application, name, first.setdefault((self, index), facts))

    patch.setattr(Inventory, "publish_container", publish_container)


DEFECTS = (
    reads_one_page,
    treats_unreadable_jobs_as_vanished,
    forgets_entries_that_cannot_be_parsed,
    removes_sources_that_are_not_found,
    reports_failed_polls_as_successful,
    uses_the_hosts_clock_for_polls,
    drops_sources_that_fail_often,
    polls_idle_sources_too_rarely,
    polls_active_sources_too_rarely,
    ignores_the_rate_limit,
    sends_requests_while_it_stops,
    treats_a_failed_listing_as_empty,
    never_updates_an_index,
)

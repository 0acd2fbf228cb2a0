"""Small defects, planted in the program one at a time. The invariants must find each of them.

A defect replaces a function or a constant of the program by a wrong one. Most of these are private, so a rename breaks
the patch: then `setattr`, or the exception that the simulation turns into DefectError, fails the test of the defect.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from exporter.app.exporter import Exporter
from exporter.app.target import Target
from exporter.aws.rate_limiter import AdaptiveRate, RateLimiter
from exporter.discovery.crawler import Crawler
from exporter.discovery.inventory import Inventory
from exporter.domain import eviction
from exporter.domain.history import _HistoryBuilder
from exporter.domain.source_history import CountState, SourceHistory
from exporter.errors import ProviderError, Reason, StoppedError
from exporter.exposition.chunks import RenderedChunks
from exporter.metrics import collector
from exporter.metrics.families import optional_sample
from exporter.polling import lookback
from exporter.polling.poller import Poller
from exporter.polling.queue import PollQueue
from exporter.polling.watched_sources import WatchedSources
from exporter.providers import Listing
from exporter.providers.qbusiness.provider import QBusiness
from exporter.store import Store, codec

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


# Counting.


def counts_unsuccessful_jobs_twice(patch: pytest.MonkeyPatch) -> None:
    """Add 2 to the total for each job that did not succeed."""
    original: Any = _HistoryBuilder._count_end

    def count_end(self: Any, job: Any, tracked: Any) -> Any:
        count_state = original(self, job, tracked)
        if job.status != "SUCCEEDED":
            self._completed[job.status] += 1
        return count_state

    patch.setattr(_HistoryBuilder, "_count_end", count_end)


def counts_evicted_jobs_again(patch: pytest.MonkeyPatch) -> None:
    """Count an evicted job again when a stale response has it in progress."""
    original: Any = _HistoryBuilder._initial_state

    def initial_state(self: Any, merged: Any, initial_poll_end: Any) -> Any:
        return CountState.PENDING if merged.seen_in_progress else original(self, merged, initial_poll_end)

    patch.setattr(_HistoryBuilder, "_initial_state", initial_state)


def counts_evicted_failures_twice(patch: pytest.MonkeyPatch) -> None:
    """Add an evicted failed job to the consecutive failures again when a full reread finds it."""
    original: Any = _HistoryBuilder._initial_state

    def initial_state(self: Any, merged: Any, initial_poll_end: Any) -> Any:
        state = original(self, merged, initial_poll_end)
        return CountState.PRE_EXISTING if state is CountState.EVICTED else state

    patch.setattr(_HistoryBuilder, "_initial_state", initial_state)


def counts_documents_of_history(patch: pytest.MonkeyPatch) -> None:
    """Count the growth of an evicted or pre-existing job's documents from a stale response to a current one."""
    original: Any = _HistoryBuilder.add

    def add(self: Any, merged: Any, initial_poll_end: Any) -> None:
        before = self._jobs.get(merged.job.execution_id)
        original(self, merged, initial_poll_end)
        if before and before.count_state in {CountState.PRE_EXISTING, CountState.EVICTED}:
            self._count_documents(before, self._jobs[merged.job.execution_id].max_counts)

    patch.setattr(_HistoryBuilder, "add", add)


def evicts_vanished_jobs_early(patch: pytest.MonkeyPatch) -> None:
    """Evict a job that vanished before it ended after the normal retention, instead of a week."""
    patch.setattr(eviction, "VANISHED_RETENTION", 0.0)


# State.


def publishes_before_it_commits(patch: pytest.MonkeyPatch) -> None:
    """Delay each commit until the next one."""
    delayed: dict[Store, Any] = {}
    original = Store.commit

    def commit(self: Store, histories: Any) -> None:
        original(self, delayed.pop(self, {}))
        delayed[self] = dict(histories)

    patch.setattr(Store, "commit", commit)


def loses_totals_in_a_restart(patch: pytest.MonkeyPatch) -> None:
    """Load no totals of completed jobs from the state file."""
    original = codec.load_history

    def load_history(totals: Any, jobs: Any) -> Any:
        history = original(totals, jobs)
        return replace(history, completed={}) if jobs else history

    patch.setattr(codec, "load_history", load_history)


def loses_document_counts_in_a_restart(patch: pytest.MonkeyPatch) -> None:
    """Load no document counts of jobs in progress, so that they count again."""
    original = codec.load_job

    def load_job(text: Any) -> Any:
        tracked = original(text)
        return replace(tracked, max_counts=type(tracked.max_counts)()) if tracked.is_in_progress else tracked

    patch.setattr(codec, "load_job", load_job)


# Polling.


def reads_one_page(patch: pytest.MonkeyPatch) -> None:
    """Ignore all pages after the first."""
    original: Any = lookback._JobAccumulator.read

    def read(self: Any, pages: Any) -> Any:
        yield from original(self, [page for number, page in enumerate(pages) if number == 0])

    patch.setattr(lookback._JobAccumulator, "read", read)


def treats_unreadable_jobs_as_vanished(patch: pytest.MonkeyPatch) -> None:
    """Treat a job in progress as vanished when its entry is invalid, and never look for it again."""
    original: Any = QBusiness.sync_jobs

    def sync_jobs(self: Any, *arguments: Any, **filters: Any) -> Any:
        return (replace(page, is_complete=True) for page in original(self, *arguments, **filters))

    patch.setattr(QBusiness, "sync_jobs", sync_jobs)
    patch.setattr(SourceHistory, "unfinished_jobs", SourceHistory.jobs_in_progress)


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
        state.failing = None
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
        if self._failures.get(str(source.id), 0) > 3:
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
    """Send every request at once."""
    patch.setattr(AdaptiveRate, "reserve", lambda _self, now: now)


def sends_requests_while_it_stops(patch: pytest.MonkeyPatch) -> None:
    """Send the requests that wait for the rate limiter when the program stops."""
    original: Any = RateLimiter.acquire

    def acquire(self: Any) -> None:
        try:
            original(self)
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
    original: Any = Inventory.publish_index
    first: dict[Any, Any] = {}

    def publish_index(self: Any, index: Any, application: str, name: str, facts: Any) -> None:
        original(self, index, application, name, first.setdefault((self, index), facts))

    patch.setattr(Inventory, "publish_index", publish_index)


# Exposition.


def exposes_part_of_a_source(patch: pytest.MonkeyPatch) -> None:
    """Leave families out of the change of a data source."""
    original: Any = RenderedChunks.put

    def put(self: Any, key: str, families: Any) -> None:
        some = dict(list(families.items())[:-12]) if self._chunks and len(families) > 20 else families
        original(self, key, some)

    patch.setattr(RenderedChunks, "put", put)


def revokes_readiness(patch: pytest.MonkeyPatch) -> None:
    """Report not ready during an outage after the first pass."""
    original: Any = Target.unready

    def unready(self: Any) -> str | None:
        return original(self) or (None if self.reachability.is_up else "down")

    patch.setattr(Target, "unready", unready)
    patch.setattr(Exporter, "unready", Exporter._not_yet_ready)


def shortens_the_window(patch: pytest.MonkeyPatch) -> None:
    """Leave out the oldest hour of polling.window."""

    def samples(original: Any, view: Any) -> Any:
        return original(replace(view, window=view.window - 3600.0))

    _replace_samples(patch, "qbusiness_sync_jobs", samples)


def treats_stopping_jobs_as_ended(patch: pytest.MonkeyPatch) -> None:
    """Leave STOPPING jobs out of the running ones."""

    def samples(_original: Any, view: Any) -> Any:
        return optional_sample(sum(job.status != "STOPPING" for job in view.running))

    _replace_samples(patch, "qbusiness_sync_running", samples)


def reports_indexing_jobs_as_syncing(patch: pytest.MonkeyPatch) -> None:
    """Count SYNCING_INDEXING jobs of the window as SYNCING."""

    def samples(original: Any, view: Any) -> Any:
        counts = dict(original(view))
        if counts:
            counts["SYNCING",] += counts["SYNCING_INDEXING",]
            counts["SYNCING_INDEXING",] = 0
        return counts.items()

    _replace_samples(patch, "qbusiness_sync_jobs", samples)


def ignores_aborted_jobs_between_failures(patch: pytest.MonkeyPatch) -> None:
    """Continue to count consecutive failures across an ABORTED job."""

    def samples(original: Any, view: Any) -> Any:
        history = view.history
        if history is None:
            return original(view)
        jobs = {id_: tracked for id_, tracked in history.jobs.items() if tracked.job.status != "ABORTED"}
        return original(replace(view, snapshot=replace(view.snapshot, history=replace(history, jobs=jobs))))

    _replace_samples(patch, "qbusiness_consecutive_failed_syncs", samples)


def _replace_samples(patch: pytest.MonkeyPatch, name: str, samples: Callable[[Any, Any], Any]) -> None:
    """Replace the samples of a family. `samples` gets the original function and a SourceView."""

    def replaced(family: Any) -> Any:
        return replace(family, samples=partial(samples, family.samples)) if family.name == name else family

    assert any(family.name == name for family in collector.FAMILIES)
    parts: tuple[Any, ...] = collector._PARTS
    patch.setattr(
        collector, "_PARTS", tuple(replace(part, families=tuple(map(replaced, part.families))) for part in parts)
    )


DEFECTS = (
    counts_unsuccessful_jobs_twice,
    counts_evicted_jobs_again,
    counts_evicted_failures_twice,
    counts_documents_of_history,
    evicts_vanished_jobs_early,
    publishes_before_it_commits,
    loses_totals_in_a_restart,
    loses_document_counts_in_a_restart,
    reads_one_page,
    treats_unreadable_jobs_as_vanished,
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
    exposes_part_of_a_source,
    revokes_readiness,
    shortens_the_window,
    treats_stopping_jobs_as_ended,
    reports_indexing_jobs_as_syncing,
    ignores_aborted_jobs_between_failures,
)

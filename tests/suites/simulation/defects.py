"""Small defects, put into the program one at a time to see that virtual weeks find them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from exporter.app.target import Target
from exporter.aws.rate_limiter import AdaptiveRate, RateLimiter
from exporter.discovery.crawler import Crawler
from exporter.discovery.reconciler import Reconciler
from exporter.domain.history import _HistoryBuilder
from exporter.domain.source_history import CountState, SourceHistory, TrackedJob
from exporter.errors import ProviderError, Reason
from exporter.exposition.chunks import RenderedChunks
from exporter.metrics import collector
from exporter.metrics.families import optional_sample
from exporter.polling import lookback
from exporter.polling.poller import Poller
from exporter.polling.queue import PollQueue
from exporter.providers import Listing
from exporter.providers.qbusiness.provider import QBusiness
from exporter.store import Store, codec

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


def counts_some_ends_twice(patch: pytest.MonkeyPatch) -> None:
    """Have a job that did not succeed add two."""
    real: Any = _HistoryBuilder._count_end

    def count(self: Any, job: Any, known: Any) -> Any:
        count_state = real(self, job, known)
        if job.status != "SUCCEEDED":
            self._completed[job.status] += 1
        return count_state

    patch.setattr(_HistoryBuilder, "_count_end", count)


def shows_before_it_writes(patch: pytest.MonkeyPatch) -> None:
    """Write a commit with the next one alone."""
    waiting: dict[Store, Any] = {}
    real = Store.commit

    def commit(self: Store, histories: Any) -> None:
        real(self, waiting.pop(self, {}))
        waiting[self] = dict(histories)

    patch.setattr(Store, "commit", commit)


def has_the_window_wrong(patch: pytest.MonkeyPatch) -> None:
    """Leave out the oldest hour of the window."""
    _redeclare(
        patch, "qbusiness_sync_jobs", lambda real, context: real(replace(context, window=context.window - 3600.0))
    )


def reads_one_page(patch: pytest.MonkeyPatch) -> None:
    """See nothing of later pages."""
    real: Any = lookback._JobAccumulator.read

    def read(self: Any, pages: Any) -> Any:
        yield from real(self, [page for number, page in enumerate(pages) if number == 0])

    patch.setattr(lookback._JobAccumulator, "read", read)


def forgets_what_is_not_found(patch: pytest.MonkeyPatch) -> None:
    """Show a source whose poll says 404 no more."""
    real = Poller._fail

    def fail(self: Any, source: Any, watch: Any, error: Any) -> None:
        real(self, source, watch, error)
        if error.reason is Reason.NOT_FOUND:
            self._context.publisher.remove_source(source.id)

    patch.setattr(Poller, "_fail", fail)


def keeps_quiet_about_failures(patch: pytest.MonkeyPatch) -> None:
    """Show a failed poll as one that worked."""
    real = Poller._fail

    def fail(self: Any, source: Any, watch: Any, error: Any) -> None:
        real(self, source, watch, error)
        watch.failing = None
        self._publish_safely(source, watch)

    patch.setattr(Poller, "_fail", fail)


def is_fresh_by_the_hosts_clock(patch: pytest.MonkeyPatch) -> None:
    """Take for the time of a poll the host's, which may be wrong by hours."""
    real = Poller._save_and_publish

    def show(self: Any, source: Any, watch: Any) -> None:
        if watch.polled_at is not None and watch.was_polled:
            watch.polled_at = self._clock.time()
        real(self, source, watch)

    patch.setattr(Poller, "_keep_and_show", show)


def heeds_no_budget(patch: pytest.MonkeyPatch) -> None:
    """Send requests as they come."""
    patch.setattr(AdaptiveRate, "reserve", lambda _self, now: now)


def begins_anew_after_a_restart(patch: pytest.MonkeyPatch) -> None:
    """Read back nothing of what was written of totals."""
    real = codec.load_history
    patch.setattr(
        "exporter.store.codec.load_history",
        lambda totals, known: replace(real(totals, known), completed={}) if known else real(totals, known),
    )


def forgets_figures_in_a_restart(patch: pytest.MonkeyPatch) -> None:
    """Count the documents of a job that goes on again."""
    real = codec.load_job
    patch.setattr("exporter.store.codec.load_job", lambda text: _without_figures(real(text)))


def _without_figures(known: TrackedJob) -> TrackedJob:
    return replace(known, max_counts=type(known.max_counts)()) if known.in_progress else known


def takes_what_it_cannot_read_for_gone(patch: pytest.MonkeyPatch) -> None:
    """Have a job in progress vanish where its entry is odd, and never look for it again."""
    real: Any = QBusiness.sync_jobs

    def sync_jobs(self: Any, *arguments: Any, **filters: Any) -> Any:
        return (replace(page, counts_from_zero=True) for page in real(self, *arguments, **filters))

    patch.setattr(QBusiness, "sync_jobs", sync_jobs)
    patch.setattr(SourceHistory, "unended", SourceHistory.in_progress)


def has_stopping_jobs_ended(patch: pytest.MonkeyPatch) -> None:
    """Show a job that is STOPPING as over."""
    _redeclare(
        patch,
        "qbusiness_sync_running",
        lambda _real, context: optional_sample(sum(job.status != "STOPPING" for job in context.running)),
    )


def _redeclare(patch: pytest.MonkeyPatch, name: str, samples: Callable[[Any, Any], Any]) -> None:
    """Have a family give other samples."""
    family: Any = next(family for part in collector._PARTS for family in part if family.name == name)
    other = replace(family, samples=partial(samples, family.samples))
    parts = tuple(tuple(other if one is family else one for one in part) for part in collector._PARTS)
    patch.setattr(collector, "_PARTS", parts)
    for index, old in (("WINDOW_FAMILIES", 3), ("SCHEDULE_FAMILIES", 1), ("OBJECTIVE_FAMILIES", 2)):
        patch.setattr(collector, index, parts[old])


def loses_sources_to_an_outage(patch: pytest.MonkeyPatch) -> None:
    """Take a listing that fails for an empty one."""
    real: Any = Crawler._listing

    def listing(self: Any, index: Any, where: str) -> Any:
        try:
            return real(self, index, where)
        except ProviderError:
            return Listing({})

    patch.setattr(Crawler, "_listing", listing)


def drops_a_source_that_fails_often(patch: pytest.MonkeyPatch) -> None:
    """Poll a source that failed four times in a row no more."""
    real = PollQueue.complete

    def complete(self: Any, source: Any, outcome: Any, now: float) -> None:
        real(self, source, outcome, now)
        if self._failures.get(str(source.id), 0) > 3:
            self._turns.pop(str(source.id), None)

    patch.setattr(PollQueue, "done", complete)


def shows_half_a_source(patch: pytest.MonkeyPatch) -> None:
    """Leave some families out of a change."""
    real = RenderedChunks.put

    def put(self: Any, key: str, families: Any) -> None:
        most = dict(list(families.items())[:-12]) if self._chunks and len(families) > 20 else families
        real(self, key, most)

    patch.setattr(RenderedChunks, "put", put)


def takes_readiness_back(patch: pytest.MonkeyPatch) -> None:
    """Be unready when there is an outage after the first pass."""
    real = Target.unready
    patch.setattr(Target, "unready", lambda self: real(self) or (None if self.is_up else "down"))
    patch.setattr("exporter.app.exporter.Exporter.unready", lambda self: self._not_yet_ready())


def counts_again_what_seems_to_run_again(patch: pytest.MonkeyPatch) -> None:
    """Have a job that was counted and forgotten make news when an old answer has it in progress."""
    real: Any = _HistoryBuilder._initial_state
    patch.setattr(
        _HistoryBuilder,
        "_standing",
        lambda self, seen, first: CountState.PENDING if seen.seen_running else real(self, seen, first),
    )


def counts_twice_in_a_row_what_was_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Have a FAILED job that was forgotten and is found again add to the row of failures."""
    real: Any = _HistoryBuilder._initial_state

    def standing(self: Any, seen: Any, first_look: Any) -> Any:
        found = real(self, seen, first_look)
        return CountState.PRE_EXISTING if found is CountState.EVICTED else found

    patch.setattr(_HistoryBuilder, "_standing", standing)


def counts_documents_of_what_was_over(patch: pytest.MonkeyPatch) -> None:
    """Have the figures of a job that was forgotten grow from an old answer to a new one."""
    real: Any = _HistoryBuilder.add

    def add(self: Any, seen: Any, first_look: Any) -> None:
        before = self._jobs.get(seen.job.execution_id)
        real(self, seen, first_look)
        if before and before.count_state in {CountState.PRE_EXISTING, CountState.EVICTED}:
            self._count_documents(before, self._jobs[seen.job.execution_id].max_counts)

    patch.setattr(_HistoryBuilder, "add", add)


def forgets_soon_what_vanished(patch: pytest.MonkeyPatch) -> None:
    """Forget a job that had not ended a day after it was no longer listed."""
    patch.setattr("exporter.domain.history.LONGEST_GONE", 0.0)


def polls_the_quiet_too_rarely(patch: pytest.MonkeyPatch) -> None:
    """Let twice the interval pass."""
    real = PollQueue.__init__

    def begin(self: Any, intervals: Any, *rest: Any) -> None:
        real(self, replace(intervals, idle=2 * intervals.idle), *rest)

    patch.setattr(PollQueue, "__init__", begin)


def polls_what_syncs_too_rarely(patch: pytest.MonkeyPatch) -> None:
    """Treat a source that syncs as a quiet one."""
    real = PollQueue.complete

    def complete(self: Any, source: Any, outcome: Any, now: float) -> None:
        real(self, source, replace(outcome, active=False), now)

    patch.setattr(PollQueue, "done", complete)


def sends_while_it_stops(patch: pytest.MonkeyPatch) -> None:
    """Have a stop let those who wait for the budget send."""

    def acquire(self: Any) -> None:
        with self._mutex:
            now = self._host.monotonic()
            moment = self._pace.reserve(now)
        self._stop.wait(moment - now)

    patch.setattr(RateLimiter, "admit", acquire)


def goes_on_counting_failures(patch: pytest.MonkeyPatch) -> None:
    """Have a row of failures go on beyond what an ABORTED job ended."""

    def samples(real: Any, context: Any) -> Any:
        history = context.history
        if history is None:
            return real(context)
        jobs = {id_: known for id_, known in history.jobs.items() if known.job.status != "ABORTED"}
        return real(replace(context, snapshot=replace(context.snapshot, history=replace(history, jobs=jobs))))

    _redeclare(patch, "qbusiness_consecutive_failed_syncs", samples)


def shows_an_index_as_it_was(patch: pytest.MonkeyPatch) -> None:
    """Show of an index what was said of it first."""
    real: Any = Reconciler._publish_index
    first: dict[Any, Any] = {}

    def show(self: Any, index: Any, application: str, name: str, facts: Any) -> None:
        real(self, index, application, name, first.setdefault((self, index), facts))

    patch.setattr(Reconciler, "_publish_index", show)


def has_what_indexes_as_syncing(patch: pytest.MonkeyPatch) -> None:
    """Count jobs in the window that are SYNCING_INDEXING under another status."""

    def samples(real: Any, context: Any) -> Any:
        counted = dict(real(context))
        if counted:
            counted["SYNCING",] += counted["SYNCING_INDEXING",]
            counted["SYNCING_INDEXING",] = 0
        return counted.items()

    _redeclare(patch, "qbusiness_sync_jobs", samples)


DEFECTS = (
    counts_some_ends_twice,
    shows_before_it_writes,
    has_the_window_wrong,
    reads_one_page,
    forgets_what_is_not_found,
    keeps_quiet_about_failures,
    is_fresh_by_the_hosts_clock,
    heeds_no_budget,
    begins_anew_after_a_restart,
    forgets_figures_in_a_restart,
    takes_what_it_cannot_read_for_gone,
    has_stopping_jobs_ended,
    loses_sources_to_an_outage,
    drops_a_source_that_fails_often,
    shows_half_a_source,
    takes_readiness_back,
    counts_again_what_seems_to_run_again,
    counts_documents_of_what_was_over,
    counts_twice_in_a_row_what_was_forgotten,
    forgets_soon_what_vanished,
    polls_the_quiet_too_rarely,
    polls_what_syncs_too_rarely,
    sends_while_it_stops,
    goes_on_counting_failures,
    shows_an_index_as_it_was,
    has_what_indexes_as_syncing,
)

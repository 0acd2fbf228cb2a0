"""One poll of one data source: request, fold, commit, publish. A failure affects no other source.

Three rules hold for every poll:

- Commit before publish. What Prometheus has scraped must survive a crash, because a counter must never fall. If the
  process dies after the commit, the next start publishes the committed state.
- A poll that ends after its source was detached changes nothing. Example: a reload replaces the target while a poll is
  in flight, and the new target polls the source and counts a job that has just ended. The response of the old poll is
  older, and committing it would undo the count. So a poll commits only if its state is still the current state of the
  source.
- The poller holds the lock of the state for the check, the commit and the publication, so that a reload cannot detach
  the source in between. It makes requests without the lock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from exporter.domain.counting.history import fold, newly_ended
from exporter.domain.schedules.due import expectation
from exporter.domain.schedules.schedule_start import with_schedule_start
from exporter.domain.snapshots import PollFailure
from exporter.domain.units import DAY
from exporter.errors import ProviderError, Reason
from exporter.polling.explainer import Explainer
from exporter.polling.full_read import read_full
from exporter.polling.job_log import job_fields
from exporter.polling.lookback import read_incremental, read_unread
from exporter.polling.missing_jobs import MAX_PAGES
from exporter.polling.poll_times import PollTimes, log_correction
from exporter.polling.source_state import reread_period
from exporter.polling.watermark import FULL_REREAD_INTERVAL

if TYPE_CHECKING:
    from exporter.domain.counting.counting_policy import CountingPolicy
    from exporter.domain.counting.source_history import PollData
    from exporter.domain.model import DataSource, SyncJob
    from exporter.polling.missing_jobs import ListSyncJobs
    from exporter.polling.source_state import SourceState
    from exporter.polling.watched_sources import WatchedSources
    from exporter.target.context import TargetContext

DESCRIPTION_RETRY = 900.0  # seconds until a description is requested again after it was refused
MAX_LOGGED_WARNINGS = 200  # the number of distinct warnings that are logged for each source
LONG_ABSENCE = 2 * DAY  # seconds without a poll; an outage may affect many sources
MAX_LATEST_PAGES = 10  # read by the first poll after a long absence, so that first polls of many sources are short


class PollObserver(Protocol):
    """Counts the results of polls."""

    def began(self, source: DataSource) -> None:
        """Record which data source the current thread polls."""

    def polled(self) -> None:
        """Count a poll that has ended; called before `failed`."""

    def failed(self, reason: Reason) -> None:
        """Count a poll that has failed."""

    def ended(self, job: SyncJob) -> None:
        """Count a job that has ended."""


@dataclass(frozen=True, slots=True)
class PollOutcome:
    """The result of a poll, as the poll queue needs it.

    A source is active while a sync is in progress, or while a scheduled sync is due and was not seen to start.
    `fires_in` is the number of seconds until the schedule fires next. `is_behind` is true if a catch-up has to read
    more jobs.
    """

    succeeded: bool
    active: bool
    fires_in: float | None = None
    is_behind: bool = False


class Poller:
    """Polls the data sources of one target; may be used by any number of threads, each for another source."""

    def __init__(
        self, context: TargetContext, sources: WatchedSources, observer: PollObserver, policy: CountingPolicy
    ) -> None:
        self._context = context
        self._provider, self._store, self._clock = context.provider, context.store, context.clock
        self._sources = sources
        self._observer = observer
        self._policy = policy
        self._explainer = Explainer(context.provider, clock=context.clock)
        self._times = PollTimes(context.provider.clock, policy)

    def poll(self, source: DataSource, *, catch_up: bool = False) -> PollOutcome:
        """Poll a source once. If any exception occurs, count and log it, and publish the source as failed.

        With `catch_up`, the poll also reads and commits the next part of the unread jobs.
        """
        state = self._sources.get(source.id)
        if state is None:
            return PollOutcome(succeeded=True, active=False)
        self._observer.began(source)
        try:
            self._poll(state, catch_up=catch_up)
        except ProviderError as error:
            self._fail(state, error)
        except Exception:
            # A bug that one source triggers must not end the worker, which polls all other sources too.
            state.logger.exception("poll failed with an unexpected exception")
            self._fail(state, ProviderError(Reason.INTERNAL, "unexpected exception, see its traceback in the log"))
        else:
            self._observer.polled()
        self._sources.resolve_names(source.id)
        return self._outcome(state)

    def _poll(self, state: SourceState, *, catch_up: bool) -> None:
        if not state.was_polled:
            # This is saved before the first request, because the process may die while the request hangs.
            self._store.save_attempt(str(state.source.id), self._clock.time())
        self._describe(state)
        began = self._clock.monotonic()
        data = self._read(state, catch_up=catch_up)
        self._apply(state, data, self._clock.monotonic() - began)
        if catch_up and state.history and state.history.unread:
            step = read_unread(self._list_jobs(state), state.history.unread, state.history.unparsed)
            # A step reads old jobs only. So the latest jobs are from the read before it, which may have taken minutes.
            self._apply(state, replace(step, as_of=state.polled_at or step.as_of), None)

    def _apply(self, state: SourceState, data: PollData, seconds: float | None) -> None:
        """Explain, fold, commit, publish and log the data of a poll, whose requests took some seconds.

        The start is corrected first, by the times of the read, because an earlier start makes more jobs count, which
        have to be explained.
        """
        before = state.history
        data = self._times.corrected(data, seconds)
        known = self._times.with_start(state, before, data)
        data = self._explainer.explain(state.source.id, known, data)
        with state.mutex:
            if not self._sources.has(state):
                return
            log_correction(state, before, known)
            after = fold(known, data, self._policy)
            if after is known and not state.was_polled:
                # A process that dies soon after each start must know which sources the previous process has polled.
                after = replace(after, as_of=data.as_of)
            self._store.commit({str(state.source.id): after})
            state.history, state.polled_at, state.was_polled = after, data.as_of, True
            self._recover(state)
            self._sources.publish(state)
        if after is not before:
            for job in newly_ended(before, after):
                self._observer.ended(job)
                state.logger.info("sync job ended", **job_fields(job))
        self._log_warnings(state, data)

    def _outcome(self, state: SourceState) -> PollOutcome:
        expected = expectation(state.description.latest, state.history, self._provider.clock.now())
        is_behind = state.history is not None and state.history.unread is not None
        return PollOutcome(state.failing is None, state.is_syncing or expected.is_due, expected.fires_in, is_behind)

    def _describe(self, state: SourceState) -> None:
        """Request the description if it is due. An error does not fail the poll."""
        now = self._clock.monotonic()
        at_request = state.description
        if not at_request.is_due(now):
            return
        described, error = None, None
        try:
            described = self._provider.data_source(state.source.id)
            described = with_schedule_start(described, at_request.latest, self._provider.clock.now())
        except ProviderError as raised:
            error = raised
        with state.mutex:
            state.description = state.description.with_response(at_request, described, error, now + DESCRIPTION_RETRY)

    def _list_jobs(self, state: SourceState) -> ListSyncJobs:
        return partial(self._provider.sync_jobs, state.source.id)

    def _read(self, state: SourceState, *, catch_up: bool) -> PollData:
        """Read the jobs: in full if that is due, else incrementally."""
        history, now = state.history, self._provider.clock.now()
        if history is None or self._is_full_read_due(state, now, catch_up=catch_up):
            return self._read_full(state, now, catch_up=catch_up)
        data = read_incremental(self._list_jobs(state), self._policy.window, history)
        # Before the first response, AWS's time is estimated from the host's clock, which may be hours behind. So the
        # check is repeated with the time of the response.
        if self._is_full_read_due(state, data.as_of, catch_up=catch_up):
            return self._read_full(state, data.as_of, catch_up=catch_up)
        return data

    def _read_full(self, state: SourceState, now: float, *, catch_up: bool) -> PollData:
        """Read in full. Without `catch_up`, the read is short and may leave jobs unread."""
        pages = MAX_LATEST_PAGES if _absence(state, now) > LONG_ABSENCE else MAX_PAGES
        data = read_full(
            self._list_jobs(state),
            self._policy.window,
            state.history,
            max_window_pages=math.inf if catch_up else pages,
        )
        if data.window is not None:
            state.reread_period = reread_period(state.source.id, data.as_of)
        return data

    def _is_full_read_due(self, state: SourceState, now: float, *, catch_up: bool) -> bool:
        """Return whether the last full read was too long ago, or did not read the whole window."""
        history = state.history
        if history is None:
            return True
        if history.unread and not catch_up:
            # The next step of the catch-up reads in full. Until then, usual polls read the new jobs.
            return _absence(state, now) > FULL_REREAD_INTERVAL
        is_window_read = history.window is not None and history.window >= self._policy.window
        return not is_window_read or state.reread_period != reread_period(state.source.id, now)

    def _fail(self, state: SourceState, error: ProviderError) -> None:
        """Publish a failed poll. All values and the time of the last success stay as they are."""
        self._observer.polled()
        self._observer.failed(error.reason)
        with state.mutex:
            # A failure of the credentials is logged once for the target, by the code that obtains them.
            if error.reason not in {Reason.CREDENTIALS, state.failing}:
                state.logger.warning("poll failing", reason=str(error.reason), error=str(error))
            state.failure, state.was_polled = PollFailure(error.reason, str(error)), True
            self._sources.publish_safely(state)

    def _recover(self, state: SourceState) -> None:
        if state.failing and state.failing is not Reason.CREDENTIALS:
            state.logger.info("poll works again", after=str(state.failing))
        state.failure = None

    @staticmethod
    def _log_warnings(state: SourceState, data: PollData) -> None:
        for warning in data.warnings:
            if warning not in state.warned and len(state.warned) < MAX_LOGGED_WARNINGS:
                state.warned.add(warning)
                state.logger.warning("unusable data in the response", problem=warning)


def _absence(state: SourceState, now: float) -> float:
    """Return the seconds since a source was last polled; 0 if it was never polled."""
    return now - state.history.as_of if state.history else 0.0

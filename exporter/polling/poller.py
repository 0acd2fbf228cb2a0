"""One poll of one data source: request, fold, commit, publish. A failure affects no other source.

Three rules hold for every poll:

- Commit before publish. What Prometheus has scraped must survive a crash, because a counter must never fall. If the
  process dies between the two, the next start publishes what was committed.
- A poll that ends after its source was detached changes nothing. Example: a reload replaces the target while a poll is
  in flight, and the new target polls the source and counts a job that has just ended. The response of the old poll is
  older, and to commit it would undo the count. So a poll commits only while its state is still that of the source.
- The check, the commit and the publication happen under the lock of the state, so that a reload cannot detach it in
  between. Requests are made without the lock.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from exporter.domain.clock_check import ClockReading, is_behind_jobs
from exporter.domain.due import expectation
from exporter.domain.history import fold, move_start, newly_ended
from exporter.domain.model import Names
from exporter.errors import ProviderError, Reason
from exporter.polling.job_log import format_time, job_fields
from exporter.polling.lookback import read_full, read_incremental
from exporter.polling.source_state import reread_period

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.domain.history import CountingPolicy
    from exporter.domain.model import DataSource, SyncJob
    from exporter.domain.source_history import PollData, SourceHistory
    from exporter.polling.source_state import SourceState
    from exporter.polling.watched_sources import WatchedSources
    from exporter.providers import JobPage
    from exporter.target.context import TargetContext

DESCRIPTION_RETRY = 900.0  # seconds until GetDataSource is requested again after it was refused
MAX_LOGGED_WARNINGS = 200  # distinct warnings about a source that are logged


class PollObserver(Protocol):
    """Counts what polls result in."""

    def polled(self) -> None:
        """Count a poll that has ended; called before `failed`."""

    def failed(self, reason: Reason) -> None:
        """Count a poll that has failed."""

    def ended(self, job: SyncJob) -> None:
        """Count a job that has ended."""


@dataclass(frozen=True, slots=True)
class PollOutcome:
    """The result of a poll, as the poll queue needs it.

    A source is active while a sync is in progress, or is due by the schedule and has not been seen to start. `fires_in`
    is the number of seconds until the schedule fires next.
    """

    succeeded: bool
    active: bool
    fires_in: float | None = None


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

    def poll(self, source: DataSource) -> PollOutcome:
        """Poll a source once. Any exception is counted and logged, and publishes the source as failed."""
        state = self._sources.get(source.id)
        if state is None:
            return PollOutcome(succeeded=True, active=False)
        try:
            self._poll(state)
        except ProviderError as error:
            self._fail(state, error)
        except Exception:
            # A bug that one source triggers must not end the worker, which polls all other sources too.
            state.logger.exception("poll failed with an unexpected exception")
            self._fail(state, ProviderError(Reason.INTERNAL, "unexpected exception, see its traceback in the log"))
        else:
            self._observer.polled()
        return self._outcome(state)

    def _poll(self, state: SourceState) -> None:
        self._describe(state)
        if state.names is None:
            state.names = self._resolve_names(state)
        before = state.history
        data = self._with_clock(self._read(state))
        with state.mutex:
            if not self._sources.has(state):
                return
            after = fold(self._with_start(state, before), data, self._policy)
            self._store.commit({str(state.source.id): after})
            state.history, state.polled_at, state.was_polled = after, data.as_of, True
            self._recover(state)
            self._sources.publish(state)
        if after is not before:
            for job in newly_ended(before, after):
                self._observer.ended(job)
                state.logger.info("sync job ended", **job_fields(job))
        self._log_warnings(state, data)

    def _with_clock(self, data: PollData) -> PollData:
        """Return the data with the host's time instead of a Date that host and jobs prove wrong."""
        clock = self._provider.clock
        host = clock.host_time()
        if not is_behind_jobs(ClockReading(data.as_of, data.as_of - host), data.jobs):
            return replace(data, clock_ahead=data.as_of - host)
        clock.use_host()
        warnings = (*data.warnings, "the Date header is behind the host and the sync jobs, using the host's clock")
        return replace(data, as_of=host, end=max(host, data.end), clock_ahead=0.0, warnings=warnings)

    def _with_start(self, state: SourceState, history: SourceHistory | None) -> SourceHistory | None:
        """Return the history with a corrected start if the clock that it was read from proves wrong."""
        if history is None:
            return None
        now, was_polled = self._provider.clock.read(), state.polled_at is not None
        moved = move_start(history, now, self._policy, was_polled=was_polled)
        if moved is not history:
            state.logger.warning(
                "AWS's clock was wrong at first contact, start of counting corrected",
                noted=format_time(history.watched_since),
                corrected=format_time(moved.watched_since),
            )
        return moved

    def _outcome(self, state: SourceState) -> PollOutcome:
        description = state.description.latest
        schedule = description.schedule if description else None
        expected = expectation(schedule, state.history, self._provider.clock.now())
        return PollOutcome(state.failing is None, state.is_syncing or expected.is_due, expected.fires_in)

    def _describe(self, state: SourceState) -> None:
        """Request GetDataSource if it is due; an error only fails the poll if the source has no name without it."""
        now = self._clock.monotonic()
        at_request = state.description
        if not at_request.is_due(now):
            return
        described, error = None, None
        try:
            described = self._provider.data_source(state.source.id)
        except ProviderError as raised:
            error = raised
        with state.mutex:
            state.description = state.description.with_response(at_request, described, error, now + DESCRIPTION_RETRY)

    def _resolve_names(self, state: SourceState) -> Names:
        """Return the display names: configured, or resolved before, or from AWS; the id if AWS refuses to return them.

        Raise ProviderError if a name cannot be resolved at the moment.
        """
        source, names = state.source, self._context.names
        application_id = source.id.application_id
        return Names(
            application=source.application
            or names.application(application_id, lambda: self._provider.application_name(application_id)),
            data_source=source.name or names.data_source(source.id, state.description.name),
        )

    def _read(self, state: SourceState) -> PollData:
        """Read the jobs: in full if that is due, else incrementally."""
        source = state.source.id

        def list_jobs(*, since: float | None = None, status: str | None = None) -> Iterator[JobPage]:
            return self._provider.sync_jobs(source, since=since, status=status)

        def is_full_read_due(now: float) -> bool:
            return state.history is None or state.reread_period != reread_period(source, now)

        data = None
        if state.history and not is_full_read_due(self._provider.clock.now()):
            data = read_incremental(list_jobs, self._policy.window, state.history)
        # Before the first response, the time of AWS is only known from the host's clock, which may be hours behind. So
        # the time of the response decides once more.
        if data is None or is_full_read_due(data.as_of):
            data = read_full(list_jobs, self._policy.window, state.history)
        state.reread_period = reread_period(source, data.as_of)
        return data

    def _fail(self, state: SourceState, error: ProviderError) -> None:
        """Publish a failed poll: all values and the time of the last success stay as they are."""
        self._observer.polled()
        self._observer.failed(error.reason)
        with state.mutex:
            if error.reason is Reason.CREDENTIALS:
                self._context.credentials.report_failure(error)
            elif state.failing is not error.reason:
                state.logger.warning("poll failing", reason=str(error.reason), error=str(error))
            state.failing, state.was_polled = error.reason, True
            self._sources.publish_safely(state)

    def _recover(self, state: SourceState) -> None:
        self._context.credentials.report_success()
        if state.failing and state.failing is not Reason.CREDENTIALS:
            state.logger.info("poll works again", after=str(state.failing))
        state.failing = None

    @staticmethod
    def _log_warnings(state: SourceState, data: PollData) -> None:
        for warning in data.warnings:
            if warning not in state.warned and len(state.warned) < MAX_LOGGED_WARNINGS:
                state.warned.add(warning)
                state.logger.warning("unusable data in the response", problem=warning)

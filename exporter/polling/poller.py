"""One poll of one data source: describe it, fetch, fold, commit, publish. A failure stays within its source."""

from __future__ import annotations

import threading
import zlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import structlog

from exporter.domain.due import expectation
from exporter.domain.history import fold, newly_ended, rebucket
from exporter.domain.model import Names
from exporter.domain.snapshots import SavedSource, SourceSnapshot
from exporter.domain.source_history import SourceHistory
from exporter.errors import ProviderError, Reason
from exporter.polling.description import DescriptionState
from exporter.polling.lookback import FULL_REREAD_INTERVAL, read_full, read_incremental
from exporter.target.source_log import source_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exporter.domain.history import CountingPolicy
    from exporter.domain.model import DataSource, Description, SourceId, SyncJob
    from exporter.domain.source_history import PollData
    from exporter.providers import JobPage
    from exporter.target.context import TargetContext

Tags = tuple[tuple[str, str], ...]

DESCRIPTION_RETRY = 900.0  # seconds until GetDataSource is tried again after it was refused
WARNINGS_KEPT = 200  # distinct warnings of a source that are remembered, so that each is logged once

logger = structlog.get_logger()


class PollObserver(Protocol):
    """Who is told what comes of polls."""

    def polled(self) -> None:
        """Take note that a poll has ended, whatever came of it; before it is said that it failed."""

    def failed(self, reason: Reason) -> None:
        """Take note that a poll failed."""

    def ended(self, job: SyncJob) -> None:
        """Take note that a job was seen to have ended."""


@dataclass(frozen=True, slots=True)
class PollOutcome:
    """How a poll went, for whoever decides when the next one is due.

    A source is active while a job is in progress, or one is due by the schedule and was not seen to start;
    `fires_in` are the seconds until its schedule fires next.
    """

    succeeded: bool
    active: bool
    fires_in: float | None = None


@dataclass(slots=True, eq=False)
class SourceState:
    """What is remembered of a source between polls; `reread` is the number of the six hours it was last reread in.

    The worker that polls it and the thread that finds data sources both show it: what is shown changes under the mutex.
    """

    source: DataSource
    history: SourceHistory | None
    window: float
    reread: int | None
    names: Names | None = None
    was_polled: bool = False
    failing: Reason | None = None
    polled_at: float | None = None
    warned: set[str] = field(default_factory=set)
    description: DescriptionState = field(default_factory=DescriptionState)
    kept: SavedSource | None = None
    mutex: threading.Lock = field(default_factory=threading.Lock)


class Poller:
    """Polls the data sources of one target."""

    def __init__(
        self,
        context: TargetContext,
        observer: PollObserver,
        policy: CountingPolicy,
        label_tags: Callable[[Tags], Tags] | None = None,
    ) -> None:
        """`label_tags` selects the tags that are published as labels; without it all are."""
        self._context = context
        self._provider, self._store, self._clock = context.provider, context.store, context.clock
        self._observer = observer
        self._label_tags = label_tags
        self._policy = policy
        self._watches: dict[str, SourceState] = {}

    def watch(self, source: DataSource, since: float | None = None, known: SavedSource | None = None) -> None:
        """Begin to watch a source, and show it, from where its state was left.

        `since` is from when on its jobs count, where that was before its first poll; `known` is how it was last found.
        """
        key = str(source.id)
        kept = self._store.history(key)
        watch = SourceState(
            source=source,
            history=SourceHistory(watched_since=since, as_of=since) if kept is None and since is not None else kept,
            window=self._policy.window,
            reread=_number_of_six_hours(source, kept.as_of) if kept else None,
            # A poll did work then, if not the last one: so after a restart staleness is visible at once.
            polled_at=kept.as_of if kept else None,
            description=DescriptionState.from_saved(known) if known else DescriptionState(),
        )
        self._begin(source, watch)

    def adopt(self, source: DataSource, left: SourceState) -> None:
        """Go on watching a source, and show it, where another poller left it; it may be called something else now."""
        wider = self._policy.window > left.window
        reread = None if wider else left.reread
        left = replace(left, source=source, window=self._policy.window, reread=reread, mutex=threading.Lock())
        self._begin(source, left)

    def _begin(self, source: DataSource, watch: SourceState) -> None:
        watch.names, before = self._saved_names(source), watch.history
        watch.history = rebucket(before, self._policy) if before else None
        if watch.history is not before:
            message = "duration buckets were changed: their histograms begin anew"
            logger.warning(message, target=source.target, data_source_id=source.id.data_source_id)
        self._watches[str(source.id)] = watch
        self._publish_safely(source, watch)

    def detach(self) -> list[SourceState]:
        """Let go of every source, for another poller to take over; what is under way comes to nothing."""
        released = []
        for key, watch in list(self._watches.items()):
            with watch.mutex:
                if self._watches.pop(key, None):
                    released.append(watch)
        return released

    def unwatch(self, source: SourceId) -> bool:
        """Let go of a source, so that a poll under way shows nothing any more; tell whether it was watched."""
        watch = self._watches.pop(str(source), None)
        if watch:
            with watch.mutex:
                self._store.save_source(str(source), None)
        return watch is not None

    def describe(self, source: DataSource, index: str, listed: Description | None) -> None:
        """Take note of what a listing says of a source, and of its index's name; None is that nothing new is known."""
        watch = self._watches.get(str(source.id))
        if watch is None:
            return
        with watch.mutex:
            before = watch.description
            watch.description = before.with_listing(index, listed)
            if watch.description != before:
                self._publish_safely(source, watch)

    def is_syncing(self, source: SourceId) -> bool:
        """Tell whether a source had a sync in progress when it was last polled."""
        watch = self._watches.get(str(source))
        return bool(watch and watch.history and watch.history.jobs_in_progress())

    def syncing(self) -> int:
        """Count the sources that had a sync in progress when they were last polled."""
        histories = (watch.history for watch in list(self._watches.values()))
        return sum(bool(history and history.jobs_in_progress()) for history in histories)

    def watched(self) -> set[str]:
        """Give the sources that are watched."""
        return set(self._watches)

    def republish_all(self) -> None:
        """Show every source anew, for something that they have in common has changed."""
        for watch in list(self._watches.values()):
            with watch.mutex:
                self._publish_safely(watch.source, watch)

    def undescribed(self) -> int:
        """Count the sources of which GetDataSource could not be asked."""
        return sum(watch.description.last_error is not None for watch in list(self._watches.values()))

    def save_poll_times(self) -> None:
        """Write down how fresh everything is, for whoever goes on from here."""
        watched = ((key, watch.history, watch.polled_at) for key, watch in list(self._watches.items()))
        fresh = {
            key: replace(history, as_of=at) for key, history, at in watched if history and at and at > history.as_of
        }
        self._store.commit(fresh)

    def poll(self, source: DataSource) -> PollOutcome:
        """Poll a source once; whatever goes wrong is counted, logged once, and shown as a failed poll."""
        watch = self._watches.get(str(source.id))
        if watch is None:
            return PollOutcome(succeeded=True, active=False)
        try:
            self._poll(source, watch)
        except ProviderError as error:
            self._fail(source, watch, error)
        except Exception:
            # A defect of ours must not take the worker, and with it every other source, down.
            log = _log(source, watch)
            log.exception("poll failed for a reason that is a defect of this program")
            self._fail(source, watch, ProviderError(Reason.INTERNAL, "see the traceback"))
        else:
            self._observer.polled()
        return self._outcome(watch)

    def _poll(self, source: DataSource, watch: SourceState) -> None:
        self._describe(source, watch)
        if watch.names is None:
            watch.names = self._resolve_names(source, watch)
        key, before = str(source.id), watch.history
        reading = self._read(source, watch)
        with watch.mutex:
            if self._watches.get(key) is not watch:
                return  # somebody else polls it by now, or nobody: what was read here must overwrite nothing
            after = fold(before, reading, self._policy)
            self._store.commit({key: after})
            watch.history, watch.polled_at, watch.was_polled = after, reading.as_of, True
            self._recover(source, watch)
            self._save_and_publish(source, watch)
        if after is not before:
            for job in newly_ended(before, after):
                self._observer.ended(job)
                _log(source, watch).info("sync job ended", **_job_fields(job))
        self._warn(source, watch, reading)

    def _outcome(self, watch: SourceState) -> PollOutcome:
        history, description = watch.history, watch.description.latest
        running = bool(history and history.jobs_in_progress())
        expected = expectation(description.schedule if description else None, history, self._provider.clock.now())
        return PollOutcome(watch.failing is None, running or expected.is_due, expected.fires_in)

    def _describe(self, source: DataSource, watch: SourceState) -> None:
        """Ask for what no listing has, where the source is new or has changed; what goes wrong is for later."""
        now = self._clock.monotonic()
        asking = watch.description
        if not asking.is_due(now):
            return
        try:
            described, trouble = self._provider.data_source(source.id), None
        except ProviderError as error:
            described, trouble = None, error
        with watch.mutex:
            # A listing may have come in meanwhile: what was asked for is held against what was known when asking.
            watch.description = watch.description.with_response(asking, described, trouble, now + DESCRIPTION_RETRY)

    def _resolve_names(self, source: DataSource, watch: SourceState) -> Names:
        """Settle a source's names: configured, else settled before, else AWS's, else, where that refuses, the id."""
        application_id = source.id.application_id
        return Names(
            application=source.application
            or self._context.names.application(application_id, lambda: self._provider.application_name(application_id)),
            data_source=source.name or self._context.names.data_source(source.id, watch.description.name),
        )

    def _saved_names(self, source: DataSource) -> Names | None:
        application, name = self._context.names.resolved(source.id)
        application, name = source.application or application, source.name or name
        return Names(application, name) if application and name else None

    def _read(self, source: DataSource, watch: SourceState) -> PollData:
        def ask(*, since: float | None = None, status: str | None = None) -> Iterator[JobPage]:
            return self._provider.sync_jobs(source.id, since=since, status=status)

        def is_due(now: float) -> bool:
            return watch.history is None or watch.reread != _number_of_six_hours(source, now)

        reading = None
        if watch.history and not is_due(self._provider.clock.now()):
            reading = read_incremental(ask, self._policy.window, watch.history)
        # Until AWS has answered, its time is the host's, which may be hours behind.
        if reading is None or is_due(reading.as_of):
            reading = read_full(ask, self._policy.window, watch.history)
        watch.reread = _number_of_six_hours(source, reading.as_of)
        return reading

    def _save_and_publish(self, source: DataSource, watch: SourceState) -> None:
        """Show a source as it is now; called with its mutex held, so that what is older never comes after."""
        key = str(source.id)
        # Until its names are settled a source has no series: they would change under the eyes of whoever graphs them.
        if watch.names is None or self._watches.get(key) is not watch:
            return
        named = replace(source, application=watch.names.application, name=watch.names.data_source)
        description = watch.description
        known = SavedSource(named, description.index, description.latest) if description.latest else None
        if known and known != watch.kept:
            self._store.save_source(key, known)
            watch.kept = known
        succeeded = watch.failing is None if watch.was_polled else None
        polled_at = watch.polled_at
        history = watch.history if polled_at is not None else None
        resolved = description.resolved
        if resolved and self._label_tags:
            resolved = replace(resolved, tags=self._label_tags(resolved.tags))
        location = self._context.location.current
        self._context.publisher.publish_source(
            SourceSnapshot(source, watch.names, history, succeeded, polled_at, description.index, resolved, location)
        )

    def _publish_safely(self, source: DataSource, watch: SourceState) -> None:
        try:
            self._save_and_publish(source, watch)
        except Exception:
            log = _log(source, watch)
            log.exception("the data source cannot be shown, for a reason that is a defect of this program")

    def _fail(self, source: DataSource, watch: SourceState, error: ProviderError) -> None:
        self._observer.polled()
        self._observer.failed(error.reason)
        with watch.mutex:
            if error.reason is Reason.CREDENTIALS:
                self._context.credentials.report_failure(error)
            elif watch.failing is not error.reason:
                _log(source, watch).warning("poll failing", reason=str(error.reason), error=str(error))
            watch.failing, watch.was_polled = error.reason, True
            self._publish_safely(source, watch)

    def _recover(self, source: DataSource, watch: SourceState) -> None:
        self._context.credentials.report_success()
        if watch.failing and watch.failing is not Reason.CREDENTIALS:
            _log(source, watch).info("poll works again", after=str(watch.failing))
        watch.failing = None

    def _warn(self, source: DataSource, watch: SourceState, reading: PollData) -> None:
        for warning in reading.warnings:
            if warning not in watch.warned and len(watch.warned) < WARNINGS_KEPT:
                watch.warned.add(warning)
                _log(source, watch).warning("unusable data in the response", problem=warning)


def _number_of_six_hours(source: DataSource, now: float) -> int:
    # Spread by identity, lest all be due at once; and by AWS's clock, lest restarts put them off again and again.
    return int(now / FULL_REREAD_INTERVAL + zlib.crc32(str(source.id).encode()) / 2**32)


def _log(source: DataSource, watch: SourceState) -> structlog.stdlib.BoundLogger:
    fields = source_fields(source, watch.names) if watch.names else {"data_source_id": source.id.data_source_id}
    log: structlog.stdlib.BoundLogger = logger.bind(target=source.target, **fields)
    return log


def _written(moment: float | None) -> str | None:
    return None if moment is None else datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _job_fields(job: SyncJob) -> dict[str, object]:
    """Give everything known of a job, for its line in the log; what is not known is left out."""
    facts: dict[str, object] = {
        "execution_id": job.execution_id,
        "status": job.status,
        "started": _written(job.started),
        "ended": _written(job.ended),
        "duration_seconds": job.duration,
        **{f"documents_{kind}": figure for kind, figure in job.documents.items()},
        "error_code": job.error_code,
        "connector_error_code": job.connector_error,
        "error": job.error_message,
    }
    return {name: fact for name, fact in facts.items() if fact not in (None, "")}

"""One poll of one data source: settle its names, fetch, fold, commit, publish. A failure stays within its source."""

from __future__ import annotations

import threading
import zlib
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import structlog

from exporter.errors import ProviderError, Reason
from exporter.history import fold, newly_ended, rebucket
from exporter.lookback import REREAD, first_reading, next_reading
from exporter.model import Names, SourceSnapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from exporter.history import Policy
    from exporter.model import Clock, DataSource, Reading, SourceHistory, SyncJob
    from exporter.providers import JobPage, Provider

WARNINGS_KEPT = 200  # distinct warnings of a source that are remembered, so that each is logged once

logger = structlog.get_logger()


class Keeper(Protocol):
    """Where histories and settled names survive, as `Store` keeps them."""

    def history(self, key: str) -> SourceHistory | None:
        """Give a source's history."""

    def commit(self, histories: Mapping[str, SourceHistory]) -> None:
        """Write histories, by source."""

    def name(self, key: str) -> str | None:
        """Give a settled name."""

    def settle_name(self, key: str, name: str) -> None:
        """Keep a name for good."""


class Report(Protocol):
    """Who is told what comes of polls."""

    def polled(self) -> None:
        """Take note that a poll begins."""

    def failed(self, reason: Reason) -> None:
        """Take note that a poll failed."""

    def publish(self, snapshot: SourceSnapshot) -> None:
        """Show a source as it is now."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a poll went, for whoever decides when the next one is due."""

    succeeded: bool
    in_progress: bool


@dataclass(slots=True)
class _Watch:
    """What is remembered of a source between polls; only the one worker that polls it touches it."""

    history: SourceHistory | None
    reread_at: float
    names: Names | None = None
    failing: Reason | None = None
    polled_at: float | None = None
    warned: set[str] = field(default_factory=set)


class Poller:
    """Polls the data sources of one target."""

    def __init__(self, provider: Provider, keeper: Keeper, report: Report, policy: Policy, clock: Clock) -> None:
        self._provider = provider
        self._keeper = keeper
        self._report = report
        self._policy = policy
        self._clock = clock
        self._watches: dict[str, _Watch] = {}
        self._mutex = threading.Lock()
        self._asking: dict[str, Future[str]] = {}

    def watch(self, source: DataSource) -> None:
        """Begin to watch a source, from where its state was left."""
        key = str(source.id)
        kept = self._keeper.history(key)
        history = rebucket(kept, self._policy) if kept else None
        if history is not kept:
            message = "duration buckets were changed: their histograms begin anew"
            logger.warning(message, target=source.target, **_identity(source, None))
        # Rereads are spread by identity, so that a restart does not make them all due at once.
        spread = zlib.crc32(key.encode()) / 2**32 if history else 1.0
        self._watches[key] = _Watch(
            history=history,
            reread_at=self._clock.monotonic() + REREAD * spread,
            # A poll did work then, if not the last one: so after a restart staleness is visible at once.
            polled_at=history.as_of if history else None,
        )

    def rest(self) -> None:
        """Write down how fresh everything is, for whoever goes on from here."""
        watched = ((key, watch.history, watch.polled_at) for key, watch in list(self._watches.items()))
        fresh = {
            key: replace(history, as_of=at) for key, history, at in watched if history and at and at > history.as_of
        }
        self._keeper.commit(fresh)

    def poll(self, source: DataSource) -> Outcome:
        """Poll a source once; whatever goes wrong is counted, logged once, and shown as a failed poll."""
        watch = self._watches[str(source.id)]
        log = logger.bind(target=source.target, **_identity(source, watch.names))
        self._report.polled()
        try:
            self._poll(source, watch, log)
        except ProviderError as error:
            self._fail(source, watch, error.reason, log, error=str(error))
        except Exception:
            # A defect of ours must not take the worker, and with it every other source, down.
            log.exception("poll failed for a reason that is a defect of this program")
            self._fail(source, watch, Reason.INTERNAL, log, error="see the traceback")
        return Outcome(watch.failing is None, bool(watch.history and watch.history.in_progress()))

    def _poll(self, source: DataSource, watch: _Watch, log: structlog.stdlib.BoundLogger) -> None:
        if watch.names is None:
            watch.names = self._names(source)
            log = log.bind(**_identity(source, watch.names))
        before = watch.history
        reading = self._read(source, watch)
        after = fold(before, reading, self._policy)
        self._keeper.commit({str(source.id): after})
        watch.history, watch.polled_at = after, reading.as_of
        self._recover(watch, log)
        self._show(source, watch, watch.names)
        self._tell(watch, log, reading, newly_ended(before, after))

    def _read(self, source: DataSource, watch: _Watch) -> Reading:
        def ask(*, since: float | None = None, status: str | None = None) -> Iterator[JobPage]:
            return self._provider.sync_jobs(source.id, since=since, status=status)

        if watch.history and self._clock.monotonic() < watch.reread_at:
            return next_reading(ask, self._policy.window, watch.history)
        reading = first_reading(ask, self._policy.window, watch.history)
        watch.reread_at = self._clock.monotonic() + REREAD
        return reading

    def _show(self, source: DataSource, watch: _Watch, names: Names) -> None:
        self._report.publish(SourceSnapshot(source, names, watch.history, watch.failing is None, watch.polled_at))

    def _fail(
        self,
        source: DataSource,
        watch: _Watch,
        reason: Reason,
        log: structlog.stdlib.BoundLogger,
        error: str,
    ) -> None:
        self._report.failed(reason)
        if watch.failing is not reason:
            watch.failing = reason
            log.warning("poll failing", reason=str(reason), error=error)
        # Until its names are settled a source has no series: they would change under the eyes of whoever graphs them.
        if watch.names:
            try:
                self._show(source, watch, watch.names)
            except Exception:
                log.exception("the data source cannot be shown, for a reason that is a defect of this program")

    def _recover(self, watch: _Watch, log: structlog.stdlib.BoundLogger) -> None:
        if watch.failing:
            log.info("poll works again", after=str(watch.failing))
        watch.failing = None

    def _tell(self, watch: _Watch, log: structlog.stdlib.BoundLogger, reading: Reading, ended: list[SyncJob]) -> None:
        for job in ended:
            log.info("sync job ended", **_describe(job))
        for warning in reading.warnings:
            if warning not in watch.warned and len(watch.warned) < WARNINGS_KEPT:
                watch.warned.add(warning)
                log.warning("unusable data in the answer", problem=warning)

    def _names(self, source: DataSource) -> Names:
        """Settle a source's names: configured, else settled before, else AWS's, else, where that refuses, the id."""
        application_id = source.id.application_id
        return Names(
            application=source.application
            or self._settle(
                f"application/{application_id}",
                application_id,
                lambda: self._provider.application_name(application_id),
            ),
            data_source=source.name
            or self._settle(
                f"data_source/{source.id}",
                source.id.data_source_id,
                lambda: self._provider.data_source_name(source.id),
            ),
        )

    def _settle(self, key: str, identifier: str, ask: Callable[[], str]) -> str:
        """Settle one name; of many who want the same one at once, the first asks for all."""
        mine: Future[str] = Future()
        with self._mutex:
            asking = self._asking.setdefault(key, mine)
        if asking is not mine:
            return asking.result()
        try:
            name = self._keeper.name(key) or self._ask_for(key, identifier, ask)
            mine.set_result(name)
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            with self._mutex:
                del self._asking[key]
        return name

    def _ask_for(self, key: str, identifier: str, ask: Callable[[], str]) -> str:
        try:
            name = ask()
        except ProviderError as error:
            if not error.is_refusal:
                raise
            logger.warning("no display name to be had: using the id", id=identifier, error=str(error))
            name = identifier
        self._keeper.settle_name(key, name)
        return name


def _identity(source: DataSource, names: Names | None) -> dict[str, str]:
    known = {"application": names.application, "data_source": names.data_source} if names else {}
    return {**known, "data_source_id": source.id.data_source_id}


def _describe(job: SyncJob) -> dict[str, object]:
    """Give everything known of a job, for its line in the log; what is not known is left out."""
    facts: dict[str, object] = {
        "execution_id": job.execution_id,
        "status": job.status,
        "duration_seconds": job.duration,
        **{f"documents_{kind}": figure for kind, figure in job.documents.items()},
        "error_code": job.error_code,
        "connector_error_code": job.connector_error,
        "error": job.error_message,
    }
    return {name: fact for name, fact in facts.items() if fact not in (None, "")}

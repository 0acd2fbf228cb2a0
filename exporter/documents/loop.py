"""Counts the documents of one target's data sources in a thread, with the lowest priority.

The counts use the part of the rate limit that polls, discovery and tags leave unused
(`RateLimiter.acquire_background`). One data source is counted at a time. A count is published when it is complete.
Until then, the last complete one stays published.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import structlog

from exporter.documents.count import ResumableCount
from exporter.errors import ProviderError, Reason, StoppedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.documents.queue import CountQueue
    from exporter.domain.documents import DocumentsByStatus
    from exporter.domain.model import SourceId
    from exporter.providers import Provider
    from exporter.runtime import Event, Host

MAX_WAIT = 10.0  # the longest time until the loop checks for new data sources, in seconds
MAX_FIRST_WAIT = 0.5  # the same without any data sources, when discovery has just started

logger = structlog.get_logger()


class CountedSources(Protocol):
    """The data sources whose documents are counted, such as `WatchedSources`."""

    def documents_counted_at(self) -> Mapping[SourceId, float | None]:
        """Return when the documents of each source were last counted, on AWS's clock."""

    def save_documents(self, source: SourceId, documents: DocumentsByStatus) -> None:
        """Save and publish a complete count."""

    def fail_documents(self, source: SourceId, error: ProviderError) -> None:
        """Keep the error of a count that has failed, until a count is complete."""


class DocumentLoop:
    """Counts documents until it is stopped."""

    def __init__(  # noqa: PLR0913, PLR0917 (what it connects)
        self,
        target: str,
        provider: Provider,
        sources: CountedSources,
        queue: CountQueue,
        host: Host,
        stopping: Event,
    ) -> None:
        self._provider = provider
        self._sources = sources
        self._queue = queue
        self._host = host
        self._stopping = stopping
        self._logger = logger.bind(target=target)
        self._counts: dict[SourceId, ResumableCount] = {}
        self._failing: dict[SourceId, Reason] = {}
        self._has_warned = False
        self._thread = host.thread("documents", self._run)

    def start(self) -> None:
        """Start with the counts that are due."""
        self._thread.start()

    def join(self, deadline: float) -> None:
        """Wait for the request in progress until a time on the monotonic clock."""
        if self._thread.ident is not None:
            self._thread.join(max(0.0, deadline - self._host.monotonic()))

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._step()
        except StoppedError:
            return

    def _step(self) -> None:
        """Count the source that is due, or wait."""
        sources = self._update_queue()
        started = self._host.monotonic()
        source = self._queue.pop(started)
        if source is None:
            self._stopping.wait(min(MAX_WAIT if sources else MAX_FIRST_WAIT, self._queue.delay(started)))
        else:
            self._count(source, started)
            self._warn_if_behind()

    def _update_queue(self) -> int:
        """Pass the current data sources to the queue, and return their number."""
        now, counted_at = self._provider.clock.now(), self._sources.documents_counted_at()
        ages = {source: None if time is None else now - time for source, time in counted_at.items()}
        self._queue.watch(ages, self._host.monotonic())
        for source in self._counts.keys() - ages.keys():
            del self._counts[source]
        for source in self._failing.keys() - ages.keys():
            del self._failing[source]
        return len(ages)

    def _count(self, source: SourceId, started: float) -> None:
        count = self._counts.setdefault(source, ResumableCount(self._provider, source))
        try:
            while not count.is_complete and not self._stopping.is_set():
                count.count_page()
            if count.is_complete:
                self._complete(source, started)
        except ProviderError as error:
            self._fail(source, error)
        except Exception:
            # A bug that one source triggers must not end the counts of other sources.
            self._logger.exception("count of documents failed with an unexpected exception", **_fields(source))
            self._fail(source, ProviderError(Reason.INTERNAL, "unexpected exception, see its traceback in the log"))

    def _complete(self, source: SourceId, started: float) -> None:
        count = self._counts.pop(source)
        for warning in sorted(count.warnings):
            self._logger.warning("unusable data in the response", problem=warning, **_fields(source))
        self._sources.save_documents(source, count.tally.result(self._provider.clock.now()))
        self._queue.complete(source, started)
        if self._failing.pop(source, Reason.CREDENTIALS) is not Reason.CREDENTIALS:
            self._logger.info("count of documents works again", **_fields(source))

    def _fail(self, source: SourceId, error: ProviderError) -> None:
        """Retry later, and log a new reason. The code that obtains credentials logs their failures."""
        self._queue.fail(source, self._host.monotonic())
        self._sources.fail_documents(source, error)
        if error.reason not in {Reason.CREDENTIALS, self._failing.get(source)}:
            self._logger.warning(
                "count of documents failing", reason=str(error.reason), error=str(error), **_fields(source)
            )
        self._failing[source] = error.reason

    def _warn_if_behind(self) -> None:
        if not self._has_warned and self._queue.is_behind(self._host.monotonic()):
            self._has_warned = True
            self._logger.warning("documents.interval too short for the number of documents, counting them less often")


def _fields(source: SourceId) -> dict[str, str]:
    return {"data_source_id": source.data_source_id}

"""The operations on the state that are common to all stores. Each store writes to its own database."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog

from exporter.domain.units import DAY
from exporter.store import source_codec
from exporter.store.state_tables import StateTables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.domain.counting.source_history import SourceHistory
    from exporter.domain.documents import DocumentsByStatus
    from exporter.domain.model import Location
    from exporter.domain.snapshots import SavedSource
    from exporter.store.state_rows import StateRows

UNWATCHED_RETENTION = 30 * DAY  # a source that was not watched for this time is removed

logger = structlog.get_logger()


@dataclass(slots=True)
class _Batch:
    """Changes that are written together; `wait` is as in `TableStore._write`."""

    wait: bool = False


class TableStore(ABC):
    """The state in tables in memory. Each change is written to a database. Thread-safe."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._tables = StateTables()
        self._batch: ContextVar[_Batch | None] = ContextVar("batch", default=None)  # each thread has its own

    @abstractmethod
    def _write(self, *, wait: bool) -> None:
        """Write the pending changes; called without the mutex after each change.

        With `wait`, something derived from the change is about to be published, so the change must be written first.
        """

    @property
    def is_open(self) -> bool:
        """Whether changes can be committed, because no other replica owns the target."""
        return True

    def mark_restored(self) -> None:  # noqa: B027 (only replicas have previous owners)
        """Report to the previous owner of the target that this process exposes its sources."""

    def exposed_until(self, key: str) -> float | None:  # noqa: ARG002 (only replicas lose targets)
        """Return the time of the last poll of a source that this process has exposed and lost; None without one."""
        return None

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Write the changes of this thread at the end of the block, in one transaction. Other threads write as usual.

        Values that are published in the block are not written yet. So it is only for changes that a restart would make
        again, for example because of another configuration or a state file of an earlier release.
        """
        batch = _Batch()
        token = self._batch.set(batch)
        try:
            yield
        finally:
            self._batch.reset(token)
            self._write(wait=batch.wait)

    def has_unwritten(self) -> bool:
        """Return whether a part of the state in memory is not written to the database."""
        return self._tables.has_pending

    def import_rows(self, rows: StateRows) -> None:
        """Replace the whole state by rows; raise one of `codec.UNREADABLE` if one is not valid."""
        with self._changes(wait=True):
            self._tables.load(rows.__getitem__)
            self._tables.mark_lost()

    def history(self, key: str) -> SourceHistory | None:
        """Return a source's history."""
        with self._mutex:
            return self._tables.histories.get(key)

    def name(self, key: str) -> str | None:
        """Return a resolved name."""
        with self._mutex:
            return self._tables.names.get(key)

    def save_name(self, key: str, name: str) -> None:
        """Save a resolved name."""
        with self._changes():
            self._tables.names.put(key, name)

    def watched_since(self, identity: str) -> float | None:
        """Return when a target was first watched, on AWS's clock."""
        with self._mutex:
            return self._tables.targets.watched_since(identity)

    def save_watched_since(self, identity: str, moment: float) -> None:
        """Save when a target was first watched."""
        with self._changes(wait=True):
            self._tables.targets.put_watched_since(identity, moment)

    def account(self, target: str) -> str | None:
        """Return the last saved account of the target with a name."""
        with self._mutex:
            return self._tables.targets.account(target)

    def save_account(self, target: str, account: str, identity: str) -> None:
        """Save the account of the target with a name, and so the identity of the target."""
        with self._changes():
            self._tables.targets.put_account(target, account, identity)

    def attempted_at(self, key: str) -> float | None:
        """Return when a process last began its first poll of a data source, on the host's clock."""
        with self._mutex:
            return self._tables.targets.attempted_at(key)

    def save_attempt(self, key: str, moment: float) -> None:
        """Save when this process begins its first poll of a data source, as a time later than all earlier attempts."""
        with self._changes():
            self._tables.targets.put_attempt(key, moment)

    def saved_sources(self, target: str, location: Location | None) -> list[SavedSource]:
        """Return the data sources of a location, or else of the target with a name, as they were last found."""
        with self._mutex:
            sources = [source_codec.load_saved_source(text) for _, text in self._tables.sources.items()]
        return [saved for saved in sources if saved.belongs_to(target, location)]

    def save_source(self, key: str, saved: SavedSource) -> None:
        """Save a data source as it was found."""
        with self._changes():
            self._tables.sources.put(key, source_codec.dump_saved_source(saved))

    def remove_source(self, key: str) -> None:
        """Delete a data source, the time of its last attempt, and the count of its documents."""
        with self._changes():
            self._remove_source(key)

    def documents(self, key: str) -> DocumentsByStatus | None:
        """Return the last complete count of a data source's documents."""
        with self._mutex:
            text = self._tables.documents.get(key)
        return source_codec.load_documents(text) if text else None

    def save_documents(self, key: str, documents: DocumentsByStatus) -> None:
        """Save a complete count of a data source's documents."""
        with self._changes():
            self._tables.documents.put(key, source_codec.dump_documents(documents))

    def commit(self, histories: Mapping[str, SourceHistory]) -> None:
        """Write histories, by source. A failed write is counted, logged once, and retried with the next write."""
        with self._changes(wait=True):
            for key, history in histories.items():
                self._tables.histories.put(key, history)

    def save_poll_times(self, times: Mapping[str, float]) -> None:
        """Save the time of the last successful poll, by source, in one write.

        Only the time in the last committed history changes. So a poll that commits at the same time loses nothing, no
        matter which of the two comes first.
        """
        with self._changes(wait=True):
            for key, time in times.items():
                history = self._tables.histories.get(key)
                if history and time > history.as_of:
                    self._tables.histories.put(key, replace(history, as_of=time))

    def remove_unwatched(self, watched: set[str], now: float) -> None:
        """Remove the sources that are not in `watched` and were not polled within UNWATCHED_RETENTION."""
        tables = self._tables
        with self._changes():
            removed = tables.histories.unwatched_since(now - UNWATCHED_RETENTION, watched)
            for key in removed:
                tables.histories.put(key, None)
            known = {key for table in (tables.sources, tables.documents) for key, _ in table.items()}
            for key in sorted(known.union(tables.targets.attempted_sources())):
                if key not in watched and tables.histories.get(key) is None:
                    self._remove_source(key)
        if removed:
            logger.info("unwatched data sources removed from the state", count=len(removed))

    def _remove_source(self, key: str) -> None:
        self._tables.sources.put(key, None)
        self._tables.documents.put(key, None)
        self._tables.targets.remove_attempt(key)

    @contextmanager
    def _changes(self, *, wait: bool = False) -> Iterator[None]:
        """Hold the mutex during changes, then write them immediately or at the end of the batch."""
        with self._mutex:
            yield
        batch = self._batch.get()
        if batch is None:
            self._write(wait=wait)
        else:
            batch.wait |= wait

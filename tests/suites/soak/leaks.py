"""Small leaks that the tests plant into the exporter, to prove that the soak finds them."""

from __future__ import annotations

import os
import threading
from itertools import count
from typing import TYPE_CHECKING, Any

from exporter.aws.hooks import RequestHooks
from exporter.discovery.reconciler import Reconciler
from exporter.domain.counting import history
from exporter.exposition import Exposition
from exporter.polling.poller import Poller
from exporter.polling.ticket_queue import TicketQueue
from exporter.store import sqlite_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

SCRAPES_PER_DESCRIPTOR = 1000

LEAKED: list[Any] = []


def leaks_an_object_per_poll() -> None:
    """Keep a small object for each poll."""
    _call_after(Poller, "poll", lambda: LEAKED.append(object()))


def leaks_a_kilobyte_per_scrape() -> None:
    """Keep a kilobyte for each scrape."""
    _call_after(Exposition, "render", lambda: LEAKED.append(bytes(1024)))


def leaks_response_bodies() -> None:
    """Keep the body of each response."""
    original = RequestHooks._before_parse

    def before_parse(self: Any, operation_model: Any, response_dict: Any, **rest: Any) -> None:
        LEAKED.append(response_dict["body"])
        original(self, operation_model, response_dict, **rest)

    _replace(RequestHooks, "_before_parse", before_parse)


def leaks_file_descriptors() -> None:
    """Leave a file descriptor open every thousand scrapes."""
    scrapes = count(1)

    def open_file() -> None:
        if next(scrapes) % SCRAPES_PER_DESCRIPTOR == 0:
            os.open(os.devnull, os.O_RDONLY)

    _call_after(Exposition, "render", open_file)


def leaks_a_thread_per_discovery_run() -> None:
    """Start a thread that never ends for each discovery run."""
    _call_after(Reconciler, "reconcile", lambda: threading.Thread(target=threading.Event().wait, daemon=True).start())


def evicts_no_jobs() -> None:
    """Keep every job that ended."""
    _replace(history, "evict", lambda history, _retention, _keep: history)


def keeps_invalid_queue_entries() -> None:
    """Keep each invalid entry of the poll queue until its due time."""

    def put(self: Any, due: float, source: Any) -> None:
        self._entries.append((due, self._tickets[str(source.id)], source))
        self._entries.sort()

    _replace(TicketQueue, "put", put)


def keeps_evicted_jobs_on_disk() -> None:
    """Delete no evicted job from the state file."""
    _call_on_connect(
        lambda db: db.execute("CREATE TEMP TRIGGER keep BEFORE DELETE ON main.job BEGIN SELECT RAISE(IGNORE); END")
    )


def never_checkpoints() -> None:
    """Disable checkpoints, so that the write-ahead log of the state file grows."""
    _call_on_connect(lambda db: db.execute("PRAGMA wal_autocheckpoint = 0"))


def _call_after(kind: type, name: str, callback: Callable[[], object]) -> None:
    """Patch a method so that each call of it is followed by the callback."""
    original = getattr(kind, name)

    def method(*arguments: Any, **keywords: Any) -> Any:
        try:
            return original(*arguments, **keywords)
        finally:
            callback()

    _replace(kind, name, method)


def _call_on_connect(callback: Callable[[Any], object]) -> None:
    """Patch the store so that it passes each new database connection to the callback."""
    original = sqlite_file._connect

    def connect(path: str) -> Any:
        db = original(path)
        callback(db)
        return db

    _replace(sqlite_file, "_connect", connect)


def _replace(owner: type | ModuleType, name: str, function: Callable[..., Any]) -> None:
    """Replace a function of a class or module; raise AttributeError if it has no function of this name."""
    getattr(owner, name)  # after a rename, the replacement would have no effect, and nothing would leak
    setattr(owner, name, function)

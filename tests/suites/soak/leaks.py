"""Small leaks, put into the program one at a time to see that they are found."""

from __future__ import annotations

import os
import threading
from itertools import count
from typing import TYPE_CHECKING, Any

from exporter.aws.hooks import RequestHooks
from exporter.discovery.reconciler import Reconciler
from exporter.domain import history
from exporter.exposition import Exposition
from exporter.polling.poller import Poller
from exporter.polling.queue import _TicketQueue
from exporter.store import sqlite

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

KEPT: list[Any] = []


def keeps_something_of_each_poll() -> None:
    """Keep one small object for every poll."""
    _after(Poller, "poll", lambda: KEPT.append(object()))


def keeps_something_of_each_scrape() -> None:
    """Keep a kilobyte for every scrape."""
    _after(Exposition, "render", lambda: KEPT.append(bytes(1024)))


def keeps_what_it_was_answered() -> None:
    """Keep the bytes of every answer."""
    real = RequestHooks._before_parse

    def before_parse(self: Any, operation_model: Any, response_dict: Any, **rest: Any) -> None:
        KEPT.append(response_dict["body"])
        real(self, operation_model, response_dict, **rest)

    RequestHooks._before_parse = before_parse  # type: ignore[method-assign]


def leaves_a_file_open_now_and_then() -> None:
    """Leave a descriptor open every thousand scrapes."""
    numbers = count(1)

    def leave() -> None:
        if next(numbers) % 1000 == 0:
            os.open(os.devnull, os.O_RDONLY)

    _after(Exposition, "render", leave)


def leaves_a_thread_behind() -> None:
    """Begin a thread for every look at the organisation, and never end it."""
    _after(Reconciler, "reconcile", lambda: threading.Thread(target=threading.Event().wait, daemon=True).start())


def forgets_no_job() -> None:
    """Remember every job that ended."""
    _put(history, "evict", lambda kept, _retention, _keep: kept)


def lets_turns_pile_up() -> None:
    """Keep the turns of the agenda that were taken elsewhere until they would have been due."""

    def put(self: Any, due: float, source: Any) -> None:
        self._entries.append((due, self._tickets[str(source.id)], source))
        self._entries.sort()

    _TicketQueue.put = put  # type: ignore[method-assign]


def deletes_nothing_on_the_disk() -> None:
    """Leave in the state file the jobs that are forgotten."""
    _connected(
        lambda db: db.execute("CREATE TEMP TRIGGER keep BEFORE DELETE ON main.job BEGIN SELECT RAISE(IGNORE); END")
    )


def folds_no_log_in() -> None:
    """Let the write-ahead log of the state file grow."""
    _connected(lambda db: db.execute("PRAGMA wal_autocheckpoint = 0"))


def _after(kind: type, name: str, happen: Callable[[], object]) -> None:
    """Have something happen after each call of a method."""
    real = getattr(kind, name)

    def method(*arguments: Any, **named: Any) -> Any:
        try:
            return real(*arguments, **named)
        finally:
            happen()

    setattr(kind, name, method)


def _connected(change: Callable[[Any], object]) -> None:
    """Have something done to the state file as soon as it is open."""
    real = getattr(sqlite, "connect")  # noqa: B009 (the module does not export it)

    def connect(path: str) -> Any:
        db = real(path)
        change(db)
        return db

    _put(sqlite, "connect", connect)


def _put(module: ModuleType, name: str, function: Callable[..., Any]) -> None:
    """Replace a function that the module calls by this name; raise AttributeError if it has none."""
    getattr(module, name)  # after a rename, the replacement would change nothing, and the leak would not exist
    setattr(module, name, function)

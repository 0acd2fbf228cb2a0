"""Long computations that do not delay scrapes."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

WORK_SECONDS, PAUSE_SECONDS = 0.002, 0.0001
MAX_WAIT_SECONDS = 0.02  # a pause for scrapes after each WORK_SECONDS

T = TypeVar("T")


class ScrapePriority:
    """Lets scrapes run before status pages, which need the same interpreter lock. Thread-safe.

    A page pauses briefly after every two milliseconds of work, so that the event loop can receive requests. Otherwise
    its thread would keep the lock for CPython's switch interval each time another thread requests it. While a scrape is
    in progress, the page waits for its end, but only for a short time in each pause, because a client may take minutes
    to read its scrape.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._scrapes = 0
        self._none_in_progress = threading.Event()
        self._none_in_progress.set()

    @contextmanager
    def scrape(self) -> Iterator[None]:
        """Return a context in which pages wait."""
        self._add(1)
        try:
            yield
        finally:
            self._add(-1)

    def _add(self, number: int) -> None:
        with self._lock:
            self._scrapes += number
            if self._scrapes:
                self._none_in_progress.clear()
            else:
                self._none_in_progress.set()

    def yielding(self, items: Iterable[T]) -> Iterator[T]:
        """Yield the items, and let scrapes run between them."""
        started = time.perf_counter()
        for item in items:
            yield item
            if time.perf_counter() - started > WORK_SECONDS:
                time.sleep(PAUSE_SECONDS)
                self._none_in_progress.wait(MAX_WAIT_SECONDS)
                started = time.perf_counter()

"""Long computations that do not delay other threads."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

WORK_SECONDS, PAUSE_SECONDS = 0.002, 0.001

T = TypeVar("T")


def yielding_gil(items: Iterable[T]) -> Iterator[T]:
    """Yield the items, and release the interpreter lock briefly after every two milliseconds of work.

    A thread that renders a status page would otherwise keep the lock for five milliseconds (the switch interval of
    CPython) each time that the thread of a scrape requests it.
    """
    started = time.perf_counter()
    for item in items:
        yield item
        if time.perf_counter() - started > WORK_SECONDS:
            time.sleep(PAUSE_SECONDS)
            started = time.perf_counter()

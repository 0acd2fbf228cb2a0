"""How to work for long without holding anybody up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

WORK, REST = 0.002, 0.001  # seconds

T = TypeVar("T")


def yielding_gil(things: Iterable[T]) -> Iterator[T]:
    """Give things on, and let others have the interpreter now and then: somebody may be waiting for a scrape.

    The interpreter would take it away only after five milliseconds, each time that somebody asks for it.
    """
    began = time.perf_counter()
    for thing in things:
        yield thing
        if time.perf_counter() - began > WORK:
            time.sleep(REST)
            began = time.perf_counter()

"""Garbage collection around the states of targets, which are most of the memory and live as long as the targets."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MIN_SOURCES = 1_000  # data sources of this process; with fewer, a full collection is short enough
COLLECTION_DELAY = 20.0  # seconds; replicas hand over a target every three seconds until they are balanced


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Create many objects that stay. Each full collection would traverse all of them, and find nothing to free."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class FrozenStates:
    """Freezes the states of targets that this process acquires, and makes those that it loses collectable.

    Without that, each full collection would traverse all states, which takes a second with 25,000 data sources. No
    other thread runs meanwhile. A target consists of cycles, which only a full collection frees, and only if they are
    not frozen. So after a loss, nothing is frozen until there has been a full collection.

    That collection has a time of its own, when owners no longer change. Example: a new replica gets a target from this
    one every few seconds, and another replica is killed a minute later. Without the collection in between, the next one
    would traverse everything while this process takes over targets.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """Start as if everything were frozen; `clock` returns seconds on a monotonic clock."""
        self._clock = clock
        self._lost_at: float | None = None

    def targets_lost(self) -> None:
        """Make everything collectable."""
        gc.unfreeze()
        self._lost_at = self._clock()

    def freeze(self) -> None:
        """Freeze what exists, unless it may contain a target that was lost and is not collected yet."""
        if self._lost_at is None:
            gc.freeze()

    def is_collection_due(self) -> bool:
        """Return whether the last target was lost some time ago, and has not been collected since then."""
        return self._lost_at is not None and self._clock() - self._lost_at >= COLLECTION_DELAY

    def collect(self) -> None:
        """Collect the lost targets, and freeze the rest."""
        gc.collect()
        gc.freeze()
        self._lost_at = None

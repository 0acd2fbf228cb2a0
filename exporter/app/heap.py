"""Garbage collection around the states of targets, which are most of the memory and live as long as the targets."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


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
    """

    def __init__(self) -> None:
        """Start as if everything were frozen."""
        self._collections_before_loss: int | None = None

    def targets_lost(self) -> None:
        """Make everything collectable."""
        gc.unfreeze()
        self._collections_before_loss = _full_collections()

    def freeze(self) -> None:
        """Freeze what exists, unless it may contain a target that was lost and is not collected yet."""
        before = self._collections_before_loss
        if before is None or _full_collections() > before:
            gc.freeze()
            self._collections_before_loss = None

    def freeze_rest(self) -> None:
        """Freeze what exists, if the targets that were lost are collected by now."""
        if self._collections_before_loss is not None:
            self.freeze()


def _full_collections() -> int:
    return int(gc.get_stats()[-1]["collections"])

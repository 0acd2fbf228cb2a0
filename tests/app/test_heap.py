"""The states of targets and garbage collection."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING

import pytest

from exporter.app.heap import FrozenStates, without_garbage_collection

if TYPE_CHECKING:
    from collections.abc import Iterator


class CyclicPart:
    """A part of a target, which refers to the target."""

    def __init__(self) -> None:
        self.target = self


def is_traversed(part: CyclicPart) -> bool:
    """Return whether a full collection traverses an object; the number of frozen objects varies with other threads."""
    return any(each is part for each in gc.get_objects())


@pytest.fixture(autouse=True)
def without_effect_on_other_tests() -> Iterator[None]:
    """Collect everything at the end."""
    with without_garbage_collection():
        yield
    gc.unfreeze()


def test_a_full_collection_does_not_traverse_acquired_targets() -> None:
    """With 25,000 data sources, that would stop all threads for a second."""
    states, part = FrozenStates(), CyclicPart()
    assert is_traversed(part)
    states.freeze()
    assert not is_traversed(part)


def test_a_lost_target_is_collected_although_it_was_frozen() -> None:
    """Another target that is acquired soon after the loss must not freeze the garbage again."""
    states, part = FrozenStates(), CyclicPart()
    lost = weakref.ref(part)
    states.freeze()
    del part
    gc.collect()
    assert lost()  # which shows that it was frozen
    states.targets_lost()
    states.freeze()
    states.freeze_rest()
    assert gc.get_freeze_count() == 0
    gc.collect()
    assert not lost()
    states.freeze_rest()
    assert gc.get_freeze_count() > 0


def test_nothing_is_frozen_while_no_target_is_acquired_or_lost() -> None:
    """Otherwise, garbage in cycles would be frozen every second, and never be collected."""
    states = FrozenStates()
    states.freeze_rest()
    states.freeze()
    frozen, parts = gc.get_freeze_count(), [CyclicPart() for _ in range(1000)]
    states.freeze_rest()
    assert gc.get_freeze_count() <= frozen < frozen + len(parts)

"""The states of targets and garbage collection."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING

import pytest

from exporter.app.heap import COLLECTION_DELAY, FrozenStates, without_garbage_collection

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
    states, part = FrozenStates(lambda: 0.0), CyclicPart()
    assert is_traversed(part)
    states.freeze()
    assert not is_traversed(part)


def test_a_lost_target_is_collected_although_it_was_frozen() -> None:
    """Another target that is acquired soon after the loss must not freeze the garbage again."""
    now = 0.0
    states, part = FrozenStates(lambda: now), CyclicPart()
    lost = weakref.ref(part)
    states.freeze()
    del part
    gc.collect()
    assert lost()  # which shows that it was frozen
    states.targets_lost()
    states.freeze()
    assert gc.get_freeze_count() == 0
    gc.collect()
    assert not lost()


def test_a_lost_target_is_collected_once_owners_do_not_change_any_more() -> None:
    """Nothing is collected while a hand-over follows another one, and the rest is frozen in the end."""
    now = 0.0
    states, part = FrozenStates(lambda: now), CyclicPart()
    lost = weakref.ref(part)
    del part
    for _ in range(3):
        states.targets_lost()
        now += COLLECTION_DELAY - 1
        assert not states.is_collection_due()
    now += 1
    assert states.is_collection_due()
    states.collect()
    assert (lost(), states.is_collection_due()) == (None, False)
    assert gc.get_freeze_count() > 0


def test_nothing_is_collected_while_no_target_is_lost() -> None:
    """Otherwise, all threads would stop for a second again and again."""
    states = FrozenStates(lambda: 0.0)
    states.freeze()
    assert not states.is_collection_due()

"""Defects of reloads, of crash loops, of the return after a long absence, and of wrong clocks at first contact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.app import predecessors, reload
from exporter.domain.counting.unread_range import UnreadRange
from exporter.polling import poll_times
from exporter.polling.queue import PollQueue

if TYPE_CHECKING:
    import pytest


# Reloads.


def exposes_what_a_reload_drops(patch: pytest.MonkeyPatch) -> None:
    """Leave a data source on the page that no target of the new configuration watches."""
    patch.setattr(reload, "_remove_unclaimed", lambda _handovers, _services: iter(()))


def continues_a_target_by_its_name(patch: pytest.MonkeyPatch) -> None:
    """Continue with the data sources of a replaced target only if the new one has its name."""
    patch.setattr(predecessors, "_is_same_place", lambda target, other: target.name == other.name)


# Crash loops.


def polls_in_the_same_order_after_each_start(patch: pytest.MonkeyPatch) -> None:
    """Ignore after a start which data sources the process before has polled."""
    original: Any = PollQueue.add

    def add(self: Any, source: Any, now: float, entry: Any = None, **known: Any) -> None:
        original(self, source, now, entry, is_syncing=known["is_syncing"], poll_age=None)

    patch.setattr(PollQueue, "add", add)


# Long absences.


def ends_a_catch_up_after_one_step(patch: pytest.MonkeyPatch) -> None:
    """Skip the rest of an unread range."""
    patch.setattr(UnreadRange, "after_step", lambda *_arguments, **_keywords: None)


# Wrong clocks.


def counts_from_a_first_contact_in_the_future(patch: pytest.MonkeyPatch) -> None:
    """Keep the time since when jobs count, although the clock that it was read from proves wrong."""
    patch.setattr(poll_times, "move_start", lambda history, *_arguments, **_keywords: history)


DEFECTS = (
    exposes_what_a_reload_drops,
    continues_a_target_by_its_name,
    polls_in_the_same_order_after_each_start,
    ends_a_catch_up_after_one_step,
    counts_from_a_first_contact_in_the_future,
)

"""Hints that a sync was started or stopped: when they cause polls, and how many."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from exporter.polling.poller import PollOutcome
from exporter.polling.priorities import LOWER_SHARE
from exporter.polling.queue import PollQueue
from exporter.polling.queue_entry import Intervals
from tests.support.builders import make_source

if TYPE_CHECKING:
    from exporter.domain.model import DataSource

ACTIVE_INTERVAL, IDLE_INTERVAL = 60.0, 1800.0
IDLE = PollOutcome(succeeded=True, active=False)
SYNCING = PollOutcome(succeeded=True, active=True)
FAILED = PollOutcome(succeeded=False, active=False)
SOURCE = make_source(1)


@pytest.fixture
def queue() -> PollQueue:
    """Return a queue with an idle source that was polled at 0."""
    queue = PollQueue(Intervals(ACTIVE_INTERVAL, IDLE_INTERVAL), 0.0, random.Random(1))
    queue.add(SOURCE, now=0.0)
    poll(queue, IDLE, at=0.0)
    return queue


def poll(queue: PollQueue, outcome: PollOutcome, at: float) -> DataSource:
    """Poll the source that is due first at a time."""
    source = queue.pop(at)
    assert source is not None
    queue.complete(source, outcome, at + 1.0)
    return source


def test_a_hint_is_followed_by_a_poll_at_once(queue: PollQueue) -> None:
    """The source is polled at the active interval until the sync has ended, and then at the idle one."""
    queue.hint(SOURCE, 1000.0)
    assert queue.next_delay(1000.0) == 0.0
    poll(queue, SYNCING, at=1000.0)
    assert queue.next_delay(1001.0) == ACTIVE_INTERVAL - 1.0
    poll(queue, IDLE, at=1060.0)
    assert queue.next_delay(1061.0) == IDLE_INTERVAL - 1.0


def test_a_hint_that_is_wrong_costs_one_poll(queue: PollQueue) -> None:
    """The poll finds no sync, and the source is idle again."""
    queue.hint(SOURCE, 1000.0)
    poll(queue, IDLE, at=1000.0)
    assert queue.next_delay(1001.0) == IDLE_INTERVAL - 1.0


def test_a_flood_of_hints_causes_no_more_polls_than_the_active_interval(queue: PollQueue) -> None:
    """An hour with a hint in each second, even while a poll is in flight, has sixty polls."""
    polls = []
    for second in range(100, 3700):
        queue.hint(SOURCE, second)
        if queue.pop(second) is not None:
            polls.append(second)
            queue.hint(SOURCE, second)
            queue.complete(SOURCE, IDLE, second + 1.0)
    assert len(polls) == 3600 / ACTIVE_INTERVAL


def test_a_hint_during_a_poll_causes_another_one(queue: PollQueue) -> None:
    """The sync may have started after the response."""
    queue.hint(SOURCE, 1000.0)
    assert queue.pop(1000.0) == SOURCE
    queue.hint(SOURCE, 1000.5)
    queue.complete(SOURCE, IDLE, 1001.0)
    assert queue.next_delay(1001.0) == ACTIVE_INTERVAL - 1.0
    poll(queue, IDLE, at=1060.0)
    assert queue.next_delay(1061.0) == IDLE_INTERVAL - 1.0


def test_a_hint_does_not_shorten_a_back_off(queue: PollQueue) -> None:
    """Retries spare a service that fails, whatever a queue contains."""
    for at in (1800.0, 1900.0, 2100.0):
        poll(queue, FAILED, at=at)
    before = queue.next_delay(2102.0)
    queue.hint(SOURCE, 2102.0)
    assert queue.next_delay(2102.0) == before


def test_hinted_sources_come_before_idle_ones(queue: PollQueue) -> None:
    """Otherwise, a hint would wait as long as polls are late."""
    other = make_source(2)
    queue.add(other, now=0.0)
    poll(queue, IDLE, at=10.0)
    queue.hint(other, 2500.0)
    assert [poll(queue, IDLE, at=2500.0), poll(queue, IDLE, at=2500.0)] == [other, SOURCE]


@pytest.fixture
def saturated(queue: PollQueue) -> list[DataSource]:
    """Return sources with a sync in progress, all of which are overdue at 1000."""
    busy = [make_source(number) for number in range(2, 22)]
    for source in busy:
        queue.add(source, now=1.0)
    for _ in busy:
        poll(queue, SYNCING, at=1.0)
    return busy


@pytest.mark.usefixtures("saturated")
def test_a_sync_with_a_hint_comes_before_other_syncs_until_it_has_ended(queue: PollQueue) -> None:
    """Its end is seen at the active interval, although the polls of all other syncs are late."""
    queue.hint(SOURCE, 1000.0)
    assert poll(queue, SYNCING, at=1000.0) == SOURCE
    assert poll(queue, SYNCING, at=1010.0) != SOURCE
    assert poll(queue, IDLE, at=1060.0) == SOURCE
    queue.hint(SOURCE, 1061.0)
    assert queue.pop(1062.0) != SOURCE


def test_syncs_with_a_hint_leave_a_share_to_the_others(queue: PollQueue, saturated: list[DataSource]) -> None:
    """A script that starts syncs without pause does not stop the polls of scheduled ones."""
    hinted = saturated[10:]
    for source in hinted:
        queue.hint(source, 1000.0)
    polled = [poll(queue, SYNCING, at=1000.0) for _ in range(10)]
    assert [source in hinted for source in polled].count(False) == 10 // LOWER_SHARE


@pytest.mark.usefixtures("saturated")
def test_a_forged_hint_gives_way_after_one_poll(queue: PollQueue) -> None:
    """The source has no sync in progress, so it is polled like an idle source from then on."""
    queue.hint(SOURCE, 1000.0)
    assert poll(queue, IDLE, at=1000.0) == SOURCE
    assert [poll(queue, SYNCING, at=2900.0) == SOURCE for _ in range(LOWER_SHARE)] == [False] * 4 + [True]


@pytest.mark.usefixtures("saturated")
def test_a_reload_keeps_the_order(queue: PollQueue) -> None:
    """The sync with a hint is still first in the queue of the successor."""
    queue.hint(SOURCE, 1000.0)
    poll(queue, SYNCING, at=1000.0)
    entries = queue.entries(1060.0)
    successor = PollQueue(Intervals(ACTIVE_INTERVAL, IDLE_INTERVAL), 0.0, random.Random(1))
    for source in [*(make_source(number) for number in range(2, 22)), SOURCE]:
        successor.add(source, 1060.0, entries[str(source.id)])
    assert poll(successor, SYNCING, at=1060.0) == SOURCE
    assert poll(successor, SYNCING, at=1060.0) != SOURCE
    assert successor.pop(1120.0) == SOURCE


def test_a_hint_before_the_first_poll_makes_it_the_first(queue: PollQueue) -> None:
    """It is polled once, and not again when its initial poll would have been due."""
    first, hinted = make_source(2), make_source(3)
    queue.add(first, now=100.0)
    queue.add(hinted, now=100.0)
    queue.hint(hinted, 100.0)
    assert [poll(queue, IDLE, at=100.0), poll(queue, IDLE, at=100.0)] == [hinted, first]
    assert queue.pop(100.0) is None


def test_a_hint_for_a_removed_source_is_ignored(queue: PollQueue) -> None:
    """It may come late, after the source was deleted."""
    queue.remove(SOURCE)
    queue.hint(SOURCE, 1000.0)
    assert queue.next_delay(1000.0) is None


def test_a_hint_moves_to_another_queue(queue: PollQueue) -> None:
    """A reload replaces the queue of a target, and the poll is still due."""
    queue.hint(SOURCE, 30.0)
    successor = PollQueue(Intervals(ACTIVE_INTERVAL, IDLE_INTERVAL), 0.0, random.Random(1))
    successor.add(SOURCE, 40.0, queue.entries(40.0)[str(SOURCE.id)])
    assert successor.next_delay(40.0) == 20.0


def test_a_late_hint_poll_counts_as_lag(queue: PollQueue) -> None:
    """It is late from the time at which it was due."""
    queue.hint(SOURCE, 1000.0)
    assert queue.lag(1100.0) == 100.0


def test_a_shorter_idle_interval_spreads_the_sources_that_wait() -> None:
    """Those due within half an hour are due within five minutes, in the same order; none is late."""
    queue = PollQueue(Intervals(ACTIVE_INTERVAL, IDLE_INTERVAL), 0.0, random.Random(1))
    sources = [make_source(number) for number in range(4)]
    for at, source in zip((0.0, 600.0, 1200.0, 1799.0), sources, strict=True):
        queue.add(source, now=at)
        poll(queue, FAILED if source is sources[3] else IDLE, at=at)
    failing = queue.entries(1800.0)[str(sources[3].id)]
    queue.use_idle_interval(300.0, 1800.0)
    entries = queue.entries(1800.0)
    assert [entries[str(source.id)].idle for source in sources[:3]] == [1800.0, 1900.0, 2000.0]
    assert entries[str(sources[3].id)] == failing
    assert (queue.lag(1800.0), queue.lag(1805.0)) == (0.0, 5.0)
    assert poll(queue, IDLE, at=1800.0) == sources[0]
    assert queue.entries(1801.0)[str(sources[0].id)].idle == 2100.0


def test_an_idle_interval_that_flaps_causes_no_more_polls_than_the_shorter_one(queue: PollQueue) -> None:
    """A queue that fails every few seconds is as good as none."""
    polls = []
    for second in range(1, 3001):
        queue.use_idle_interval(300.0 if second % 10 == 0 else IDLE_INTERVAL, second)
        if queue.pop(second) is not None:
            polls.append(second)
            queue.complete(SOURCE, IDLE, second + 0.5)
    assert 5 <= len(polls) <= 3000 / 300


def test_a_longer_idle_interval_applies_from_the_next_poll(queue: PollQueue) -> None:
    """The present waits are as they were."""
    queue.use_idle_interval(2 * IDLE_INTERVAL, 100.0)
    assert queue.next_delay(100.0) == IDLE_INTERVAL - 100.0
    poll(queue, IDLE, at=IDLE_INTERVAL)
    assert queue.next_delay(IDLE_INTERVAL) == 2 * IDLE_INTERVAL

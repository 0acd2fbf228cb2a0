"""The count queue: which data source is counted next, and when."""

from __future__ import annotations

import math

import pytest

from exporter.documents.queue import FIRST_RETRY, LAST_RETRY, CountQueue
from exporter.domain.units import DAY, HOUR
from tests.support.builders import make_source

A, B, C = (make_source(number).id for number in range(3))


def test_the_source_that_was_counted_the_longest_time_ago_is_first() -> None:
    """A source that was never counted comes before all others, and one that is not due is not returned."""
    queue = CountQueue(6 * HOUR)
    queue.watch({A: 7 * HOUR, B: 9 * HOUR, C: None}, 100.0)
    order = []
    while (source := queue.pop(100.0)) is not None:
        order.append(source)
        queue.complete(source, 100.0)
    assert order == [C, B, A]
    assert queue.delay(100.0) == 6 * HOUR
    assert queue.pop(100.0 + 6 * HOUR) is not None


def test_a_count_before_a_restart_delays_the_next_one() -> None:
    """A process that restarts every hour must not count everything each time."""
    queue = CountQueue(6 * HOUR)
    queue.watch({A: HOUR}, 100.0)
    assert queue.pop(100.0) is None
    assert queue.delay(100.0) == 5 * HOUR


def test_a_source_that_is_not_watched_any_more_is_not_counted() -> None:
    """The others keep their times."""
    queue = CountQueue(HOUR)
    queue.watch({A: None, B: 0.0}, 0.0)
    queue.watch({B: 0.0}, 10.0)
    assert queue.pop(10.0) is None
    assert queue.delay(10.0) == HOUR - 10.0
    queue.watch({}, 20.0)
    assert queue.delay(20.0) == math.inf


def test_a_failed_count_is_retried_with_a_growing_delay() -> None:
    """A success ends the back-off."""
    queue = CountQueue(DAY)
    queue.watch({A: None}, 0.0)
    delays = []
    for _ in range(9):
        queue.fail(A, 0.0)
        delays.append(queue.delay(0.0))
    assert delays[:3] == [FIRST_RETRY, 2 * FIRST_RETRY, 4 * FIRST_RETRY]
    assert delays[-1] == LAST_RETRY
    queue.complete(A, 0.0)
    queue.fail(A, 0.0)
    assert queue.delay(0.0) == FIRST_RETRY


@pytest.mark.parametrize(("seconds_per_count", "is_behind"), [(10.0, False), (40.0, True)])
def test_the_queue_is_behind_if_a_round_does_not_fit_the_interval(seconds_per_count: float, *, is_behind: bool) -> None:
    """Three sources take 30 seconds of a minute, or two minutes. All are counted equally often then."""
    queue, now = CountQueue(60.0), 0.0
    queue.watch(dict.fromkeys((A, B, C)), now)
    counted = []
    behind = False
    while now < 600.0:
        source = queue.pop(now)
        if source is None:
            now += queue.delay(now)
            continue
        started, now = now, now + seconds_per_count
        queue.complete(source, started)
        counted.append(source)
        behind |= queue.is_behind(now)
    assert behind == is_behind
    assert max(map(counted.count, (A, B, C))) - min(map(counted.count, (A, B, C))) <= 1

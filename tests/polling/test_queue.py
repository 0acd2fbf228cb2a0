"""The order of polls: no overlap, no starvation, and active sources first."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.polling.poller import PollOutcome
from exporter.polling.priorities import LOWER_SHARE
from exporter.polling.queue import PollQueue
from exporter.polling.queue_entry import Intervals
from exporter.polling.ticket_queue import STEP_INTERVAL
from tests.support.builders import make_source

if TYPE_CHECKING:
    from exporter.domain.model import DataSource

INTERVALS = Intervals(active=60.0, idle=300.0)
IDLE = PollOutcome(succeeded=True, active=False)
SYNCING = PollOutcome(succeeded=True, active=True)
FAILED = PollOutcome(succeeded=False, active=False)
BEHIND = PollOutcome(succeeded=True, active=False, is_behind=True)


@pytest.fixture
def queue() -> PollQueue:
    """Return a queue with repeatable jitter."""
    return PollQueue(INTERVALS, 0.0, random.Random(1))


def run(queue: PollQueue, outcome: PollOutcome, at: float, took: float = 1.0) -> DataSource:
    """Poll the source that is due first at a time."""
    source = queue.pop(at)
    assert source is not None
    queue.complete(source, outcome, at + took)
    return source


@pytest.mark.parametrize(("outcome", "interval"), [(IDLE, 300.0), (SYNCING, 60.0)])
def test_the_interval_depends_on_whether_the_source_is_active(
    queue: PollQueue, outcome: PollOutcome, interval: float
) -> None:
    """It counts from the start of the poll, so that slow responses do not extend it."""
    queue.add(make_source(), now=0.0)
    run(queue, outcome, at=0.0)
    assert queue.next_delay(1.0) == interval - 1.0


def test_a_poll_longer_than_the_interval_is_followed_at_once(queue: PollQueue) -> None:
    """Missed polls are not repeated."""
    queue.add(make_source(), now=0.0)
    run(queue, SYNCING, at=0.0, took=200.0)
    assert queue.next_delay(200.0) == 0.0
    run(queue, SYNCING, at=200.0)
    assert queue.next_delay(201.0) == 59.0


def test_a_source_in_flight_is_not_polled_a_second_time(queue: PollQueue) -> None:
    """Two polls of one source never overlap."""
    queue.add(make_source(), now=0.0)
    assert queue.pop(0.0) is not None
    assert queue.pop(1e9) is None
    assert queue.next_delay(1e9) is None


def test_the_most_overdue_source_is_polled_first_and_none_starves(queue: PollQueue) -> None:
    """With more sources due than can be polled, each one is polled before any is polled again."""
    sources = [make_source(n) for n in range(5)]
    for source in sources:
        queue.add(source, now=0.0)
    served = [run(queue, IDLE, at=400.0 * n) for n in range(10)]
    assert served == sources * 2
    assert queue.lag(4000.0) == pytest.approx(4000.0 - (5 * 400.0 + 300.0))


def test_failures_back_off_from_soon_to_a_cap(queue: PollQueue) -> None:
    """The first retry comes before the next regular poll. Delays double, with jitter, up to 15 minutes."""
    queue.add(make_source(), now=0.0)
    now, delays = 0.0, []
    for _ in range(12):
        run(queue, FAILED, at=now, took=0.0)
        delays.append(queue.next_delay(now) or 0.0)
        now += delays[-1]
    assert 7.5 <= delays[0] <= 15.0
    assert all(450.0 <= delay <= 900.0 for delay in delays[6:])
    assert all(later <= 4 * earlier for earlier, later in pairwise(delays))
    run(queue, IDLE, at=now, took=0.0)
    assert queue.next_delay(now) == 300.0


def test_the_first_pass_ends_when_every_source_was_polled(queue: PollQueue) -> None:
    """A failed poll counts for the pass, but not for `has_succeeded`."""
    for n in range(2):
        queue.add(make_source(n), now=0.0)
    run(queue, FAILED, at=0.0)
    assert queue.progress.unready == "1 data source not polled yet"
    run(queue, FAILED, at=0.0)
    assert queue.progress.unready is None
    assert not queue.progress.has_succeeded


def test_first_polls_are_spread_out() -> None:
    """Sources that are added together are due one after the other, and none of them counts as late."""
    queue = PollQueue(INTERVALS, 0.5, random.Random(1))
    for number in range(4):
        queue.add(make_source(number), now=100.0)
    taken = []
    for now in (100.0, 100.4, 100.5, 101.0, 101.5):
        assert queue.lag(now) == 0.0
        if source := queue.pop(now):
            taken.append(now)
            queue.complete(source, IDLE, now)
    assert taken == [100.0, 100.5, 101.0, 101.5]
    queue.add(make_source(9), now=200.0)
    assert queue.pop(200.0) is not None


def test_a_removed_source_is_not_polled_again(queue: PollQueue) -> None:
    """This holds for waiting sources and for sources in flight; both may be added again."""
    waiting, in_flight = make_source(1), make_source(2)
    queue.add(in_flight, now=0.0)
    queue.add(waiting, now=0.0)
    assert queue.pop(0.0) is in_flight
    queue.remove(waiting)
    queue.remove(in_flight)
    assert queue.progress.unready is None
    queue.complete(in_flight, IDLE, 1.0)
    assert (queue.next_delay(1.0), len(queue.progress)) == (None, 0)
    queue.add(waiting, now=2.0)
    assert queue.pop(2.0) is waiting


def test_a_source_that_is_added_again_while_in_flight_is_not_polled_twice_at_once(queue: PollQueue) -> None:
    """It is queued when its poll in flight completes."""
    source = make_source()
    queue.add(source, now=0.0)
    queue.pop(0.0)
    queue.remove(source)
    queue.add(source, now=1.0)
    assert queue.pop(5.0) is None
    queue.complete(source, IDLE, 5.0)
    assert queue.next_delay(5.0) == 295.0


def test_active_sources_are_polled_before_idle_ones(queue: PollQueue) -> None:
    """The idle sources have been due for longer, but get only their share of the polls."""
    busy = [make_source(n) for n in range(20)]
    idle = [make_source(n) for n in range(20, 40)]
    for source in busy + idle:
        queue.add(source, now=0.0)
    for source in busy + idle:
        assert queue.pop(0.0) is source
        queue.complete(source, SYNCING if source in busy else IDLE, 0.0)
    turns = [queue.pop(1000.0) for _ in range(20)]
    assert [source in idle for source in turns].count(True) == 20 // LOWER_SHARE
    assert [source for source in turns if source in busy] == busy[:16]
    assert queue.lag(1000.0) == 940.0


def test_no_source_starves_under_overload() -> None:
    """With ten times as many polls due as are possible, idle sources are still polled."""
    queue = PollQueue(INTERVALS, 0.0, random.Random(1))
    sources = [make_source(n) for n in range(600)]
    for source in sources:
        queue.add(source, now=0.0)
    served: dict[str, int] = {}
    for second in range(6000):  # one poll a second, where ten active sources a second want one
        taken = queue.pop(float(second))
        if taken is not None:
            served[str(taken.id)] = served.get(str(taken.id), 0) + 1
            queue.complete(taken, SYNCING if taken in sources[:500] else IDLE, float(second))
    assert len(served) == 600
    assert min(served.values()) >= 5


@pytest.mark.parametrize(
    ("outcome", "due"),
    [
        (PollOutcome(succeeded=True, active=False, fires_in=100.0), 161.0),
        (PollOutcome(succeeded=True, active=False, fires_in=0.0), 61.0),
        (PollOutcome(succeeded=True, active=False, fires_in=250.0), 300.0),
        (PollOutcome(succeeded=True, active=True, fires_in=100.0), 60.0),
    ],
)
def test_a_source_with_a_due_sync_is_polled_at_the_active_interval(
    queue: PollQueue, outcome: PollOutcome, due: float
) -> None:
    """This applies from the firing of its schedule on, before the idle interval has passed."""
    queue.add(make_source(), now=0.0)
    run(queue, outcome, at=0.0)
    assert queue.next_delay(1.0) == due - 1.0


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from(["pop", "complete", "remove", "add", "hint"]), st.integers(0, 400))
    )
)
def test_no_sequence_polls_a_source_twice_at_once_or_loses_one(steps: list[tuple[int, str, int]]) -> None:
    """Each source is in exactly one place: waiting, in flight or removed."""
    queue = PollQueue(INTERVALS, 0.0, random.Random(1))
    sources = [make_source(n) for n in range(6)]
    in_flight: set[DataSource] = set()
    watched: set[DataSource] = set()
    now = 0.0
    for number, step, later in steps:
        source, now = sources[number], now + later
        if step == "add" and source not in watched:
            queue.add(source, now)
            watched.add(source)
        elif step == "remove" and source in watched:
            queue.remove(source)
            watched.discard(source)
        elif step == "hint":
            queue.hint(source, now)
        elif step == "pop" and (taken := queue.pop(now)):
            assert taken not in in_flight
            assert taken in watched
            in_flight.add(taken)
        elif step == "complete" and source in in_flight:
            queue.complete(source, IDLE, now)
            in_flight.discard(source)
    for source in in_flight:
        queue.complete(source, IDLE, now)
    waiting = set()
    while taken := queue.pop(now + 10_000):
        waiting.add(taken)
    assert waiting == watched


def handed_over(queue: PollQueue, now: float, intervals: Intervals = INTERVALS) -> PollQueue:
    """Return another queue that continues with the two sources of a queue."""
    successor = PollQueue(intervals, 0.0, random.Random(1))
    entries = queue.entries(now)
    for number in (1, 2):
        source = make_source(number)
        successor.add(source, now, entries.get(str(source.id)))
    return successor


def test_another_queue_continues_with_the_entries_of_a_queue(queue: PollQueue) -> None:
    """Polled sources keep their due times; unpolled ones are new there, and sources in flight are due immediately."""
    queue.add(make_source(1), now=0.0)
    assert run(queue, IDLE, at=0.0) == make_source(1)
    queue.add(make_source(2), now=10.0)
    successor = handed_over(queue, 100.0)
    assert successor.progress.unready == "1 data source not polled yet"
    assert run(successor, IDLE, at=100.0) == make_source(2)
    assert successor.next_delay(100.0) == 200.0
    assert run(successor, IDLE, at=300.0) == make_source(1)
    assert queue.pop(100.0) == make_source(2)
    queue.complete(make_source(2), IDLE, 101.0)
    assert queue.pop(300.0) == make_source(1)
    successor = handed_over(queue, 301.0)
    assert successor.progress.unready is None
    assert successor.pop(301.0) == make_source(1)


def test_a_pass_ends_when_every_source_was_polled_since_the_last(queue: PollQueue) -> None:
    """Repeated polls do not matter, a removed source is not waited for, and without sources there is no pass."""
    assert not queue.progress.end()
    for number in (1, 2, 3):
        queue.add(make_source(number), now=0.0)
    run(queue, SYNCING, at=0.0)
    run(queue, IDLE, at=0.0)
    assert not queue.progress.end()
    run(queue, FAILED, at=0.0)
    assert (queue.progress.end(), queue.progress.end()) == (True, False)
    run(queue, SYNCING, at=60.0)
    run(queue, SYNCING, at=120.0)
    run(queue, IDLE, at=300.0)
    assert not queue.progress.end()
    for number in (1, 2, 3):
        queue.remove(make_source(number))
    assert not queue.progress.end()


def test_shorter_intervals_apply_to_waiting_sources(queue: PollQueue) -> None:
    """The time of the next firing stays, and a failing source keeps its back-off."""
    queue.add(make_source(1), now=0.0)
    run(queue, PollOutcome(succeeded=True, active=False, fires_in=5000.0), at=0.0)
    queue.add(make_source(2), now=0.0)
    for at in (0.0, 100.0, 200.0, 299.0):
        run(queue, FAILED, at=at)
    failing = queue.entries(300.0)[str(make_source(2).id)]
    assert (failing.failures, failing.active) == (4, None)
    successor = handed_over(queue, 299.5, Intervals(active=1.0, idle=5.0))
    (idle, kept) = (successor.entries(299.5)[str(make_source(number).id)] for number in (1, 2))
    assert (idle.idle, idle.active) == (300.0, 5061.0)
    assert kept == failing


@pytest.mark.parametrize(("outcome", "due"), [(SYNCING, 31.0), (IDLE, 35.0)])
def test_a_source_waits_no_longer_than_the_new_interval(queue: PollQueue, outcome: PollOutcome, due: float) -> None:
    """An active source waits at most the active interval, an idle one the idle interval."""
    queue.add(make_source(1), now=0.0)
    run(queue, outcome, at=0.0)
    successor = handed_over(queue, 30.0, Intervals(active=1.0, idle=5.0))
    assert successor.pop(30.0) == make_source(2)
    assert successor.next_delay(30.0) == due - 30.0


def test_steps_of_a_catch_up_take_a_quarter_of_the_workers() -> None:
    """The source is also polled at its usual interval, and the next step follows immediately when one completes."""
    queue = PollQueue(INTERVALS, 0.0, random.Random(1), workers=8)
    sources = [make_source(n) for n in range(8)]
    for source in sources:
        queue.add(source, now=0.0)
        run(queue, BEHIND, at=0.0, took=0.0)
    steps = [queue.pop(1.0) for _ in range(3)]
    assert steps == [*sources[:2], None]
    assert queue.next_delay(1.0) == 299.0
    assert queue.is_step(sources[0])
    queue.complete(sources[0], BEHIND, 2.0)
    assert queue.next_delay(2.0) == 0.0
    assert queue.pop(2.0) == sources[2]
    assert queue.pop(300.0) == sources[3]
    assert not queue.is_step(sources[3])


def test_steps_of_a_catch_up_have_a_small_share_while_other_polls_are_due() -> None:
    """Under overload the catch-up is slow, but does not stop."""
    queue = PollQueue(Intervals(active=1.0, idle=1.0), 0.0, random.Random(1), workers=1)
    behind, *others = (make_source(n) for n in range(10))
    for source in (behind, *others):
        queue.add(source, now=0.0)
    steps = 0
    for second in range(0, 4000, 10):
        polled = queue.pop(float(second))
        assert polled is not None
        steps += queue.is_step(polled)
        queue.complete(polled, BEHIND if polled is behind else IDLE, float(second))
    assert 400 / STEP_INTERVAL - 2 <= steps <= 400 / STEP_INTERVAL


def test_a_failed_poll_delays_the_catch_up() -> None:
    """The back-off applies to steps, too."""
    queue = PollQueue(INTERVALS, 0.0, random.Random(1))
    queue.add(make_source(), now=0.0)
    run(queue, BEHIND, at=0.0)
    run(queue, replace(BEHIND, succeeded=False), at=1.0)
    assert queue.pop(2.0) is None


def test_after_a_restart_sources_with_a_sync_in_progress_are_polled_first() -> None:
    """Their syncs may have ended, and the first pass over a large fleet takes long."""
    spaced = PollQueue(INTERVALS, 10.0, random.Random(1))
    for number in range(1, 9):
        spaced.add(make_source(number), 1000.0, is_syncing=number in {7, 8}, poll_age=60.0)
    polled = [run(spaced, IDLE, at=1000.0 + seconds).id for seconds in (0, 10, 20)]
    assert polled == [make_source(number).id for number in (7, 8, 1)]
    assert spaced.progress.unready == "5 data sources not polled yet"


def test_sources_with_a_sync_in_progress_do_not_starve_the_others_in_a_crash_loop() -> None:
    """Each life has time for one poll."""
    last_poll = dict.fromkeys(range(6), 0.0)
    polls = dict.fromkeys(range(6), 0)
    for start in range(1000, 1400, 20):
        queue = PollQueue(INTERVALS, 1.0, random.Random(start))
        for number, polled in last_poll.items():
            queue.add(make_source(number), float(start), is_syncing=number < 2, poll_age=start - polled)
        source = queue.pop(float(start))
        (number,) = (number for number in last_poll if make_source(number) == source)
        last_poll[number] = float(start)
        polls[number] += 1
    assert min(polls.values()) >= 1
    assert min(polls[0], polls[1]) > max(polls[number] for number in range(2, 6))


def test_after_a_restart_the_stalest_source_is_polled_first() -> None:
    """Sources that were never polled come before all others, no matter in which order they are added."""
    queue = PollQueue(INTERVALS, 1.0, random.Random(1))
    ages = {1: 50.0, 2: 900.0, 3: None, 4: 400.0}
    for number, age in ages.items():
        queue.add(make_source(number), now=1000.0, poll_age=age)
    polled = [queue.pop(1000.0 + second) for second in range(4)]
    assert polled == [make_source(number) for number in (3, 2, 4, 1)]


def test_the_stalest_source_is_polled_first_although_the_clock_was_set_back() -> None:
    """A poll in the future is still before a later one. A sync in progress does not count then."""
    queue = PollQueue(INTERVALS, 1.0, random.Random(1))
    for number, age in {1: -17_930.0, 2: -17_970.0, 3: -17_950.0}.items():
        queue.add(make_source(number), now=1000.0, is_syncing=number == 1, poll_age=age)
    polled = [queue.pop(1000.0 + second) for second in range(3)]
    assert polled == [make_source(number) for number in (1, 3, 2)]
    assert queue.lag(1002.0) == 0.0


def test_a_process_that_is_killed_again_and_again_polls_every_source() -> None:
    """Each life has time for 31 polls of 100 sources; a third of them has a sync in progress."""
    last_poll: dict[int, float] = {}
    polls = dict.fromkeys(range(100), 0)
    for life in range(12):
        start = 1000.0 + life * 5.0
        queue = PollQueue(INTERVALS, 0.09, random.Random(life))
        for number in range(100):
            age = start - last_poll[number] if number in last_poll else None
            queue.add(make_source(number), start, is_syncing=number % 3 == 0 and age is not None, poll_age=age)
        by_id = {make_source(number).id: number for number in range(100)}
        for poll in range(31):
            source = queue.pop(start + poll / 10)
            assert source is not None
            number = by_id[source.id]
            polls[number] += 1
            last_poll[number] = start + poll / 10
            queue.complete(source, SYNCING if number % 3 == 0 else IDLE, start + poll / 10)
    assert min(polls.values()) >= 1


def test_the_lag_counts_from_the_last_poll_of_the_process_before(queue: PollQueue) -> None:
    """A restart does not hide that a source is late; a source that was never polled is not late yet."""
    queue.add(make_source(1), now=1000.0, poll_age=500.0)
    queue.add(make_source(2), now=1000.0)
    assert queue.lag(1000.0) == 200.0
    run(queue, IDLE, at=1000.0)
    assert queue.lag(1002.0) == 202.0
    run(queue, IDLE, at=1002.0)
    assert queue.lag(1003.0) == 0.0


def test_the_lag_includes_polls_in_flight(queue: PollQueue) -> None:
    """A poll that waits for the rate limiter is late until it completes."""
    queue.add(make_source(), now=0.0)
    run(queue, IDLE, at=0.0)
    source = queue.pop(300.0)
    assert source is not None
    assert queue.lag(386.0) == 86.0
    queue.complete(source, IDLE, 386.0)
    assert queue.lag(386.0) == 0.0


@pytest.mark.parametrize("spacing", [0.0, 2.0])
def test_all_sources_can_be_made_due(queue: PollQueue, spacing: float) -> None:
    """They do not wait for their interval or their back-off."""
    sources = [make_source(n) for n in range(3)]
    for source, outcome in zip(sources, (IDLE, SYNCING, FAILED), strict=True):
        queue.add(source, now=0.0)
        run(queue, outcome, at=0.0)
    assert queue.next_delay(2.0) != 0.0
    queue.make_due(2.0, spacing)
    polled = []
    for place in range(3):
        assert queue.next_delay(2.0 + place * spacing) == 0.0
        polled.append(run(queue, IDLE, at=2.0 + place * spacing))
        assert queue.next_delay(2.0 + place * spacing) == (spacing if place < 2 else 300.0 - 2 * spacing)
    assert {str(source.id) for source in polled} == {str(source.id) for source in sources}


def test_a_failure_after_all_sources_were_made_due_has_a_short_back_off(queue: PollQueue) -> None:
    """The earlier failures had another reason."""
    queue.add(make_source(), now=0.0)
    for at in (0.0, 1000.0, 2000.0):
        run(queue, FAILED, at=at)
    queue.make_due(2001.0, 0.0)
    run(queue, FAILED, at=2001.0)
    assert (queue.next_delay(2002.0) or 0.0) <= INTERVALS.active / 4


@pytest.mark.parametrize("outcome", [IDLE, SYNCING, FAILED])
def test_a_source_that_is_made_due_during_its_poll_is_polled_again(queue: PollQueue, outcome: PollOutcome) -> None:
    """The poll may have begun before the change; the one after it has the usual interval or back-off."""
    queue.add(make_source(), now=0.0)
    source = queue.pop(0.0)
    assert source is not None
    queue.make_due(1.0, 2.0)
    queue.complete(source, outcome, 3.0)
    assert queue.next_delay(3.0) == 0.0
    run(queue, IDLE, at=3.0)
    assert queue.next_delay(3.0) == 300.0

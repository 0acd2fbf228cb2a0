"""When each source is polled: no overlap, no neglect, back-off for what fails, and a stop that does not wait."""

from __future__ import annotations

import random
import threading
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from builders import FakeClock, make_source
from exporter.poller import Outcome
from exporter.scheduler import BACKOFF_CAP, Agenda, Budget, Intervals, Scheduler, SystemClock

if TYPE_CHECKING:
    from exporter.model import DataSource

INTERVALS = Intervals(active=60.0, idle=300.0)
QUIET = Outcome(succeeded=True, in_progress=False)
SYNCING = Outcome(succeeded=True, in_progress=True)
FAILED = Outcome(succeeded=False, in_progress=False)


@pytest.fixture
def agenda() -> Agenda:
    """Give an agenda with jitter that repeats."""
    return Agenda(INTERVALS, 0.0, random.Random(1))


def run(agenda: Agenda, outcome: Outcome, at: float, took: float = 1.0) -> DataSource:
    """Poll whatever is due at a time."""
    source = agenda.take(at)
    assert source is not None
    agenda.done(source, outcome, at + took)
    return source


@pytest.mark.parametrize(("outcome", "interval"), [(QUIET, 300.0), (SYNCING, 60.0)])
def test_the_interval_follows_what_the_source_is_doing(agenda: Agenda, outcome: Outcome, interval: float) -> None:
    """It counts from the start of the poll, so that slow answers do not stretch it."""
    agenda.add(make_source(), now=0.0)
    run(agenda, outcome, at=0.0)
    assert agenda.wait(1.0) == interval - 1.0


def test_a_poll_longer_than_the_interval_is_followed_at_once(agenda: Agenda) -> None:
    """And missed turns are not made up for."""
    agenda.add(make_source(), now=0.0)
    run(agenda, SYNCING, at=0.0, took=200.0)
    assert agenda.wait(200.0) == 0.0
    run(agenda, SYNCING, at=200.0)
    assert agenda.wait(201.0) == 59.0


def test_a_source_in_flight_is_not_handed_out_again(agenda: Agenda) -> None:
    """One source never overlaps with itself."""
    agenda.add(make_source(), now=0.0)
    assert agenda.take(0.0) is not None
    assert agenda.take(1e9) is None
    assert agenda.wait(1e9) is None


def test_the_most_overdue_is_served_first_and_nobody_starves(agenda: Agenda) -> None:
    """With more due than can be served, everyone gets a turn before anyone gets a second."""
    sources = [make_source(n) for n in range(5)]
    for source in sources:
        agenda.add(source, now=0.0)
    served = [run(agenda, SYNCING, at=100.0 * n) for n in range(10)]
    assert served == sources * 2
    assert agenda.lag(1000.0) == pytest.approx(1000.0 - 560.0)


def test_failures_back_off_from_soon_to_a_cap(agenda: Agenda) -> None:
    """The first retry comes before the next regular poll; delays double, with jitter, up to a quarter of an hour."""
    agenda.add(make_source(), now=0.0)
    now, delays = 0.0, []
    for _ in range(12):
        run(agenda, FAILED, at=now, took=0.0)
        delays.append(agenda.wait(now) or 0.0)
        now += delays[-1]
    assert 7.5 <= delays[0] <= 15.0
    assert all(BACKOFF_CAP / 2 <= delay <= BACKOFF_CAP for delay in delays[6:])
    assert all(later <= 4 * earlier for earlier, later in pairwise(delays))
    run(agenda, QUIET, at=now, took=0.0)
    assert agenda.wait(now) == 300.0


def test_the_first_pass_ends_when_every_source_had_its_turn(agenda: Agenda) -> None:
    """A turn that failed is a turn; success is told apart."""
    for n in range(2):
        agenda.add(make_source(n), now=0.0)
    run(agenda, FAILED, at=0.0)
    assert agenda.unready == "1 data sources not polled yet"
    run(agenda, FAILED, at=0.0)
    assert agenda.unready is None
    assert not agenda.has_succeeded


def test_the_budget_holds_over_any_second() -> None:
    """Attempts from many threads are spaced out."""
    budget = Budget(100.0, SystemClock(), threading.Event())
    moments: list[float] = []

    def attempt() -> None:
        for _ in range(10):
            budget.admit()
            moments.append(time.monotonic())

    threads = [threading.Thread(target=attempt) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    moments.sort()
    # A thread may be late in noting its moment, but never early.
    assert moments[-1] - moments[0] >= 0.38
    assert all(later >= moments[0] + n * 0.01 - 0.005 for n, later in enumerate(moments))


class Polls:
    """A poll function that holds some sources up until told otherwise."""

    def __init__(self, *stuck: DataSource) -> None:
        self.stuck = stuck
        self.release = threading.Event()
        self.enough = threading.Event()
        self.seen: list[DataSource] = []
        self.overlaps = 0
        self._now: set[DataSource] = set()

    def __call__(self, source: DataSource) -> Outcome:
        """Poll."""
        self.overlaps += source in self._now
        self._now.add(source)
        self.seen.append(source)
        if len(self.seen) > 50:
            self.enough.set()
        if source in self.stuck:
            self.release.wait(30)
        self._now.discard(source)
        return SYNCING


def test_a_source_that_hangs_delays_no_other() -> None:
    """The others are polled at their intervals, and stopping does not wait for it."""
    hangs, *others = (make_source(n) for n in range(4))
    polls = Polls(hangs)
    clock = SystemClock()
    scheduler = Scheduler(
        Agenda(Intervals(0.01, 0.01), 0.0, random.Random(1)), polls, workers=2, patience=1, clock=clock
    )
    for source in (hangs, *others):
        scheduler.add(source)
    scheduler.start()
    assert polls.enough.wait(10)
    assert polls.seen.count(hangs) == 1
    assert all(polls.seen.count(source) > 10 for source in others)
    assert polls.overlaps == 0
    assert scheduler.unready() == "1 data sources not polled yet"
    scheduler.stop()
    assert not scheduler.join(clock.monotonic() + 0.2)
    polls.release.set()
    assert scheduler.join(clock.monotonic() + 5)


def test_a_loop_that_gives_no_sign_of_life_is_unhealthy(clock: FakeClock) -> None:
    """A poll that never ends is told from one that is slow but alive."""
    source = make_source()
    polls = Polls(source)
    scheduler = Scheduler(Agenda(INTERVALS, 0.0, random.Random(1)), polls, workers=1, patience=60, clock=clock)
    scheduler.add(source)
    scheduler.start()
    while not polls.seen:
        time.sleep(0.001)
    clock.advance(119)
    assert scheduler.unhealthy() is None
    scheduler.progress()
    clock.advance(119)
    assert scheduler.unhealthy() is None
    clock.advance(2)
    assert scheduler.unhealthy() == "polling has stalled: no sign of life for 121 seconds"
    scheduler.stop()
    polls.release.set()
    assert scheduler.join(clock.monotonic() + 5)


# Its death is the point of the test.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_that_died_is_unhealthy(clock: FakeClock) -> None:
    """Should a defect ever end a worker, the health endpoint says so."""

    def die(_: DataSource) -> Outcome:
        raise SystemExit

    scheduler = Scheduler(Agenda(INTERVALS, 0.0, random.Random(1)), die, workers=1, patience=60, clock=clock)
    scheduler.add(make_source())
    scheduler.start()
    scheduler.join(clock.monotonic() + 5)
    assert scheduler.unhealthy() == "1 of 1 poll workers have died"


def test_first_polls_are_spread_out() -> None:
    """Sources that are found together are due one after the other, and none of them is late for it."""
    agenda = Agenda(INTERVALS, 0.5, random.Random(1))
    for number in range(4):
        agenda.add(make_source(number), now=100.0)
    assert agenda.lag(100.0) == 0.0
    taken = [now for now in (100.0, 100.4, 100.5, 101.0, 101.5) if agenda.take(now)]
    assert taken == [100.0, 100.5, 101.0, 101.5]
    agenda.add(make_source(9), now=200.0)
    assert agenda.take(200.0) is not None


def test_a_source_that_is_gone_is_not_polled_again(agenda: Agenda) -> None:
    """Whether it waited or was in flight; it may come back."""
    waiting, flying = make_source(1), make_source(2)
    agenda.add(flying, now=0.0)
    agenda.add(waiting, now=0.0)
    assert agenda.take(0.0) is flying
    agenda.remove(waiting)
    agenda.remove(flying)
    assert agenda.unready is None
    agenda.done(flying, QUIET, 1.0)
    assert (agenda.wait(1.0), len(agenda)) == (None, 0)
    agenda.add(waiting, now=2.0)
    assert agenda.take(2.0) is waiting


def test_a_source_that_comes_back_while_in_flight_is_never_polled_twice_at_once(agenda: Agenda) -> None:
    """It goes on with its poll under way."""
    source = make_source()
    agenda.add(source, now=0.0)
    agenda.take(0.0)
    agenda.remove(source)
    agenda.add(source, now=1.0)
    assert agenda.take(5.0) is None
    agenda.done(source, QUIET, 5.0)
    assert agenda.wait(5.0) == 295.0

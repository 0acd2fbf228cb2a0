"""The poll workers: no overlap, no delay by a slow source, and a stop that does not wait."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

import pytest

from exporter.polling.poller import PollOutcome
from exporter.polling.queue import PollQueue
from exporter.polling.queue_entry import Intervals
from exporter.polling.workers import Heartbeat, PollWorkers
from exporter.runtime import System
from tests.support.builders import FakeClock, make_source
from tests.support.harness import TIMEOUT

if TYPE_CHECKING:
    from exporter.domain.model import DataSource

INTERVALS = Intervals(active=60.0, idle=300.0)
IDLE = PollOutcome(succeeded=True, active=False)
SYNCING = PollOutcome(succeeded=True, active=True)
FAILED = PollOutcome(succeeded=False, active=False)


class Polls:
    """A poll function that blocks for some sources until the test releases it."""

    def __init__(self, *stuck: DataSource) -> None:
        self.stuck = stuck
        self.release = threading.Event()
        self.begun = threading.Event()
        self.enough = threading.Event()
        self.seen: list[DataSource] = []
        self.overlaps = 0
        self._now: set[DataSource] = set()

    def __call__(self, source: DataSource, *, catch_up: bool) -> PollOutcome:  # noqa: ARG002 (the protocol's)
        """Record the poll, and block if the source is one of the stuck ones."""
        self.overlaps += source in self._now
        self._now.add(source)
        self.seen.append(source)
        self.begun.set()
        if len(self.seen) > 50:
            self.enough.set()
        if source in self.stuck:
            self.release.wait(TIMEOUT)
        self._now.discard(source)
        return SYNCING


def test_a_source_that_hangs_delays_no_other() -> None:
    """The other sources are polled at their intervals, and `stop` does not wait for the poll."""
    hangs, *others = (make_source(n) for n in range(4))
    polls = Polls(hangs)
    clock = System()
    workers = PollWorkers(
        PollQueue(Intervals(0.01, 0.01), 0.0, random.Random(1)), polls, workers=2, max_request_seconds=1, host=clock
    )
    for source in (hangs, *others):
        workers.add(source)
    workers.start()
    assert polls.enough.wait(TIMEOUT)
    assert polls.seen.count(hangs) == 1
    assert all(polls.seen.count(source) > 10 for source in others)
    assert polls.overlaps == 0
    assert workers.unready() == "1 data source not polled yet"
    workers.stop()
    assert not workers.join(clock.monotonic() + 0.2)
    polls.release.set()
    assert workers.join(clock.monotonic() + TIMEOUT)


def test_workers_without_activity_are_unhealthy(clock: FakeClock) -> None:
    """A poll that never ends is unhealthy, and a slow one that still makes requests is not."""
    source = make_source()
    polls = Polls(source)
    heartbeat = Heartbeat(clock)
    workers = PollWorkers(
        PollQueue(INTERVALS, 0.0, random.Random(1)),
        polls,
        workers=1,
        max_request_seconds=60,
        host=clock,
        heartbeat=heartbeat,
    )
    workers.add(source)
    workers.start()
    assert polls.begun.wait(TIMEOUT)
    clock.advance(119)
    assert workers.unhealthy() is None
    heartbeat.beat()
    clock.advance(119)
    assert workers.unhealthy() is None
    clock.advance(2)
    assert workers.unhealthy() == "polling has stalled: no activity for 121 seconds"
    workers.stop()
    polls.release.set()
    assert workers.join(clock.monotonic() + TIMEOUT)


# Its death is the point of the test.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dead_worker_is_unhealthy(clock: FakeClock) -> None:
    """If a defect ends a worker thread, the health endpoint reports it."""

    def die(source: DataSource, *, catch_up: bool) -> PollOutcome:  # noqa: ARG001 (the protocol's)
        raise SystemExit

    workers = PollWorkers(
        PollQueue(INTERVALS, 0.0, random.Random(1)), die, workers=1, max_request_seconds=60, host=clock
    )
    workers.add(make_source())
    workers.start()
    workers.join(clock.monotonic() + TIMEOUT)
    assert workers.unhealthy() == "1 of 1 poll workers have died"

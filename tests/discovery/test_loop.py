"""The intervals of discovery runs, retries after failures, and unexpected exceptions."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from exporter.discovery.loop import FAILED, DiscoveryLoop
from exporter.domain.units import HOUR
from exporter.runtime import System
from tests.support.simulated_discovery import COMPLETE, PARTIAL

if TYPE_CHECKING:
    from exporter.discovery.reconciler import RunResult
    from tests.support.builders import FakeClock

TIMEOUT = 30.0  # seconds


def make_loop(clock: FakeClock, interval: float = 900.0) -> DiscoveryLoop:
    """Build a loop that first retries after 15 seconds."""
    return DiscoveryLoop(lambda: COMPLETE, interval, 15.0, clock, random.Random(1), clock.event())


def test_runs_start_at_their_interval(clock: FakeClock) -> None:
    """The interval counts from the start of a run. After a longer run the next one follows immediately."""
    assert make_loop(clock).delay(100.0, 160.0, COMPLETE) == 840.0
    assert make_loop(clock).delay(100.0, 1100.0, COMPLETE) == 0.0


def test_retries_back_off_with_jitter_while_aws_cannot_be_reached(clock: FakeClock) -> None:
    """The delay doubles up to the interval, and a successful run resets it."""
    loop = make_loop(clock)
    delays = [loop.delay(0.0, 0.0, FAILED) for _ in range(10)]
    for delay, longest in zip(delays, (15, 30, 60, 120, 240, 480, 900, 900, 900, 900), strict=True):
        assert longest / 2 <= delay <= longest
    loop.delay(0.0, 0.0, COMPLETE)
    assert loop.delay(0.0, 0.0, FAILED) <= 15


def test_a_partial_run_is_retried_before_a_long_interval_ends(clock: FakeClock) -> None:
    """One failed request is retried after 15 minutes, not after the interval of six hours.

    Further retries back off, so that an operation that AWS always refuses does not cost a run every 15 minutes.
    """
    loop = make_loop(clock, interval=6 * 3600.0)
    delays = [loop.delay(100.0, 160.0, PARTIAL) for _ in range(7)]
    assert delays == [840.0, 1740.0, 3540.0, 7140.0, 14340.0, 21540.0, 21540.0]
    for other in (COMPLETE, FAILED):
        loop.delay(100.0, 160.0, other)
        assert loop.delay(100.0, 160.0, PARTIAL) == 840.0
    assert loop.delay(100.0, 160.0, COMPLETE) == 21540.0


@pytest.mark.parametrize("failure", [FAILED, PARTIAL])
def test_a_failed_run_is_retried_on_request(failure: RunResult) -> None:
    """The request may come during the run that fails, or during the hour until the next one."""
    started, may_end = threading.Semaphore(0), threading.Semaphore(0)

    def run() -> RunResult:
        started.release()
        assert may_end.acquire(timeout=TIMEOUT)
        return failure

    host = System()
    loop = DiscoveryLoop(run, HOUR, HOUR, host, random.Random(1), host.event())
    loop.start()
    assert started.acquire(timeout=TIMEOUT)
    loop.retry()
    may_end.release()
    assert started.acquire(timeout=TIMEOUT)
    may_end.release()
    loop.retry()
    assert started.acquire(timeout=TIMEOUT)
    loop.stop()
    may_end.release()
    loop.join(host.monotonic() + TIMEOUT)
    assert loop.unhealthy() is None


def test_an_unexpected_exception_does_not_end_discovery() -> None:
    """It is logged, and the next run starts."""
    runs = 0
    second_run = threading.Event()

    def run() -> RunResult:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise RuntimeError("a bug")
        second_run.set()
        return COMPLETE

    host = System()
    loop = DiscoveryLoop(run, 0.01, 0.01, host, random.Random(1), host.event())
    assert loop.unready() == "the first discovery run is in progress"
    with capture_logs() as logs:
        loop.start()
        assert second_run.wait(TIMEOUT)
        assert loop.unhealthy() is None
        loop.stop()
        loop.join(host.monotonic() + TIMEOUT)
    assert logs[0]["event"] == "discovery failed with an unexpected exception"
    assert (loop.unready(), loop.unhealthy(), loop.has_reached_aws) == (None, None, True)

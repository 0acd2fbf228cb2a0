"""The rate limiter: the ceiling, the lower rate after throttling, and the observed rate."""

from __future__ import annotations

import threading
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.aws.rate_limiter import MAX_WAIT, METER_WINDOW, MIN_RATE, RECOVERY, AdaptiveRate, RateLimiter, RateMeter
from exporter.errors import StoppedError
from exporter.runtime import System
from tests.support.builders import FakeClock
from tests.support.harness import TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Callable


class RecordingStop(threading.Event):
    """An event that records how long threads would have waited for it, and is never set."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        """Record the timeout and return immediately."""
        self.waits.append(timeout or 0.0)
        return False


def test_requests_of_all_threads_are_spaced() -> None:
    """At 100 requests per second, each of 40 concurrent requests has its own hundredth of a second."""
    stop = RecordingStop()
    rate_limiter = RateLimiter(100.0, FakeClock(), stop)

    def send_ten() -> None:
        for _ in range(10):
            rate_limiter.acquire()

    threads = [threading.Thread(target=send_ten) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(stop.waits) == pytest.approx([n / 100 for n in range(40)])


@given(
    st.floats(0.05, 50.0),
    st.lists(st.tuples(st.floats(0, 30), st.booleans()), min_size=1, max_size=200),
)
def test_ten_seconds_have_at_most_ten_times_the_ceiling(ceiling: float, requests: list[tuple[float, bool]]) -> None:
    """This holds for requests at any times, with and without throttling. No request gets a time in the past."""
    rate, now, times = AdaptiveRate(ceiling, 0.0), 0.0, []
    for pause, is_throttled in requests:
        now += pause / ceiling
        time = rate.reserve(now)
        assert time >= now
        times.append(time)
        if is_throttled:
            rate.report_throttled(now)
    for first in times:
        assert sum(first <= time < first + 10.0 for time in times) <= 10.0 * ceiling + 1.001


@given(st.floats(0.05, 50.0), st.lists(st.tuples(st.floats(0, 30), st.booleans()), min_size=1, max_size=200))
def test_background_requests_delay_no_other_and_stay_within_the_ceiling(
    ceiling: float, requests: list[tuple[float, bool]]
) -> None:
    """Others are sent at the same times as without them. Ten seconds have at most one request more."""
    rate, alone, now, times = AdaptiveRate(ceiling, 0.0), AdaptiveRate(ceiling, 0.0), 0.0, []
    for pause, is_background in requests:
        now += pause / ceiling
        if not is_background:
            times.append(rate.reserve(now))
            assert times[-1] == alone.reserve(now)
        elif rate.background_time(now) <= now:
            rate.use_for_background(now)
            times.append(now)
    for first in times:
        assert sum(first <= time < first + 10.0 for time in times) <= 10.0 * ceiling + 2.001


def test_background_requests_use_all_that_others_leave() -> None:
    """Without others, they are sent at the ceiling. One that waits lets others pass."""
    clock = FakeClock()
    stop = WaitingStop(clock, lambda: rate_limiter.acquire())  # noqa: PLW0108 (the rate limiter is built below)
    rate_limiter = RateLimiter(10.0, clock, stop)
    started = clock.monotonic()
    rate_limiter.acquire_background()
    # The other request is sent at 0.0, so that the time at 0.1 passes unused.
    assert clock.monotonic() - started == pytest.approx(0.2)
    for _ in range(10):
        rate_limiter.acquire_background()
    assert clock.monotonic() - started == pytest.approx(1.2)


def test_a_background_request_that_waits_is_ended_by_its_caller_or_a_stop() -> None:
    """A target that was replaced raises in `on_wait`, which is called every second."""
    clock = FakeClock()
    rate_limiter = RateLimiter(0.1, clock, WaitingStop(clock))

    def end() -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        rate_limiter.acquire_background(end)
    assert clock.monotonic() == 1000.0 + MAX_WAIT
    stopped = threading.Event()
    stopped.set()
    with pytest.raises(StoppedError):
        RateLimiter(0.1, clock, stopped).acquire_background()


def test_the_rate_halves_after_throttling_and_recovers_slowly() -> None:
    """Requests that were in flight together halve it once, and it never becomes 0."""
    rate = AdaptiveRate(8.0, 0.0)
    for _ in range(5):
        rate.report_throttled(100.0)
    assert rate.rate(100.0) == 4.0
    rate.report_throttled(101.5)
    assert rate.rate(101.5) == pytest.approx(2.0 + 8.0 * 0.75 / RECOVERY, abs=0.02)
    assert rate.rate(101.5 + RECOVERY / 2) == pytest.approx(6.0, abs=0.1)
    assert rate.rate(101.5 + RECOVERY) == 8.0
    for second in range(1000, 1100, 2):
        rate.report_throttled(float(second))
    assert rate.rate(1098.0) == pytest.approx(8.0 * MIN_RATE, rel=0.2)


def test_a_new_ceiling_keeps_the_reduction() -> None:
    """Half of the old ceiling becomes half of the new one, and rises to the whole new one."""
    rate = AdaptiveRate(8.0, 0.0)
    rate.report_throttled(100.0)
    rate.set_ceiling(2.0, 100.0)
    assert rate.rate(100.0) == 1.0
    assert rate.rate(100.0 + RECOVERY) == 2.0
    rate.set_ceiling(20.0, 1000.0)
    assert rate.rate(1000.0) == 20.0


@given(st.lists(st.floats(0, 200), max_size=300), st.floats(0, 300))
def test_the_meter_counts_the_last_minute(times: list[float], now: float) -> None:
    """Requests in the future are not counted. Within the first minute, the rate is per second since the start."""
    meter = RateMeter(0.0)
    for time in sorted(times):
        meter.record(time)
    sent = sum(now - METER_WINDOW < int(time) <= now for time in times)
    assert meter.rate(now) == pytest.approx(sent / min(METER_WINDOW, max(1.0, now)))


def test_the_observed_rate_counts_sent_requests() -> None:
    """The allowed rate is the ceiling, no matter how many requests are sent."""
    clock = FakeClock()
    rate_limiter = RateLimiter(1000.0, clock, RecordingStop())
    assert rate_limiter.observed_rate() == 0
    for _ in range(5):
        rate_limiter.acquire()
    clock.advance(10.0)
    assert rate_limiter.observed_rate() == 0.5
    assert rate_limiter.allowed_rate() == 1000.0


def test_throttling_and_a_new_ceiling_change_the_allowed_rate() -> None:
    """Both apply to the next request."""
    rate_limiter = RateLimiter(8.0, FakeClock(), RecordingStop())
    rate_limiter.report_throttled()
    assert rate_limiter.allowed_rate() == 4.0
    rate_limiter.set_ceiling(2.0)
    assert rate_limiter.allowed_rate() == 1.0


class WaitingStop(RecordingStop):
    """An event on a clock that advances while a thread waits; `during_wait` is called once, in the first wait."""

    def __init__(self, clock: FakeClock, during_wait: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self._clock = clock
        self._during_wait = [during_wait]

    def wait(self, timeout: float | None = None) -> bool:
        """Advance the clock by the timeout."""
        if timeout and self._during_wait:
            self._during_wait.pop()()
        self._clock.advance(max(0.0, timeout or 0.0))
        return super().wait(timeout)


def test_a_higher_ceiling_applies_to_requests_that_wait() -> None:
    """A request that would have waited for 20 seconds is sent within a second."""
    clock = FakeClock()
    stop = WaitingStop(clock, lambda: rate_limiter.set_ceiling(5.0))
    rate_limiter = RateLimiter(0.05, clock, stop)
    rate_limiter.acquire()
    started = clock.monotonic()
    rate_limiter.acquire()
    assert clock.monotonic() - started <= MAX_WAIT
    rate_limiter.acquire()
    assert clock.monotonic() - started == pytest.approx(0.2 + MAX_WAIT, abs=0.2)


def test_a_long_wait_is_reported_every_second() -> None:
    """A wait for the rate limiter counts as activity, so the target stays healthy however long it takes."""
    clock = FakeClock()
    rate_limiter = RateLimiter(0.1, clock, WaitingStop(clock))
    reports: list[float] = []
    rate_limiter.acquire(lambda: reports.append(clock.monotonic()))
    assert reports == []
    rate_limiter.acquire(lambda: reports.append(clock.monotonic()))
    assert [later - earlier for earlier, later in pairwise(reports)] == [MAX_WAIT] * 8


def test_a_stop_ends_all_waits_and_prevents_new_requests() -> None:
    """StoppedError is not an Exception, so no handler records it as a failed request."""
    stop = threading.Event()
    rate_limiter = RateLimiter(0.01, System(), stop)
    rate_limiter.acquire()
    results = []

    def attempt() -> None:
        try:
            rate_limiter.acquire()
        except Exception:  # noqa: BLE001 (it must not be raised as one)
            results.append("failed")
        except StoppedError:
            results.append("stopped")

    threads = [threading.Thread(target=attempt) for _ in range(3)]
    for thread in threads:
        thread.start()
    stop.set()
    for thread in threads:
        thread.join(TIMEOUT)
    attempt()
    assert results == ["stopped"] * 4

"""The ceiling on requests: kept over any ten seconds, lowered where the service says so, and risen again."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.aws.rate_limiter import FLOOR, METERED, RECOVERY, AdaptiveRate, RateLimiter, RateMeter
from exporter.errors import StoppedError
from exporter.runtime import System


def test_the_budget_holds_over_any_second() -> None:
    """Attempts from many threads are spaced out."""
    rate_limiter = RateLimiter(100.0, System(), threading.Event())
    moments: list[float] = []

    def attempt() -> None:
        for _ in range(10):
            rate_limiter.acquire()
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


@given(
    st.floats(0.05, 50.0),
    st.lists(st.tuples(st.floats(0, 30), st.booleans()), min_size=1, max_size=200),
)
def test_no_ten_seconds_have_more_than_ten_times_the_ceiling(ceiling: float, asked: list[tuple[float, bool]]) -> None:
    """However the requests come, throttled or not; and no request is early."""
    pace, now = AdaptiveRate(ceiling, 0.0), 0.0
    moments = []
    for pause, throttled in asked:
        now += pause / ceiling
        moment = pace.reserve(now)
        assert moment >= now
        moments.append(moment)
        if throttled:
            pace.throttled(now)
    for first in moments:
        assert sum(first <= moment < first + 10.0 for moment in moments) <= 10.0 * ceiling + 1.001


def test_the_rate_halves_when_throttled_and_recovers_slowly() -> None:
    """Requests that were on their way together are one sign; however hard, it never comes to a stop."""
    pace = AdaptiveRate(8.0, 0.0)
    for _ in range(5):
        pace.throttled(100.0)
    assert pace.rate(100.0) == 4.0
    pace.throttled(101.5)
    assert pace.rate(101.5) == pytest.approx(2.0 + 8.0 * 0.75 / RECOVERY, abs=0.02)
    assert pace.rate(101.5 + RECOVERY / 2) == pytest.approx(6.0, abs=0.1)
    assert pace.rate(101.5 + RECOVERY) == 8.0
    for second in range(1000, 1100, 2):
        pace.throttled(float(second))
    assert pace.rate(1098.0) == pytest.approx(8.0 * FLOOR, rel=0.2)


def test_another_ceiling_keeps_what_was_learned() -> None:
    """Half the rate stays half the rate, and recovers to the new ceiling."""
    pace = AdaptiveRate(8.0, 0.0)
    pace.throttled(100.0)
    pace.change(2.0, 100.0)
    assert pace.rate(100.0) == 1.0
    assert pace.rate(100.0 + RECOVERY) == 2.0
    pace.change(20.0, 1000.0)
    assert pace.rate(1000.0) == 20.0


@given(st.lists(st.floats(0, 200), max_size=300), st.floats(0, 300))
def test_the_meter_counts_the_last_minute(moments: list[float], now: float) -> None:
    """Whatever was sent within it, and nothing that is still to come; a short life is no whole minute."""
    meter = RateMeter(0.0)
    for moment in sorted(moments):
        meter.note(moment)
    sent = sum(now - METERED < int(moment) <= now for moment in moments)
    assert meter.rate(now) == pytest.approx(sent / min(METERED, max(1.0, now)))


def test_what_is_spent_is_what_was_admitted() -> None:
    """In requests a second, since the beginning where that was a moment ago."""
    rate_limiter = RateLimiter(1000.0, System(), threading.Event())
    assert rate_limiter.observed_rate() == 0
    for _ in range(5):
        rate_limiter.acquire()
    assert 0 < rate_limiter.observed_rate() <= 5


def test_a_stop_lets_go_of_who_waits_and_lets_nobody_send() -> None:
    """Neither those whose moment is yet to come nor whoever asks afterwards; and nothing takes it for a failure."""
    stop = threading.Event()
    rate_limiter = RateLimiter(0.01, System(), stop)
    rate_limiter.acquire()
    ended = []

    def attempt() -> None:
        try:
            rate_limiter.acquire()
        except Exception:  # noqa: BLE001 (what must not see it)
            ended.append("failed")
        except StoppedError:
            ended.append("stopped")

    threads = [threading.Thread(target=attempt) for _ in range(3)]
    for thread in threads:
        thread.start()
    stop.set()
    for thread in threads:
        thread.join(10)
    attempt()
    assert ended == ["stopped"] * 4

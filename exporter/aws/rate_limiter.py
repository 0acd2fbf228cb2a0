"""The limit on requests per second: a fixed ceiling, and a lower rate while AWS throttles."""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.errors import StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.runtime import Event, Host

MIN_RATE = 1 / 32  # share of the ceiling below which throttling never reduces the rate
RECOVERY = 300.0  # seconds without throttling in which the rate rises from 0 to the ceiling
CUT_INTERVAL = 1.0  # seconds: throttled requests within this time were in flight together, and cut the rate once
METER_WINDOW = 60.0  # seconds
MAX_WAIT = 1.0  # seconds: a longer wait is split, so that a new ceiling applies to it


class AdaptiveRate:
    """A rate that is halved after throttling and rises linearly (AIMD), and the times at which requests may be sent.

    It has no clock: callers pass the time. Requests are spaced by the inverse of the rate. So within any ten seconds
    there are at most ten times the ceiling plus one.

    A background request uses a time that has passed without another request, and does not move later times. So no other
    request waits for it. Example: at one request per second, if the last one was sent at 0.0, the next one may be sent
    at 1.0. If none was sent then, a background request may be sent at 2.0, and another request at 2.1 is sent
    immediately. With background requests, there are at most ten times the ceiling plus two within ten seconds.
    """

    def __init__(self, ceiling: float, now: float) -> None:
        self._ceiling = ceiling
        self._rate = ceiling
        self._rate_as_of = now
        self._next_time = now
        self._last_cut = now - CUT_INTERVAL
        self._last_background = now

    def set_ceiling(self, ceiling: float, now: float) -> None:
        """Change the ceiling. A reduced rate remains the same share of it."""
        self._rate, self._rate_as_of = min(ceiling, self.rate(now) / self._ceiling * ceiling), now
        self._ceiling = ceiling

    def rate(self, now: float) -> float:
        """Return the allowed requests per second."""
        return min(self._ceiling, self._rate + self._ceiling * max(0.0, now - self._rate_as_of) / RECOVERY)

    def reserve(self, now: float) -> float:
        """Return the time at which the next request may be sent, and reserve it."""
        time = max(now, self._next_time)
        self._next_time = time + 1.0 / self.rate(now)
        return time

    def background_time(self, now: float) -> float:
        """Return the earliest time of a background request if no other request is reserved until then."""
        return max(self._next_time, self._last_background) + 1.0 / self.rate(now)

    def use_for_background(self, now: float) -> None:
        """Record that a background request is sent."""
        self._last_background = now

    def cancel_after(self, last: float, now: float) -> None:
        """Cancel the reservations after `last`, which are those of waiting requests."""
        self._next_time = max(now, last + 1.0 / self.rate(now))

    def report_throttled(self, now: float) -> None:
        """Halve the rate, unless it was halved within CUT_INTERVAL."""
        if now - self._last_cut >= CUT_INTERVAL:
            self._rate = max(self._ceiling * MIN_RATE, self.rate(now) / 2)
            self._rate_as_of = self._last_cut = now


class RateMeter:
    """The rate of requests within the last minute. Like AdaptiveRate, it has no clock."""

    def __init__(self, now: float) -> None:
        self._started_at = now
        self._counts: deque[tuple[int, int]] = deque()

    def record(self, time: float) -> None:
        """Count a request. Times must not decrease, and may be in the future."""
        second = int(time)
        count = self._counts.pop()[1] if self._counts and self._counts[-1][0] == second else 0
        self._counts.append((second, count + 1))

    def rate(self, now: float) -> float:
        """Return the requests per second within the last minute, or since the start if that is more recent."""
        while self._counts and self._counts[0][0] <= now - METER_WINDOW:
            self._counts.popleft()
        sent = sum(count for second, count in self._counts if second <= now)
        return sent / min(METER_WINDOW, max(1.0, now - self._started_at))


@dataclass(slots=True, eq=False)
class _Reservation:
    """The time at which a waiting request may be sent."""

    time: float


class RateLimiter:
    """The rate limiter of a target. Thread-safe."""

    def __init__(self, ceiling: float, host: Host, stop: Event) -> None:
        self._host = host
        self._stop = stop
        self._mutex = threading.Lock()
        self._rate = AdaptiveRate(ceiling, host.monotonic())
        self._meter = RateMeter(host.monotonic())
        self._last_sent = -math.inf
        self._waiting: list[_Reservation] = []

    def acquire(self, on_wait: Callable[[], None] = lambda: None) -> None:
        """Wait until a request may be sent. Raise StoppedError as soon as the program is stopping.

        `on_wait` is called every MAX_WAIT during a long wait.
        """
        with self._mutex:
            now = self._host.monotonic()
            reservation = _Reservation(self._rate.reserve(now))
            self._waiting.append(reservation)
        try:
            self._wait(reservation, reservation.time - now, on_wait)
        finally:
            with self._mutex:
                self._waiting.remove(reservation)
        with self._mutex:
            self._last_sent = max(self._last_sent, reservation.time)
            self._meter.record(self._host.monotonic())

    def acquire_background(self, on_wait: Callable[[], None] = lambda: None) -> None:
        """Wait until a request delays no others. Raise StoppedError as soon as the program is stopping.

        `on_wait` is called every MAX_WAIT or more often during the wait.
        """
        while (seconds := self._reserve_unused()) > 0:
            if self._stop.wait(min(seconds, MAX_WAIT)):
                raise StoppedError
            on_wait()

    def _reserve_unused(self) -> float:
        """Reserve a time that no other request has used, and return 0; else return the seconds until the next one."""
        with self._mutex:
            now = self._host.monotonic()
            seconds = self._rate.background_time(now) - now
            if seconds > 0:
                return seconds
            self._rate.use_for_background(now)
            self._meter.record(now)
            return 0.0

    def set_ceiling(self, ceiling: float) -> None:
        """Change the ceiling. Waiting requests get new times, in the order of their arrival."""
        with self._mutex:
            now = self._host.monotonic()
            self._rate.set_ceiling(ceiling, now)
            self._rate.cancel_after(self._last_sent, now)
            for reservation in self._waiting:
                reservation.time = self._rate.reserve(now)

    def report_throttled(self) -> None:
        """Reduce the rate, because AWS has throttled a request."""
        with self._mutex:
            self._rate.report_throttled(self._host.monotonic())

    def allowed_rate(self) -> float:
        """Return the allowed requests per second."""
        with self._mutex:
            return self._rate.rate(self._host.monotonic())

    def observed_rate(self) -> float:
        """Return the requests per second within the last minute."""
        with self._mutex:
            return self._meter.rate(self._host.monotonic())

    def _wait(self, reservation: _Reservation, seconds: float, on_wait: Callable[[], None]) -> None:
        """Wait in parts of MAX_WAIT, because the time of the reservation may change meanwhile."""
        while seconds > MAX_WAIT:
            if self._stop.wait(MAX_WAIT):
                raise StoppedError
            on_wait()
            with self._mutex:
                seconds = reservation.time - self._host.monotonic()
        if self._stop.wait(seconds):
            raise StoppedError

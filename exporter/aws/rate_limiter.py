"""How many requests a second: a ceiling that is kept, and less where the service says that it is too much."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from exporter.errors import StoppedError

if TYPE_CHECKING:
    from exporter.runtime import Event, Host

FLOOR = 1 / 32  # of the ceiling: however hard it is throttled, it goes on
RECOVERY = 300.0  # seconds from nothing to the ceiling, where nothing is throttled any more
ONE_CUT = 1.0  # seconds within which all throttled requests are one sign: they were on their way together
METERED = 60.0  # seconds


class AdaptiveRate:
    """A rate that halves when throttled and rises slowly again (AIMD), and a moment of its own for each request.

    Pure: told the time, it never asks. Since each request waits for its moment, no ten seconds have more than ten
    times the ceiling, and one.
    """

    def __init__(self, ceiling: float, now: float) -> None:
        self._ceiling = ceiling
        self._rate = ceiling
        self._as_of = now
        self._next = now
        self._cut_at = now - ONE_CUT

    def change(self, ceiling: float, now: float) -> None:
        """Set another ceiling; what was learned of throttling stays."""
        self._rate, self._as_of = min(ceiling, self.rate(now) / self._ceiling * ceiling), now
        self._ceiling = ceiling

    def rate(self, now: float) -> float:
        """Give the requests per second that are allowed now."""
        return min(self._ceiling, self._rate + self._ceiling * max(0.0, now - self._as_of) / RECOVERY)

    def reserve(self, now: float) -> float:
        """Give the moment at which one more request may be sent."""
        moment = max(now, self._next)
        self._next = moment + 1.0 / self.rate(now)
        return moment

    def throttled(self, now: float) -> None:
        """Take note that a request was refused for being too many."""
        if now - self._cut_at >= ONE_CUT:
            self._rate = max(self._ceiling * FLOOR, self.rate(now) / 2)
            self._as_of = self._cut_at = now


class RateMeter:
    """How many requests a second there were within the last minute; pure, like `Pace`."""

    def __init__(self, now: float) -> None:
        self._begun = now
        self._counts: deque[tuple[int, int]] = deque()

    def note(self, moment: float) -> None:
        """Count a request; moments never step back, and may lie ahead."""
        second = int(moment)
        count = self._counts.pop()[1] if self._counts and self._counts[-1][0] == second else 0
        self._counts.append((second, count + 1))

    def rate(self, now: float) -> float:
        """Give the rate; since the beginning where that is less than a minute ago."""
        while self._counts and self._counts[0][0] <= now - METERED:
            self._counts.popleft()
        sent = sum(count for second, count in self._counts if second <= now)
        return sent / min(METERED, max(1.0, now - self._begun))


class RateLimiter:
    """A target's pace, for the threads that send its requests."""

    def __init__(self, ceiling: float, host: Host, stop: Event) -> None:
        self._host = host
        self._stop = stop
        self._mutex = threading.Lock()
        self._pace = AdaptiveRate(ceiling, host.monotonic())
        self._meter = RateMeter(host.monotonic())

    def acquire(self) -> None:
        """Wait for the next free moment; raises StoppedError as soon as the program is stopping."""
        with self._mutex:
            now = self._host.monotonic()
            moment = self._pace.reserve(now)
            self._meter.note(moment)
        if self._stop.wait(moment - now):
            raise StoppedError

    def change(self, ceiling: float) -> None:
        """Set another ceiling."""
        with self._mutex:
            self._pace.change(ceiling, self._host.monotonic())

    def throttled(self) -> None:
        """Slow down: the service says that it is too much."""
        with self._mutex:
            self._pace.throttled(self._host.monotonic())

    def rate(self) -> float:
        """Give the requests per second that are allowed now."""
        with self._mutex:
            return self._pace.rate(self._host.monotonic())

    def observed_rate(self) -> float:
        """Give the requests per second that were sent within the last minute."""
        with self._mutex:
            return self._meter.rate(self._host.monotonic())

"""The invariant of the rate limit: the number of requests that a target may send in ten seconds."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from simulation.simulated_account import RATE_WINDOW

if TYPE_CHECKING:
    from simulation.virtual_clock import VirtualClock


class RateCheck:
    """The configured rates and the process starts of the last seconds, and the first violation.

    A violation is recorded, and the next scrape reports it. An immediate exception would look like a failed poll.
    """

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._rates: deque[tuple[float, float]] = deque()
        self._starts: deque[float] = deque()
        self._violation = ""

    def rate_changed(self, requests_per_second: float) -> None:
        """Record the rate of a new configuration."""
        self._rates.append((self._clock.now, requests_per_second))

    def process_started(self) -> None:
        """Record the start of a process. Each process may send one request more."""
        self._starts.append(self._clock.now)

    def record(self, target: str, attempts: int, *, is_stopping: bool) -> None:
        """Check an attempt, where `attempts` is the number of the target's attempts in the last ten seconds."""
        if is_stopping:
            self._violation = f"{target} sent a request while the program stopped"
        oldest = self._clock.now - RATE_WINDOW
        while len(self._rates) > 1 and self._rates[1][0] < oldest:
            self._rates.popleft()
        while self._starts and self._starts[0] < oldest:
            self._starts.popleft()
        most = RATE_WINDOW * max(rate for _, rate in self._rates) + 1.0 + len(self._starts)
        if attempts > most:
            self._violation = f"{target} sent {attempts} requests in {RATE_WINDOW:g} s, and {most:g} are allowed"

    def check(self) -> None:
        """Assert that no attempt violated the limit."""
        assert not self._violation, self._violation

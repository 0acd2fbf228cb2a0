"""The faults of credentials: a source that fails or hangs, and credentials that are replaced."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from exporter.domain.units import DAY, MINUTE
from simulation.fault_timer import FaultTimer

if TYPE_CHECKING:
    from simulation.fault_timer import ScrapeScheduler
    from simulation.state import WeekState

HANG_SECONDS = (MINUTE, 10 * MINUTE, math.inf)  # until a credential process is killed


class CredentialFaults:
    """Schedules the faults of the sources of credentials."""

    def __init__(self, state: WeekState, scraper: ScrapeScheduler) -> None:
        self._state = state
        self._scraper = scraper
        self._rng = state.stream("credential faults")
        self._timer = FaultTimer(state, scraper, self._rng)
        if not state.is_calm:
            for inject in (self._fail, self._hang, self._rotate):
                self._timer.schedule(inject, 2 * DAY * self._rng.uniform(0.5, 2.0))

    def _fail(self) -> None:
        account, until = self._rng.choice(self._state.accounts), self._timer.random_end()
        account.credentials.fail(until)
        self._state.trace.note("credentials fail", account.name, until)
        self._rotate_meanwhile(until)

    def _hang(self) -> None:
        account, until = self._rng.choice(self._state.accounts), self._timer.random_end()
        seconds = self._rng.choice(HANG_SECONDS)
        account.credentials.hang(until, seconds)
        self._state.trace.note("credentials hang", account.name, seconds, until)
        self._rotate_meanwhile(until)

    def _rotate(self) -> None:
        for account in self._state.accounts:
            account.credentials.rotate()
        self._state.trace.note("credentials rotate")

    def _rotate_meanwhile(self, until: float) -> None:
        """Replace the credentials during every second fault too, and scrape shortly before its end."""
        if self._rng.random() < 1 / 2:
            self._rotate()
        self._scraper.scrape_at(until - 1.0)

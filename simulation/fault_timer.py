"""The times at which faults begin and end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from exporter.domain.units import DAY, HOUR, MINUTE

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from simulation.state import WeekState

SCRAPED_SHARE = 1 / 3  # share of faults; a scrape takes as long as a poll, and finds most errors just after a fault


class ScrapeScheduler(Protocol):
    """Scrapes the program."""

    def scrape_soon(self) -> None:
        """Schedule a scrape soon after the start of a fault, while its effect may be visible."""

    def scrape_at(self, moment: float) -> None:
        """Schedule a scrape."""


class FaultTimer:
    """Schedules faults at random times until the end of the faulty part of the week."""

    def __init__(self, state: WeekState, scraper: ScrapeScheduler, rng: Random) -> None:
        self._state = state
        self._scraper = scraper
        self._rng = rng

    def schedule(self, inject: Callable[[], None], gap: float) -> None:
        """Inject a fault again and again; `gap` is the mean time between two of them, in seconds."""
        moment = self._state.clock.now + self._rng.expovariate(1 / gap)

        def happen() -> None:
            self.schedule(inject, gap)
            inject()
            if self._rng.random() < SCRAPED_SHARE:
                self._scraper.scrape_soon()

        if moment < self._state.faults_until:
            self._state.clock.at(moment, happen)

    def random_end(self, most: float = 6 * HOUR) -> float:
        """Return the time at which a fault ends. Most faults are short."""
        seconds = min(most, self._rng.choice((30.0, 10 * MINUTE, HOUR, 6 * HOUR, DAY)) * self._rng.uniform(0.2, 2.0))
        return min(self._state.faults_until, self._state.clock.now + seconds)

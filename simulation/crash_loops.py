"""Crash loops: a process that dies again and again soon after its start, at any point."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

from exporter.domain.units import DAY, MINUTE
from simulation.fault_timer import FaultTimer, ScrapeScheduler

if TYPE_CHECKING:
    from simulation.state import WeekState

CRASH_POINTS = ("now", "during a request", "before commit", "after commit")
MAX_LIVES = 20
LIFETIMES = (2.0, 15.0, 2 * MINUTE)  # the means, in seconds
PAUSES = (1.0, 10.0, 5 * MINUTE)  # like those of systemd and Kubernetes
SCRAPED_LIVES = 1 / 4


class CrashingProgram(ScrapeScheduler, Protocol):
    """The part of the program that the schedule uses."""

    def crash_at(self, point: str, pause: float) -> None:
        """Kill the process, now or when it reaches a point, and start it again after a pause."""

    def scrape(self) -> None:
        """Scrape the process, if there is one."""


class CrashLoops:
    """Schedules crash loops, and ends each life in a loop."""

    def __init__(self, state: WeekState, program: CrashingProgram) -> None:
        self._state = state
        self._program = program
        self._rng = state.stream("crash loops")
        self._lives = 0  # the number of lives that are left in the loop
        self._points: tuple[str, ...] = CRASH_POINTS
        self._lifetime = self._pause = 0.0
        if not state.is_calm:
            FaultTimer(state, program, self._rng).schedule(self._loop, 3 * DAY * self._rng.uniform(0.5, 2.0))

    def process_started(self) -> None:
        """End the process soon, if it is in a loop."""
        if self._lives and self._state.clock.now < self._state.faults_until:
            self._lives -= 1
            self._end_life(self._rng.choice(self._points))

    def _loop(self) -> None:
        self._lives = self._rng.randint(3, MAX_LIVES)
        self._lifetime, self._pause = self._rng.choice(LIFETIMES), self._rng.choice(PAUSES)
        # In most loops, each life reaches its first commit, so that every life polls another data source.
        self._points = ("after commit",) if self._rng.random() < 2 / 3 else CRASH_POINTS
        self._state.trace.note("crash loop", self._lives, self._lifetime, self._pause, *self._points)
        self._program.crash_at("now", self._pause)

    def _end_life(self, point: str) -> None:
        if point != "now":
            self._program.crash_at(point, self._pause)
            return
        seconds = self._rng.expovariate(1 / self._lifetime)
        if self._rng.random() < SCRAPED_LIVES:
            self._state.clock.after(seconds, self._program.scrape)
        self._state.clock.after(seconds + 0.001, partial(self._program.crash_at, point, self._pause))

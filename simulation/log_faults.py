"""The faults of stderr: it blocks, is full or is broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.domain.units import DAY
from simulation.fault_timer import FaultTimer
from simulation.stderr import StderrMode

if TYPE_CHECKING:
    from simulation.fault_timer import ScrapeScheduler
    from simulation.state import WeekState

FAULTS = (StderrMode.BLOCKED, StderrMode.FULL, StderrMode.BROKEN)
MAX_ROOM = 20  # bytes that a full disk still accepts, less than a line


class LogFaults:
    """Schedules the faults of stderr."""

    def __init__(self, state: WeekState, scraper: ScrapeScheduler) -> None:
        self._state = state
        self._rng = state.stream("log faults")
        self._timer = FaultTimer(state, scraper, self._rng)
        if not state.is_calm:
            self._timer.schedule(self._break, DAY * self._rng.uniform(0.5, 2.0))

    def _break(self) -> None:
        mode, until = self._rng.choice(FAULTS), self._timer.random_end()
        self._state.stderr.set_mode(mode, self._rng.randrange(MAX_ROOM))
        self._state.trace.note("stderr", mode.name, until)
        self._state.clock.at(until, self._repair)

    def _repair(self) -> None:
        self._state.stderr.set_mode(StderrMode.WORKS)

"""Long absences: the program is down for days, but no job leaves the list in that time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from exporter.domain.units import DAY
from simulation.fault_timer import FaultTimer, ScrapeScheduler
from simulation.fleet import LISTED_FOR, plan_syncs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulation.simulated_account import SimulatedAccount
    from simulation.state import WeekState

SHORTEST, LONGEST = 2 * DAY, 4 * DAY
LATE = 2 * DAY  # seconds after the return in which other faults may delay the polls
BUSY_SHARE = 3 / 4  # share of absences with a source that is synced often, so that the catch-up takes several steps


class AbsentProgram(ScrapeScheduler, Protocol):
    """The part of the program that the schedule uses."""

    def crash_at(self, point: str, pause: float) -> None:
        """Kill the process, now or when it reaches a point, and start it again after a pause."""

    def stop(self, pause: float, *, during_request: bool = False) -> None:
        """Stop the process cleanly, now or soon after the next request, and start it again after a pause."""

    def known_unfinished(self, key: str) -> list[str]:
        """Return the jobs of a data source without an end in the state file, listed or not."""


class Absences:
    """Schedules long absences."""

    def __init__(self, state: WeekState, program: AbsentProgram) -> None:
        self._state = state
        self._program = program
        self._rng = state.stream("absences")
        if not state.is_calm:
            FaultTimer(state, program, self._rng).schedule(self._leave, 5 * DAY * self._rng.uniform(0.5, 2.0))

    def _leave(self) -> None:
        now = self._state.clock.now
        longest = LISTED_FOR - LATE - (now - min(self._unread_since(), default=now))
        seconds = min(self._rng.uniform(SHORTEST, LONGEST), longest)
        if seconds < SHORTEST:
            return
        self._state.trace.note("absence", seconds)
        for account in self._state.accounts:
            account.expect_return(now + seconds)
        if self._rng.random() < 1 / 2:
            self._program.stop(seconds)
        else:
            self._program.crash_at("now", seconds)
        if self._rng.random() < BUSY_SHARE:
            self._sync_often(min(now + seconds, self._state.faults_until))

    def _unread_since(self) -> Iterator[float]:
        """Yield the time since which each data source may have jobs whose start or end the program has not read."""
        for account in self._state.accounts:
            for application, index, listed in account.fleet.data_sources():
                source = self._state.sources[listed.id][1]
                yield next(reversed(account.responses.sources[source.id].usable), self._state.clock.started)
                unfinished = self._program.known_unfinished(self._state.traits.key(application, index, source))
                yield from (job.started for job in source.jobs if job.execution_id in unfinished and job.outcome)

    def _sync_often(self, until: float) -> None:
        account: SimulatedAccount = self._rng.choice(self._state.accounts)
        sources = [self._state.sources[source.id][1] for _, _, source in account.fleet.data_sources()]
        if sources:
            source, period = self._rng.choice(sources), self._rng.uniform(*self._state.traits.simulated.busy_periods)
            plan_syncs(self._rng, self._state.traits, source, (self._state.clock.now, until), period)
            self._state.trace.note("synced often", account.name, source.id, period)

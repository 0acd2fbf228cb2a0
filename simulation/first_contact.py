"""Wrong clocks at first contact: an account's Date header is wrong when the program first polls the account."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from exporter.domain.units import HOUR, MINUTE
from simulation.fault_timer import FaultTimer

if TYPE_CHECKING:
    from random import Random

    from simulation.fault_timer import ScrapeScheduler
    from simulation.simulated_account import SimulatedAccount
    from simulation.state import WeekState

SHARE = 1 / 3  # share of the weeks with faults
SMALLEST_ERROR, LARGEST_ERROR = 30 * MINUTE, 10 * HOUR


class FirstContact:
    """Makes the Date header wrong from the start of a week, for minutes or hours.

    The clock of the host is correct until the Date is correct again and every data source was polled. If both were
    wrong, no exporter could know which one to correct.
    """

    def __init__(self, state: WeekState, scraper: ScrapeScheduler) -> None:
        self._state = state
        rng = state.stream("first contact")
        timer = FaultTimer(state, scraper, rng)
        if not state.is_calm and rng.random() < SHARE:
            for account in state.accounts:
                self._begin(account, _error(rng), timer.random_end())
            scraper.scrape_soon()

    def _begin(self, account: SimulatedAccount, error: float, until: float) -> None:
        account.set_wrong_dates(error, until)
        self._state.trace.note("wrong dates", account.name, error, until)
        self._state.clock.at(until, partial(self._end, account))

    def _end(self, account: SimulatedAccount) -> None:
        account.service.date_error = 0.0
        self._state.trace.note("correct dates", account.name)


def _error(rng: Random) -> float:
    """Return the seconds by which a Date header is ahead; negative if it is behind."""
    return rng.choice((-1, 1, 1)) * rng.uniform(SMALLEST_ERROR, LARGEST_ERROR)

"""The state of a simulated week, which the seed determines, and which faults change while the week runs."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from exporter.domain.units import DAY, HOUR
from exporter.simulator.fleet import Fleet
from simulation.credential_source import CredentialSource
from simulation.fleet import make_fleet
from simulation.services import traits_for
from simulation.settings import make_settings
from simulation.simulated_account import SimulatedAccount
from simulation.stderr import SimulatedStderr
from simulation.trace import Trace
from simulation.virtual_clock import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from simulation.fleet import PlannedSource

EPOCH = 1_795_478_400.0  # a Monday, 00:00 UTC
WEEK = 7 * DAY
MAX_CLOCK_ERROR = 10 * HOUR
RECOVERY = 12 * HOUR  # long enough for every back-off to expire, and for a full reread after the last wrong data


class WeekState:
    """The accounts, the active configuration and the faults of the host.

    The world creates it and passes it to the fault schedule, the process and the invariants. It depends on none of
    them.
    """

    def __init__(
        self,
        seed: int,
        directory: Path,
        show: Callable[[str], None] | None = None,
        days: float = 7.0,
        service: str | None = None,
    ) -> None:
        self._seed = seed
        self.traits = traits_for(seed, service)
        self.rng = random.Random(seed)  # noqa: S311 (a simulation that repeats)
        self.directory = directory
        start = EPOCH + self.rng.uniform(0, WEEK)
        self.faults_until = start + days * DAY
        self.ends = self.faults_until + RECOVERY
        self.clock = VirtualClock(start, self.rng)
        self.trace = Trace(self.clock, show, str(directory))
        self.renders_lazily = self.rng.random() < 9 / 10
        self.is_calm = False  # a week without faults
        self.host_clock_error = 0.0
        self.stderr = SimulatedStderr()
        self.disk_full_until = 0.0
        self.sources_added = 0
        self.removed_sources: set[str] = set()
        self.lost_writes = 0  # processes that ended with state in memory that was not on the disk
        self.reloads = 0
        self.target_starts: list[float] = []  # the starts of each process, and of targets after each reload
        self.accounts = [self._make_account(number) for number in range(self.rng.choice((1, 1, 1, 1, 2)))]
        self.base_settings = self.settings = make_settings(self.rng, self.accounts, "state.db")
        self.sources: dict[
            str, tuple[SimulatedAccount, PlannedSource]
        ] = {}  # every data source that ever existed, by its id
        self.root_of: dict[str, str] = {}  # the name of the outermost container of each data source
        for account in self.accounts:
            for _, _, source in account.fleet.data_sources():
                self.add_source(account, source)

    def stream(self, purpose: str) -> random.Random:
        """Return random numbers for one purpose, so that the rest of the week does not depend on them."""
        return random.Random(f"{self._seed} {purpose}")  # noqa: S311 (a simulation that repeats)

    def add_source(self, account: SimulatedAccount, source: Any) -> None:
        """Register a data source. It stays registered after its removal, because the page may still have it."""
        self.sources[source.id] = (account, source)
        self.root_of |= {
            each.id: self.traits.root_name(application, index)
            for application, index, each in account.fleet.data_sources()
            if each is source
        }

    def clock_error(self) -> float:
        """Return the seconds by which the host's wall clock is wrong."""
        return self.host_clock_error

    def is_disk_full(self) -> bool:
        """Return whether the disk rejects writes."""
        return self.clock.now < self.disk_full_until

    def max_clock_ahead(self) -> float:
        """Return the seconds by which the host's clock may be ahead.

        If it is ahead by the lifetime of credentials, they have expired when they are obtained.
        """
        return min(MAX_CLOCK_ERROR, *(account.credentials.lifetime * 0.9 for account in self.accounts))

    def _make_account(self, number: int) -> SimulatedAccount:
        name = f"account-{number}"
        sources = self.rng.choice((1, 1, 1, 1, 2, 3))
        fleet = make_fleet(self.rng, self.traits, sources, self.clock.now, self.ends, name)
        fleet = Fleet(fleet.applications, account=f"{number + 1}" * 12)
        credentials = CredentialSource(self.clock, self.stream(f"credentials of {name}"), self.trace)
        return SimulatedAccount(name, self.traits, fleet, self.clock, self.rng, self.trace, credentials)

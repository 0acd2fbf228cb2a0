"""The state of a simulated cluster, which the seed determines and all replicas share."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from exporter.domain.units import DAY, MINUTE
from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedIndex
from simulation.credential_source import CredentialSource
from simulation.fleet import PlannedSource, make_job
from simulation.oracle import WatchPeriod
from simulation.replicas.database import SimulatedDatabase
from simulation.services import QBUSINESS
from simulation.simulated_account import SimulatedAccount
from simulation.state import EPOCH, WEEK
from simulation.trace import Trace
from simulation.virtual_clock import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.simulator.job import PlannedJob

WARM_UP = MINUTE  # seconds in which every source is polled for the first time, without faults and without sync jobs
RECOVERY = 2 * MINUTE  # seconds after the last fault, in which the last sync jobs end and are counted
OUTCOMES = ("SUCCEEDED", "SUCCEEDED", "INCOMPLETE", "FAILED", "ABORTED")


class ClusterState:
    """The database, the accounts and the configuration that all replicas share."""

    def __init__(self, seed: int, show: Callable[[str], None] | None, minutes: float) -> None:
        self.rng = random.Random(seed)  # noqa: S311 (a simulation that repeats)
        start = EPOCH + self.rng.uniform(0, WEEK)
        self.begins = start + WARM_UP
        self.faults_until = self.begins + minutes * MINUTE
        self.ends = self.faults_until + RECOVERY
        self.clock = VirtualClock(start, self.rng)
        self.trace = Trace(self.clock, show)
        self.database = SimulatedDatabase(self.clock)
        self.watched = WatchPeriod(start, self.begins, counts_from_zero=True)
        self.sources: dict[str, tuple[SimulatedAccount, PlannedSource]] = {}
        self.accounts = [self._make_account(number) for number in range(self.rng.choice((3, 3, 4, 5)))]
        self.settings = self._make_settings()
        self.no_faults_until = 0.0
        """The time until which no other fault begins, because the database is about to lose commits, or has lost some.

        If an owner ended in that time, the commits that the database lacks would be lost.
        """

    def targets(self) -> list[str]:
        """Return the names of all targets."""
        return [account.name for account in self.accounts]

    def _make_account(self, number: int) -> SimulatedAccount:
        name = f"account-{number}"
        source = self.make_source(f"source-{number}")
        application = SimulatedApplication(f"app-{number}", [SimulatedIndex(f"index-{number}", [source])])
        fleet = Fleet([application], account=f"{number + 1}" * 12)
        credentials = CredentialSource(self.clock, self.rng, self.trace)
        account = SimulatedAccount(name, QBUSINESS, fleet, self.clock, self.rng, self.trace, credentials)
        self.sources[source.id] = (account, source)
        return account

    def make_source(self, name: str) -> PlannedSource:
        """Return a data source whose sync jobs take a minute or two, and end before the recovery ends."""
        rng = self.rng
        source = PlannedSource(name, "S3", "ACTIVE", created=self.begins - 90 * DAY, updated=self.begins - DAY)
        jobs: list[PlannedJob] = []
        moment = self.begins
        while moment < self.faults_until:
            duration = rng.uniform(0.1, 1.2) * MINUTE
            jobs.append(make_job(rng, QBUSINESS, source, len(jobs), moment, duration, rng.choice(OUTCOMES), 1000))
            moment += duration + rng.uniform(0.1, 2.0) * MINUTE
        source.plan(jobs)
        return source

    def _make_settings(self) -> dict[str, Any]:
        interval, idle = self.rng.choice((("20s", "40s"), ("30s", "1m"), ("1m", "1m")))
        polling = {"interval": interval, "idle_interval": idle, "timeout": "5s"}
        targets = [self._make_target(account) for account in self.accounts]
        return {"targets": targets, "polling": polling, "state": {"url": "postgresql://exporter@simulated/exporter"}}

    def _make_target(self, account: SimulatedAccount) -> dict[str, Any]:
        sources = [
            QBUSINESS.ids(application, index, source) for application, index, source in account.fleet.data_sources()
        ]
        target = {"name": account.name, "region": "us-east-1", "endpoint_url": account.endpoint}
        if self.rng.random() < 1 / 2:  # STS reports the account of the others
            target["role_arn"] = f"arn:aws:iam::{account.fleet.account}:role/reader"
        return {**target, "data_sources": sources}

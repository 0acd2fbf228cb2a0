"""One replica: the exporter of `serve` on a virtual host, with a session on the simulated database."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from exporter.app.dependencies import Overrides
from exporter.app.exporter import Exporter
from exporter.domain.replicas import Replica
from exporter.metrics.telemetry import Telemetry
from exporter.store.postgresql import SharedState
from simulation.aws_client import VirtualAwsClient
from simulation.page import ParsedPage, render
from simulation.process import LazyExpositionCache
from simulation.replicas.session import DatabaseLink, SimulatedSession
from simulation.settings import account_of, config_of
from simulation.virtual_host import VirtualHost

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.app.state import StateContext
    from exporter.config import StateConfig
    from simulation.replicas.cluster import ClusterState

MAX_CLOCK_ERROR = 3600.0  # seconds by which the clock of a host is wrong


class ReplicaProcess:
    """One run of the program, from its start to its end."""

    def __init__(self, cluster: ClusterState, name: str, number: int) -> None:
        self.name = name
        self.id = f"{name}{number}"
        self.is_stopping = False
        self.link = DatabaseLink(cluster.database, cluster.clock, cluster.rng)
        error = cluster.rng.choice((0.0, 0.0, -1.0, 1.0)) * cluster.rng.uniform(0.0, MAX_CLOCK_ERROR)
        self.host = VirtualHost(cluster.clock, lambda: error)
        self._cluster = cluster
        self._state: SharedState | None = None
        self._exporter: Exporter | None = None
        self.host.thread("main", self._run).start()

    @property
    def responds(self) -> bool:
        """Whether it can be scraped."""
        return self._exporter is not None and not self.host.is_suspended

    @property
    def can_own(self) -> bool:
        """Whether it can own targets, because it runs and reaches the database in time."""
        return self.responds and not self.is_stopping and self.link.fault is None

    def fresh_targets(self) -> list[str]:
        """Return the targets that it owns, if no other replica can have taken over."""
        if not (self._exporter and self._state and self._state.is_up):
            return []
        return [target.name for target in self._exporter.targets]

    def page(self) -> str:
        """Return the page of a scrape."""
        assert self._exporter is not None
        return render(self._exporter.page)

    def scrape(self) -> ParsedPage:
        """Return the page, parsed."""
        text = self.page()
        assert self._exporter is not None
        assert self._exporter.unhealthy() is None, f"{self.id} is not healthy: {self._exporter.unhealthy()}"
        self._cluster.trace.add(text)
        return ParsedPage.parse(text)

    def stop(self, stopped: Callable[[], None]) -> None:
        """Stop the program as SIGTERM does, and call back when it has stopped."""

        def work() -> None:
            self.is_stopping = True
            if self._exporter:
                self._exporter.stop()
            self.host.clock.after(0.0, stopped)

        self.host.thread("operator", work).start()

    def kill(self) -> None:
        """Kill all threads."""
        self.host.kill()

    def _run(self) -> None:
        accounts = self._cluster.accounts
        overrides = Overrides(
            host=self.host,
            connect=partial(VirtualAwsClient, lambda target: account_of(target, accounts)),
            open_state=self._open_state,
            cache=LazyExpositionCache,
            random=self._cluster.rng,
        )
        telemetry = Telemetry(process_metrics=False)
        exporter = Exporter(config_of(self._cluster.settings), [], telemetry=telemetry, overrides=overrides)
        exporter.start_polling()
        self._exporter = exporter

    def _open_state(self, _config: StateConfig, context: StateContext) -> SharedState:
        session = SimulatedSession(self.link, self.host, self.id)
        replica = Replica(self.id, self.name)
        self._state = SharedState(
            session, replica, self.host, on_write_failure=context.on_write_failure, boot_time=self.host.monotonic
        )
        return self._state

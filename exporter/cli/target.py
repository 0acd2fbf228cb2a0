"""One target put together: its connection, its poller and its scheduler, and who hears of what they do."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.aws import Connection, was_authorised
from exporter.errors import Reason, StartupError
from exporter.model import DataSource, SourceId
from exporter.poller import Poller
from exporter.providers.qbusiness import QBusiness
from exporter.scheduler import Agenda, Budget, Intervals, Scheduler

if TYPE_CHECKING:
    import threading

    from exporter.config import Config, TargetConfig
    from exporter.exposition import Exposition
    from exporter.history import Policy
    from exporter.model import Clock, SourceSnapshot
    from exporter.store import Store
    from exporter.telemetry import Telemetry

RETRY_SLEEPS = 10.0  # seconds that the SDK sleeps between the attempts of one request, at most


@dataclass(frozen=True, slots=True)
class Shared:
    """What all targets have in common."""

    config: Config
    policy: Policy
    page: Exposition
    store: Store
    telemetry: Telemetry
    clock: Clock
    stopping: threading.Event


class Target:
    """The watch over one target; hears of every attempt and every poll, and tells telemetry and the page."""

    def __init__(self, target: TargetConfig, shared: Shared) -> None:
        polling = shared.config.polling
        self._page = shared.page
        self._telemetry = shared.telemetry
        self._account = target.role_arn.split(":")[4] if target.role_arn else ""
        self._connection = Connection(target, polling, self, shared.clock)
        self._budget = Budget(polling.requests_per_second, shared.clock, shared.stopping)
        self.name = self._connection.name
        self.sources = _sources(target, self.name)
        self.poller = Poller(QBusiness(self._connection), shared.store, self, shared.policy, shared.clock)
        self.scheduler = Scheduler(
            Agenda(Intervals(polling.interval, polling.idle_interval), random.Random()),  # noqa: S311 (jitter)
            self.poller.poll,
            workers=polling.concurrency,
            patience=self._connection.patience + RETRY_SLEEPS + 1 / polling.requests_per_second,
            clock=shared.clock,
        )
        shared.telemetry.watch_target(self.name, self.scheduler.lag, lambda: len(self.sources))

    def start(self) -> None:
        """Begin to poll."""
        for source in self.sources:
            self.poller.watch(source)
        self.scheduler.start(self.sources)

    def admit(self) -> None:
        """Hold an attempt back until the request budget allows it."""
        self._budget.admit()

    def finished(self, operation: str, code: str, seconds: float) -> None:
        """Count an attempt, and learn from it whether the target lets us in."""
        self.scheduler.progress()
        self._telemetry.attempt(self.name, operation, code, seconds)
        self._set_up(up=was_authorised(code))

    def polled(self) -> None:
        """Count a poll."""
        self._telemetry.poll(self.name)

    def failed(self, reason: Reason) -> None:
        """Count a failed poll; without credentials or a role to assume not even an attempt was made."""
        self._telemetry.poll_failed(self.name, reason)
        if reason in {Reason.CREDENTIALS, Reason.ACCESS_DENIED}:
            self._set_up(up=False)

    def publish(self, snapshot: SourceSnapshot) -> None:
        """Show a source on the page."""
        self._page.publish(snapshot, self._connection.clock)

    def _set_up(self, *, up: bool) -> None:
        self._telemetry.target_up(self.name, self._account, self._connection.region, up=up)


def _sources(target: TargetConfig, name: str) -> tuple[DataSource, ...]:
    if target.discovery is not None:
        raise StartupError(f"target {name}: name its data_sources; finding them is not built yet")
    return tuple(
        DataSource(
            target=name,
            id=SourceId(source.application_id, source.index_id, source.data_source_id),
            application=source.application,
            name=source.name,
            labels=tuple(sorted(source.labels.items())),
        )
        for source in target.data_sources
    )

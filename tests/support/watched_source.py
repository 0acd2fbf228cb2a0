"""A data source that a real poller reads over HTTP from a simulated service, at times that a test chooses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from exporter.domain.model import DataSource
from exporter.domain.units import HOUR
from exporter.polling.poller import Poller
from exporter.polling.watched_sources import WatchedSources
from exporter.simulator.fleet import make_id
from exporter.simulator.job import PlannedJob
from exporter.store import MEMORY, Store
from tests.support.builders import NOON, POLICY, FakeClock
from tests.support.contexts import RecordingPublisher, make_context
from tests.support.poller_rig import RecordingPollObserver
from tests.support.simulated_target import SimulatedTarget
from tests.support.status_fixtures import StatusFixture

if TYPE_CHECKING:
    from collections.abc import Iterator


def planned_job(status: str, started: float, ended: float | None = None, **members: Any) -> PlannedJob:
    """Return a job; times are hours before NOON, and a job without an end never ends."""
    duration = HOUR if ended is None else (started - ended) * HOUR
    return PlannedJob(
        make_id(status, started), NOON - started * HOUR, duration, 0, None if ended is None else status, **members
    )


def repeated(times: int, every: float, status: str, started: float, ended: float, **members: Any) -> list[PlannedJob]:
    """Return jobs that started each a number of hours before the one before."""
    return [planned_job(status, started + n * every, ended + n * every, **members) for n in range(times)]


class WatchedSource:
    """One data source of a simulated service with its poller. Use it as a context manager."""

    def __init__(self, *jobs: PlannedJob, **source: Any) -> None:
        self._target = SimulatedTarget()
        self._target.source.jobs = list(jobs)
        for name, value in source.items():
            setattr(self._target.source, name, value)
        self.publisher = RecordingPublisher()
        self._store = Store(MEMORY, lambda: None)
        context = make_context(self._target.provider, self._store, FakeClock(), self.publisher)
        self._sources = WatchedSources(context, POLICY)
        self._poller = Poller(context, self._sources, RecordingPollObserver(), POLICY)
        self._source = DataSource("production", self._target.id)

    def __enter__(self) -> Self:
        """Start the service, and watch the source."""
        self._target.service.start()
        self._sources.watch(self._source)
        self._sources.describe(self._source.id, "main", None)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the service."""
        self._target.service.stop()
        self._store.close()

    def states(self, *hours: float) -> Iterator[StatusFixture]:
        """Poll at some hours before NOON, the earliest first, and yield the published snapshot after each poll."""
        for ago in hours:
            self._target.clock.set(NOON - ago * HOUR)
            self._poller.poll(self._source)
            snapshot = self.publisher.sources[-1]
            fixture = StatusFixture.of([snapshot])
            fixture.clock.wall = NOON - ago * HOUR
            yield fixture

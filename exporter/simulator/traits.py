"""The differences between simulated services: types, statuses, limits, ids, and how a service reports a job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporter.simulator.units import MINUTE

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.simulator.fleet import Fleet
    from exporter.simulator.job import PlannedJob

CRON_SCHEDULES = ("", "cron(0 2 * * ? *)", "cron(0 * * * ? *)", "cron(30 10 ? * TUE,FRI *)", "hourly")


@dataclass(frozen=True, slots=True)
class UnitCapacity:
    """The limits of an index: the limits of its units and of `base` further units."""

    documents: int
    text_bytes: int
    base: int = 0

    def limits(self, units: int) -> tuple[int, int]:
        """Return the limits on documents and bytes of text of an index with some units."""
        return (self.base + units) * self.documents, (self.base + units) * self.text_bytes


@dataclass(frozen=True, eq=False, slots=True)
class SimulatorTraits:
    """A simulated service and its peculiarities.

    `demo_fleet` returns the fleet of the demo, with a history of sync jobs until some time.
    `capacity` is None if the service reports no sizes of an index. `container_statuses` are those that an index may
    have. In busy times, a source is synced at an interval between the two `busy_periods`. A `long_share` of the syncs
    takes so long that the next one may begin meanwhile. `wire_id` returns an id of the fleet in the form of the
    service. `reported` changes a planned job so that its outcome is the one that the exporter must expose.
    """

    make_api: Callable[..., Any]
    demo_fleet: Callable[[float], Fleet]
    index_kind: str
    source_kinds: tuple[str, ...]
    schedules: tuple[str, ...] = CRON_SCHEDULES
    capacity: UnitCapacity | None = None
    container_statuses: tuple[str, ...] = ("ACTIVE",)
    kinds_without_jobs: frozenset[str] = frozenset()
    busy_periods: tuple[float, float] = (5 * MINUTE, 20 * MINUTE)
    long_share: float = 0.05
    wire_id: Callable[[str], str] = str
    reported: Callable[[PlannedJob], PlannedJob] = lambda job: job

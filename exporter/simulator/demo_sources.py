"""Data sources of the demo with recurring sync jobs, for the fleets of all services."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.simulator.fleet import Routine, SimulatedDataSource
from exporter.simulator.job import PlannedJob

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    Plan = Callable[[random.Random], PlannedJob]


def recurring(name: str, kind: str, now: float, period: float, plan: Plan) -> SimulatedDataSource:
    """Return a data source with a sync job in each period, as planned."""
    # Every routine began long ago, with its own offset, so that the jobs do not start at the same time.
    offset = (sum(name.encode()) % 97) / 97 * period
    return SimulatedDataSource(name, kind, routine=Routine(name, now - 300 * period - offset, period, plan))


def healthy(documents: int, crawl_seconds: float = 25, index_seconds: float = 15) -> Plan:
    """Return a plan of jobs that succeed and scan this number of documents."""

    def plan(dice: random.Random) -> PlannedJob:
        changed = dice.randint(0, documents // 20)
        counts = {
            "added": dice.randint(0, 1 + changed) if documents else 0,
            "modified": changed,
            "deleted": dice.randint(0, 1 + changed // 4) if documents else 0,
            "failed": 0,
            "scanned": documents,
        }
        return PlannedJob(
            "", 0, crawl_seconds * dice.uniform(0.7, 1.3), index_seconds * dice.uniform(0.7, 1.3), documents=counts
        )

    return plan

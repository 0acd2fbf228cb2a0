"""The fleet of Amazon Kendra in the demo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.simulator.demo_sources import recurring
from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.units import DAY, HOUR, MINUTE

if TYPE_CHECKING:
    import random


def demo_fleet(now: float) -> Fleet:
    """Return an index with a data source whose syncs are sometimes aborted, and one that failed."""
    sources = [
        recurring("zendesk", "TEMPLATE:ZENDESK", now, 4 * MINUTE, _sometimes_aborted),
        _failed("salesforce", "TEMPLATE:SALESFORCEV2", now),
    ]
    index = SimulatedIndex("helpdesk", sources, kind="ENTERPRISE_EDITION", units=0, documents=41_300)
    return Fleet([SimulatedApplication("helpdesk", [index])])


def _sometimes_aborted(dice: random.Random) -> PlannedJob:
    counts = {"added": dice.randint(0, 30), "modified": 12, "deleted": 1, "failed": 0, "scanned": 640}
    outcome = "ABORTED" if dice.random() < 0.3 else "SUCCEEDED"  # noqa: PLR2004 (a probability)
    return PlannedJob("", 0, crawl_seconds=40, index_seconds=dice.uniform(10, 30), outcome=outcome, documents=counts)


def _failed(name: str, kind: str, now: float) -> SimulatedDataSource:
    failed = [
        PlannedJob(
            make_id("job", name, hour),
            now - hour * HOUR,
            crawl_seconds=300,
            index_seconds=0,
            outcome="FAILED",
            error_code="InvalidRequest",
            error_message="The provided IAM role (arn:aws:iam::111122223333:role/salesforce) could not be assumed. "
            "Please make sure Amazon Kendra is a trusted entity that is allowed to assume the role.",
        )
        for hour in range(1, 40, 6)
    ]
    good = PlannedJob(make_id("job", name), now - 12 * DAY, 600, 120, documents={"scanned": 310, "added": 310})
    return SimulatedDataSource(name, kind, status="FAILED", jobs=[good, *failed])

"""The fleet of Amazon Q Business in the demo: data sources of many kinds, each an example of one situation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.simulator.demo_sources import healthy, recurring
from exporter.simulator.document import SimulatedDocument
from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.units import DAY, HOUR, MINUTE

if TYPE_CHECKING:
    import random

_FAILED_DOCUMENTS = {"policies-s3": 10}
_INDEXED_DOCUMENTS = {
    "hr-sharepoint": 1200,
    "engineering-confluence": 860,
    "policies-s3": 989,
    "tickets-custom": 740,
    "archive-s3": 4800,
    "jira": 90,
    "servicenow": 250,
}


def demo_fleet(now: float) -> Fleet:
    """Return the fleet with a history of sync jobs until now."""
    main = SimulatedIndex(
        "main",
        [
            recurring("hr-sharepoint", "SHAREPOINTV2", now, 3 * MINUTE, healthy(1200)),
            recurring("engineering-confluence", "CONFLUENCEV2", now, 0.75 * MINUTE, _expired_token),
            recurring("policies-s3", "S3", now, 4 * MINUTE, _incomplete),
            recurring("tickets-custom", "CUSTOM", now, 3 * MINUTE, _custom),
            _stuck("archive-s3", now),
            SimulatedDataSource("legal-onedrive", "ONEDRIVEV2", schedule="cron(0 2 * * ? *)"),
        ],
        units=2,
        documents=21_480,
        text_bytes=143_000_000,
    )
    knowledge = SimulatedIndex(
        "knowledge",
        [
            recurring("faq-s3", "S3", now, 3 * MINUTE, healthy(0, crawl_seconds=10, index_seconds=2)),
            recurring("jira", "JIRA", now, 1.5 * MINUTE, _flaky),
            recurring("servicenow", "SERVICENOWV2", now, 1 * MINUTE, healthy(250, crawl_seconds=12, index_seconds=8)),
        ],
        documents=19_102,
        text_bytes=61_000_000,
    )
    fleet = Fleet([SimulatedApplication("intranet", [main]), SimulatedApplication("support", [knowledge])])
    for _, _, source in fleet.data_sources():
        source.documents = _documents(source.name)
    return fleet


def _documents(source: str) -> list[SimulatedDocument]:
    """Return the documents of a data source, the failed ones last."""
    indexed = [SimulatedDocument(f"{source}/{number}.html") for number in range(_INDEXED_DOCUMENTS.get(source, 0))]
    failed = [
        SimulatedDocument(f"{source}/scan-{number}.pdf", "FAILED", "InvalidRequest", "The document is encrypted.")
        for number in range(_FAILED_DOCUMENTS.get(source, 0))
    ]
    return indexed + failed


def _expired_token(dice: random.Random) -> PlannedJob:
    return PlannedJob(
        "",
        0,
        crawl_seconds=dice.uniform(5, 9),
        index_seconds=0,
        outcome="FAILED",
        error_code="InvalidRequest",
        error_message="CNF-5572 Authentication failed: the access token or the refresh token is invalid. Renew them.",
        source_error="CNF-5572",
    )


def _incomplete(dice: random.Random) -> PlannedJob:
    failed = dice.randint(6, 13)
    counts = {"added": 0, "modified": 999 - failed, "deleted": 0, "failed": failed, "scanned": 999}
    return PlannedJob(
        "", 0, crawl_seconds=60, index_seconds=dice.uniform(30, 70), outcome="INCOMPLETE", documents=counts
    )


def _custom(dice: random.Random) -> PlannedJob:
    counts = {"added": dice.randint(1, 40), "modified": dice.randint(0, 9), "deleted": 0, "failed": 0}
    return PlannedJob("", 0, crawl_seconds=20, index_seconds=dice.uniform(5, 30), documents=counts)


def _flaky(dice: random.Random) -> PlannedJob:
    if dice.random() < 0.4:  # noqa: PLR2004 (a probability)
        return PlannedJob(
            "",
            0,
            crawl_seconds=dice.uniform(3, 8),
            index_seconds=0,
            outcome="FAILED",
            documents={"added": 0, "modified": 0, "deleted": 0, "failed": 0, "scanned": 0},
            error_code="InternalError",
            error_message='It returned\n"503 Service Unavailable"\nand closed the connection <html>&amp;</html>',
        )
    return healthy(90, crawl_seconds=15, index_seconds=6)(dice)


def _stuck(name: str, now: float) -> SimulatedDataSource:
    done = [
        PlannedJob(
            make_id("job", name, day), now - day * DAY, 2 * HOUR, HOUR, documents={"scanned": 48_000, "added": 7}
        )
        for day in range(2, 9)
    ]
    stuck = PlannedJob(make_id("job", name), now - 30 * HOUR, 40 * HOUR, 0, None, {"scanned": 48_000, "added": 900})
    return SimulatedDataSource(name, "S3", schedule="cron(0 3 * * ? *)", jobs=[*done, stuck])

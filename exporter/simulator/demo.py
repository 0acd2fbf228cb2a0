"""The fleets of the demo: a dozen data sources, each an example of one situation, with short sync jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.simulator.document import SimulatedDocument
from exporter.simulator.fleet import (
    Fleet,
    Routine,
    SimulatedApplication,
    SimulatedDataSource,
    SimulatedIndex,
    make_id,
)
from exporter.simulator.job import PlannedJob
from exporter.simulator.units import DAY, HOUR, MINUTE

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    Plan = Callable[[random.Random], PlannedJob]

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


def demo_fleets(now: float) -> dict[str, Fleet]:
    """Return the fleet of each service by its name, with a history of sync jobs until now."""
    return {"qbusiness": demo_fleet(now), "kendra": _kendra_fleet(now), "bedrock": _bedrock_fleet(now)}


def demo_fleet(now: float) -> Fleet:
    """Return the fleet of Amazon Q Business."""
    main = SimulatedIndex(
        "main",
        [
            _source("hr-sharepoint", "SHAREPOINTV2", now, 3 * MINUTE, _healthy(1200)),
            _source("engineering-confluence", "CONFLUENCEV2", now, 0.75 * MINUTE, _expired_token),
            _source("policies-s3", "S3", now, 4 * MINUTE, _incomplete),
            _source("tickets-custom", "CUSTOM", now, 3 * MINUTE, _custom),
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
            _source("faq-s3", "S3", now, 3 * MINUTE, _healthy(0, crawl_seconds=10, index_seconds=2)),
            _source("jira", "JIRA", now, 1.5 * MINUTE, _flaky),
            _source("servicenow", "SERVICENOWV2", now, 1 * MINUTE, _healthy(250, crawl_seconds=12, index_seconds=8)),
        ],
        documents=19_102,
        text_bytes=61_000_000,
    )
    fleet = Fleet([SimulatedApplication("intranet", [main]), SimulatedApplication("support", [knowledge])])
    for _, _, source in fleet.data_sources():
        source.documents = _documents(source.name)
    return fleet


def _kendra_fleet(now: float) -> Fleet:
    sources = [
        _source("zendesk", "TEMPLATE:ZENDESK", now, 4 * MINUTE, _sometimes_aborted),
        _failed("salesforce", "TEMPLATE:SALESFORCEV2", now),
    ]
    index = SimulatedIndex("helpdesk", sources, kind="ENTERPRISE_EDITION", units=0, documents=41_300)
    return Fleet([SimulatedApplication("helpdesk", [index])])


def _bedrock_fleet(now: float) -> Fleet:
    plan = _healthy(400, crawl_seconds=100, index_seconds=40)
    source = _source("handbook-webcrawler", "WEB", now, 5 * MINUTE, plan)
    source.status = "AVAILABLE"
    source.documents = [SimulatedDocument(f"https://handbook.example/{number}") for number in range(400)]
    return Fleet([SimulatedApplication("handbook", [SimulatedIndex("handbook", [source], kind="VECTOR")])])


def _documents(source: str) -> list[SimulatedDocument]:
    """Return the documents of a data source, the failed ones last."""
    indexed = [SimulatedDocument(f"{source}/{number}.html") for number in range(_INDEXED_DOCUMENTS.get(source, 0))]
    failed = [
        SimulatedDocument(f"{source}/scan-{number}.pdf", "FAILED", "InvalidRequest", "The document is encrypted.")
        for number in range(_FAILED_DOCUMENTS.get(source, 0))
    ]
    return indexed + failed


def _source(name: str, kind: str, now: float, period: float, plan: Plan) -> SimulatedDataSource:
    # Every routine began long ago, with its own offset, so that the jobs do not start at the same time.
    offset = (sum(name.encode()) % 97) / 97 * period
    return SimulatedDataSource(name, kind, routine=Routine(name, now - 300 * period - offset, period, plan))


def _healthy(documents: int, crawl_seconds: float = 25, index_seconds: float = 15) -> Plan:
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


def _sometimes_aborted(dice: random.Random) -> PlannedJob:
    counts = {"added": dice.randint(0, 30), "modified": 12, "deleted": 1, "failed": 0, "scanned": 640}
    outcome = "ABORTED" if dice.random() < 0.3 else "SUCCEEDED"  # noqa: PLR2004 (a probability)
    return PlannedJob("", 0, crawl_seconds=40, index_seconds=dice.uniform(10, 30), outcome=outcome, documents=counts)


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
    return _healthy(90, crawl_seconds=15, index_seconds=6)(dice)


def _stuck(name: str, now: float) -> SimulatedDataSource:
    done = [
        PlannedJob(
            make_id("job", name, day), now - day * DAY, 2 * HOUR, HOUR, documents={"scanned": 48_000, "added": 7}
        )
        for day in range(2, 9)
    ]
    stuck = PlannedJob(make_id("job", name), now - 30 * HOUR, 40 * HOUR, 0, None, {"scanned": 48_000, "added": 900})
    return SimulatedDataSource(name, "S3", schedule="cron(0 3 * * ? *)", jobs=[*done, stuck])


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

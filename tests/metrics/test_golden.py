"""The exposition of a few typical and unusual sources, compared with golden files."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.domain.counting.history import fold
from exporter.domain.counting.source_history import PollData
from exporter.domain.documents import Document, DocumentTally
from exporter.domain.model import ContainerFacts, DataSource, Description, Location, Names, SyncJob
from exporter.domain.snapshots import ContainerSnapshot, SourceSnapshot
from exporter.domain.units import HOUR
from exporter.exposition import Exposition, ExpositionCache
from exporter.metrics import ContainerFamilies, SourceFamilies, container_families, source_families
from exporter.providers.qbusiness.service import QBUSINESS
from exporter.runtime import AwsClock
from tests.support.builders import NOON, POLICY, FakeClock, container_id, make_job, make_source, scrape

LATER = NOON + 1000
LOCATION = Location("111122223333", "us-east-1")
GOLDEN = Path(__file__).parents[1] / "golden"
FORMATS = {"exposition.txt": "text/plain", "exposition.openmetrics.txt": "application/openmetrics-text"}


def poll_at(time: float, *jobs: SyncJob) -> PollData:
    """Build the data of a poll at a time."""
    return PollData(jobs, time, time)


def make_snapshot(source: DataSource, name: str, *polls: PollData, polled: bool = True) -> SourceSnapshot:
    """Build the snapshot of a source after some polls."""
    history = None
    for poll in polls:
        history = fold(history, poll, POLICY)
    return SourceSnapshot(source, Names("intranet", name), history, polled, history.as_of if history else None)


def described(snapshot: SourceSnapshot, **members: Any) -> SourceSnapshot:
    """Add labels and the properties of the source itself."""
    facts: dict[str, Any] = {
        "type": "S3",
        "status": "ACTIVE",
        "created": NOON - 90 * 24 * HOUR,
        "schedule": "",
        "updated": NOON - HOUR,
    }
    facts |= {"schedule_since": NOON - HOUR} if members.get("schedule") else {}
    facts |= members
    tags = (("cost-center", 'a "quoted"\nvalue'),)
    source = replace(snapshot.source, labels=(("team", "hr"),))
    description = Description(name="", tags=tags, **facts)
    return replace(snapshot, source=source, container="main", description=description, location=LOCATION)


def index_snapshots() -> list[ContainerSnapshot]:
    """Build an index whose properties are all known, and one with few of them."""
    full = ContainerFacts("main", "ENTERPRISE", "ACTIVE", documents=21_480, text_bytes=143_000_000, units=2)
    full = replace(full, documents_limit=40_000, text_bytes_limit=400_000_000)
    bare = ContainerFacts("side", "STARTER", "MENDING")
    return [
        ContainerSnapshot(
            container_id("app".ljust(36, "0"), name.ljust(36, "0")), "intranet", name, facts, LOCATION, NOON, minimum
        )
        for name, facts, minimum in (("main", full, 10_000), ("side", bare, None))
    ]


def fleet() -> list[SourceSnapshot]:
    """Build sources in different states."""
    running = make_job("r", "SYNCING", started=NOON + 60, lasted=None, added=10, scanned=40)
    indexing = structs.replace(running, status="SYNCING_INDEXING", ended=NOON + 600)
    failed = structs.replace(make_job("f", "FAILED", started=NOON + 60, lasted=90), error_code="InvalidRequest")
    failed = structs.replace(failed, connector_error="SPE-5002", error_message='bad "credentials"\n')
    partly = make_job("p", "INCOMPLETE", started=NOON + 5, lasted=700, modified=993, failed=6)
    empty = poll_at(NOON)
    tally = DocumentTally(QBUSINESS.document_statuses)
    tally.add([Document("a", "INDEXED"), Document("b", "FAILED", error_message="no label"), Document("c", "PAUSED")])
    return [
        described(make_snapshot(make_source(1), "never-synced", empty), schedule="cron(0 3 * * ? *)"),
        described(
            make_snapshot(make_source(2), "syncing", empty, poll_at(LATER, running)), type="CUSTOM", status="UPDATING"
        ),
        make_snapshot(
            make_source(3), "indexing", poll_at(NOON, make_job("o", started=NOON - HOUR)), poll_at(LATER, indexing)
        ),
        described(
            make_snapshot(make_source(4), "failing", empty, poll_at(LATER, failed), polled=False), schedule="hourly"
        ),
        replace(
            described(
                make_snapshot(make_source(5), "partly", empty, poll_at(LATER, partly)), status="PAUSED", schedule=None
            ),
            documents=tally.result(NOON - HOUR),
        ),
        make_snapshot(make_source(6), "odd-status", empty, poll_at(LATER, make_job("q", "PAUSED", started=NOON + 5))),
        make_snapshot(make_source(7), "unreachable-from-the-start", polled=False),
    ]


@pytest.fixture
def page(clock: FakeClock) -> Exposition:
    """Return the page of the fleet, without the metrics of the exporter itself."""
    clock.wall = LATER
    sources, indexes = (
        ExpositionCache(SourceFamilies(QBUSINESS, POLICY.window), clock),
        ExpositionCache(ContainerFamilies(QBUSINESS), clock),
    )
    for source in fleet():
        sources.put(str(source.source.id), source, AwsClock(clock))
    for index in index_snapshots():
        indexes.put(str(index.id), index, AwsClock(clock))
    return Exposition((sources, indexes), CollectorRegistry())


@pytest.mark.parametrize(("file", "accept"), FORMATS.items())
def test_the_exposition_equals_the_golden_file(
    page: Exposition, file: str, accept: str, request: pytest.FixtureRequest
) -> None:
    """Every change is visible in review, and `make generate` accepts it."""
    body, _ = scrape(page, accept)
    if request.config.getoption("rewrite_golden"):
        (GOLDEN / file).write_bytes(body)
    assert body.decode() == (GOLDEN / file).read_text()


def test_both_parsers_read_every_family(page: Exposition) -> None:
    """In both formats, each family has its declared type."""
    declared = {
        family.name.removesuffix("_total"): family.kind
        for family in (*source_families(QBUSINESS), *container_families(QBUSINESS))
    }
    text = parse_text(scrape(page)[0].decode())
    assert {family.name: family.type for family in text} == declared
    openmetrics = parse_openmetrics(scrape(page, "application/openmetrics-text")[0].decode())
    assert {family.name: family.type for family in openmetrics} == declared


def test_promtool_accepts_the_exposition(page: Exposition) -> None:
    """Names, HELP texts and types follow the conventions of Prometheus."""
    body, _ = scrape(page)
    checked = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")

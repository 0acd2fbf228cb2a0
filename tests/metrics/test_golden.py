"""The whole exposition of a few telling sources, held against files that a person has read."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.aws import AwsClock
from exporter.domain.history import fold
from exporter.domain.model import DataSource, Description, IndexFacts, IndexId, Location, Names, SyncJob
from exporter.domain.snapshots import IndexSnapshot, SourceSnapshot
from exporter.domain.source_history import PollData
from exporter.exposition import Exposition, ExpositionCache
from exporter.metrics import FAMILIES, INDEX_FAMILIES, IndexFamilies, SourceFamilies
from tests.support.builders import HOUR, NOON, POLICY, FakeClock, make_job, make_source, scrape

LATER = NOON + 1000
LOCATION = Location("111122223333", "us-east-1")
GOLDEN = Path(__file__).parents[1] / "golden"
FORMATS = {"exposition.txt": "text/plain", "exposition.openmetrics.txt": "application/openmetrics-text"}


def at(moment: float, *jobs: SyncJob) -> PollData:
    """Build what was read at a moment."""
    return PollData(jobs, moment, moment)


def snapshot(source: DataSource, name: str, *readings: PollData, polled: bool = True) -> SourceSnapshot:
    """Build the snapshot that follows from readings."""
    history = None
    for reading in readings:
        history = fold(history, reading, POLICY)
    return SourceSnapshot(source, Names("intranet", name), history, polled, history.as_of if history else None)


def described(shown: SourceSnapshot, **members: Any) -> SourceSnapshot:
    """Add what AWS says of the source itself."""
    facts = {"type": "S3", "status": "ACTIVE", "created": NOON - 90 * 24 * HOUR, "schedule": "", **members}
    tags = (("cost-center", 'a "quoted"\nvalue'),)
    source = replace(shown.source, labels=(("team", "hr"),))
    description = Description(name="", tags=tags, **facts)
    return replace(shown, source=source, index="main", description=description, location=LOCATION)


def index_snapshots() -> list[IndexSnapshot]:
    """Build an index of which all is known, and one of which little is."""
    full = IndexFacts("main", "ENTERPRISE", "ACTIVE", documents=21_480, text_bytes=143_000_000, units=2)
    bare = IndexFacts("side", "STARTER", "MENDING")
    return [
        IndexSnapshot(IndexId("app".ljust(36, "0"), name.ljust(36, "0")), "intranet", name, facts, LOCATION)
        for name, facts in (("main", full), ("side", bare))
    ]


def fleet() -> list[SourceSnapshot]:
    """Build a few sources, each with something that the others have not."""
    running = make_job("r", "SYNCING", started=NOON + 60, lasted=None, added=10, scanned=40)
    indexing = replace(running, status="SYNCING_INDEXING", ended=NOON + 600)
    failed = replace(make_job("f", "FAILED", started=NOON + 60, lasted=90), error_code="InvalidRequest")
    failed = replace(failed, connector_error="SPE-5002", error_message='bad "credentials"\n')
    partly = make_job("p", "INCOMPLETE", started=NOON + 5, lasted=700, modified=993, failed=6)
    nothing = at(NOON)
    return [
        described(snapshot(make_source(1), "never-synced", nothing), schedule="cron(0 3 * * ? *)"),
        described(snapshot(make_source(2), "syncing", nothing, at(LATER, running)), type="CUSTOM", status="UPDATING"),
        snapshot(make_source(3), "indexing", at(NOON, make_job("o", started=NOON - HOUR)), at(LATER, indexing)),
        described(snapshot(make_source(4), "failing", nothing, at(LATER, failed), polled=False), schedule="hourly"),
        described(snapshot(make_source(5), "partly", nothing, at(LATER, partly)), status="PAUSED", schedule=None),
        snapshot(make_source(6), "odd-status", nothing, at(LATER, make_job("q", "PAUSED", started=NOON + 5))),
        snapshot(make_source(7), "unreachable-from-the-start", polled=False),
    ]


@pytest.fixture
def page(clock: FakeClock) -> Exposition:
    """Give the page of the fleet, without the exporter's own metrics."""
    clock.wall = LATER
    sources, indexes = ExpositionCache(SourceFamilies(POLICY.window), clock), ExpositionCache(IndexFamilies(), clock)
    for source in fleet():
        sources.put(str(source.source.id), source, AwsClock(clock))
    for index in index_snapshots():
        indexes.put(str(index.id), index, AwsClock(clock))
    return Exposition((sources, indexes), CollectorRegistry())


@pytest.mark.parametrize(("file", "accept"), FORMATS.items())
def test_the_exposition_is_the_golden_one(
    page: Exposition, file: str, accept: str, request: pytest.FixtureRequest
) -> None:
    """Whoever changes it sees the difference; `make generate` accepts it."""
    body, _ = scrape(page, accept)
    if request.config.getoption("rewrite_golden"):
        (GOLDEN / file).write_bytes(body)
    assert body.decode() == (GOLDEN / file).read_text()


def test_both_parsers_read_every_family(page: Exposition) -> None:
    """In either format, with the type that was declared."""
    declared = {family.name.removesuffix("_total"): family.kind for family in (*FAMILIES, *INDEX_FAMILIES)}
    text = parse_text(scrape(page)[0].decode())
    assert {family.name: family.type for family in text} == declared
    openmetrics = parse_openmetrics(scrape(page, "application/openmetrics-text")[0].decode())
    assert {family.name: family.type for family in openmetrics} == declared


def test_promtool_has_nothing_to_say(page: Exposition) -> None:
    """Names, help texts and types are as Prometheus wants them."""
    body, _ = scrape(page)
    checked = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")

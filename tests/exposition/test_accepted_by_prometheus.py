"""What others make of the page: promtool, and a real Prometheus that ingests a random fleet."""

from __future__ import annotations

import random
import subprocess
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.utils import floatToGoString

from exporter.aws import AwsClock
from exporter.domain.history import fold
from exporter.domain.model import Description, Location, Names, SyncJob
from exporter.domain.snapshots import SourceSnapshot
from exporter.domain.source_history import PollData
from exporter.exposition import Exposition, ExpositionCache
from exporter.metrics import SourceFamilies
from exporter.web.application import AppServices, create_app
from exporter.web.server.server import WebServer
from tests.support.builders import HOUR, NOON, POLICY, FakeClock, make_job, make_source, scrape
from tests.support.harness import eventually
from tests.support.prometheus_server import prometheus, scraping
from tests.support.status_fixtures import Exhibit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from prometheus_client.core import Metric

SOURCES = 100
STATUSES = ["SUCCEEDED", "FAILED", "INCOMPLETE", "ABORTED", "SYNCING", "SYNCING_INDEXING", "PAUSED"]
WORDS = ["intranet", 'quote"d', "back\\slash", "two\nlines", "# HELP qbusiness_fake", "üñï", "a" * 300]
LABELS = ["team", "kostenstelle"]


def random_job(dice: random.Random, number: int) -> SyncJob:
    """Make any job."""
    status = dice.choice(STATUSES)
    lasted = None if "SYNC" in status else dice.choice([None, dice.uniform(0, 40_000)])
    figures = {kind: dice.randrange(10**12) for kind in ("added", "failed", "scanned") if dice.random() < 0.7}
    return make_job(f"job-{number}", status, NOON - dice.uniform(0, 30 * HOUR), lasted, **figures)


def random_snapshot(dice: random.Random, number: int) -> SourceSnapshot:
    """Make a data source with anything between nothing and a past that was watched."""
    jobs = [random_job(dice, n) for n in range(dice.randrange(6))]
    history = fold(None, PollData(tuple(jobs[:2]), NOON - 40 * HOUR, NOON - 40 * HOUR), POLICY)
    history = fold(history, PollData(tuple(jobs), NOON, NOON), POLICY)
    schedule = dice.choice([None, "", "cron(0/30 * * * ? *)", "whenever"])
    tags = tuple((key, dice.choice(WORDS)) for key in LABELS if dice.random() < 0.5)
    description = Description(
        "hr", dice.choice(WORDS), dice.choice(["ACTIVE", "MENDING"]), schedule=schedule, tags=tags
    )
    return SourceSnapshot(
        make_source(number),
        Names(dice.choice(WORDS), dice.choice(WORDS)),
        dice.choice([None, history, history]),
        dice.choice([None, True, False]),
        NOON - dice.uniform(0, HOUR),
        "main",
        dice.choice([None, description, description]),
        Location("111122223333", "us-east-1"),
    )


@pytest.fixture(params=[1, 2])
def page(request: pytest.FixtureRequest, clock: FakeClock) -> Exposition:
    """Give the page of a random fleet."""
    dice = random.Random(request.param)
    section: ExpositionCache[SourceSnapshot] = ExpositionCache(SourceFamilies(POLICY.window), clock)
    for number in range(SOURCES):
        section.put(f"{number:04}", random_snapshot(dice, number), AwsClock(clock))
    return Exposition((section,), CollectorRegistry())


@pytest.fixture
def served(page: Exposition) -> Iterator[str]:
    """Serve the page; give its address."""
    server = WebServer(
        create_app(AppServices(page, Exhibit.of().overview, lambda: None, lambda: None)), ["127.0.0.1:0"]
    )
    server.start()
    yield "{}:{}".format(*server.addresses[0])
    server.stop()


def test_promtool_has_nothing_to_say_of_any_fleet(page: Exposition) -> None:
    """Neither of the form, nor of the names."""
    checked = subprocess.run(["promtool", "check", "metrics"], input=scrape(page)[0], capture_output=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_prometheus_has_every_sample_and_exemplar(page: Exposition, served: str, tmp_path: Path) -> None:
    """The same series with the same values as on the page, none more and none less."""
    families = list(text_string_to_metric_families(scrape(page, "application/openmetrics-text")[0].decode()))
    expected, exemplars = samples(families), exemplars_of(families)
    assert len(expected) > 30 * SOURCES
    assert exemplars
    with prometheus(tmp_path, scraping(served, every="1s")) as server:
        query = '{__name__=~"qbusiness_.+"}'
        eventually(lambda: server.value(f"count({query})") == len(expected))
        found = {
            identity(series["metric"].pop("__name__"), series["metric"]): float(series["value"][1])
            for series in server.ask("query", query=query)["result"]
        }
        assert found == expected
        ingested = server.ask("query_exemplars", query=query, start=NOON - 31 * HOUR, end=NOON + 31 * HOUR)
        ids = {exemplar["labels"]["execution_id"] for series in ingested for exemplar in series["exemplars"]}
        assert ids == exemplars


def identity(name: str, labels: dict[str, str]) -> tuple[str, frozenset[tuple[str, str]]]:
    """Give what tells a series from others; Prometheus's own labels, and empty ones, are none of it."""
    own = {key: value for key, value in labels.items() if key not in {"instance", "job"} and value}
    if "le" in own:
        own["le"] = floatToGoString(float(own["le"]))
    return name, frozenset(own.items())


def samples(families: Iterable[Metric]) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Give every sample by its identity."""
    return {identity(sample.name, sample.labels): sample.value for family in families for sample in family.samples}


def exemplars_of(families: Iterable[Metric]) -> set[str]:
    """Give the executions behind all exemplars."""
    found = (sample.exemplar for family in families for sample in family.samples)
    return {exemplar.labels["execution_id"] for exemplar in found if exemplar}

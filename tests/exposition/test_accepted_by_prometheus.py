"""promtool and a real Prometheus accept the exposition of random data sources, with every sample."""

from __future__ import annotations

import random
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.utils import floatToGoString

from exporter.domain.counting.history import fold
from exporter.domain.counting.source_history import PollData
from exporter.domain.model import Description, Location, Names, SyncJob
from exporter.domain.snapshots import SourceSnapshot
from exporter.domain.units import HOUR
from exporter.exposition import Exposition, ExpositionCache
from exporter.metrics import SourceFamilies
from exporter.providers.qbusiness.service import QBUSINESS
from exporter.runtime import AwsClock
from exporter.web.application import AppServices, create_app
from exporter.web.server.server import WebServer
from tests.support.builders import NOON, POLICY, FakeClock, make_job, make_source, scrape
from tests.support.harness import eventually
from tests.support.prometheus_server import Prometheus, prometheus, scrape_config
from tests.support.status_fixtures import StatusFixture

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from prometheus_client.core import Metric

SEEDS = (1, 2)
SOURCES = 100
STATUSES = ["SUCCEEDED", "FAILED", "INCOMPLETE", "ABORTED", "SYNCING", "SYNCING_INDEXING", "PAUSED"]
LABEL_VALUES = ["intranet", 'quote"d', "back\\slash", "two\nlines", "# HELP qbusiness_fake", "üñï", "a" * 300]
TAGS = ["team", "cost-center"]


def random_job(rng: random.Random, number: int) -> SyncJob:
    """Build a job of any status, age and duration."""
    status = rng.choice(STATUSES)
    lasted = None if "SYNC" in status else rng.choice([None, rng.uniform(0, 40_000)])
    documents = {kind: rng.randrange(10**12) for kind in ("added", "failed", "scanned") if rng.random() < 0.7}
    return make_job(f"job-{number}", status, NOON - rng.uniform(0, 30 * HOUR), lasted, **documents)


def random_snapshot(rng: random.Random, number: int) -> SourceSnapshot:
    """Build a snapshot of a data source, from one that was never polled to one with a history."""
    jobs = [random_job(rng, n) for n in range(rng.randrange(6))]
    history = fold(None, PollData(tuple(jobs[:2]), NOON - 40 * HOUR, NOON - 40 * HOUR), POLICY)
    history = fold(history, PollData(tuple(jobs), NOON, NOON), POLICY)
    schedule = rng.choice([None, "", "cron(0/30 * * * ? *)", "whenever"])
    tags = tuple((key, rng.choice(LABEL_VALUES)) for key in TAGS if rng.random() < 0.5)
    description = Description(
        "hr", rng.choice(LABEL_VALUES), rng.choice(["ACTIVE", "UPDATING"]), schedule=schedule, tags=tags
    )
    return SourceSnapshot(
        make_source(number),
        Names(rng.choice(LABEL_VALUES), rng.choice(LABEL_VALUES)),
        rng.choice([None, history, history]),
        rng.choice([None, True, False]),
        NOON - rng.uniform(0, HOUR),
        "main",
        rng.choice([None, description, description]),
        Location("111122223333", "us-east-1"),
    )


def random_page(seed: int) -> Exposition:
    """Build the exposition of random data sources."""
    rng, clock = random.Random(seed), FakeClock()
    cache: ExpositionCache[SourceSnapshot] = ExpositionCache(SourceFamilies(QBUSINESS, POLICY.window), clock)
    for number in range(SOURCES):
        cache.put(f"{number:04}", random_snapshot(rng, number), AwsClock(clock))
    return Exposition((cache,), CollectorRegistry())


@pytest.fixture(scope="module")
def pages() -> dict[int, Exposition]:
    """Return an exposition for each seed."""
    return {seed: random_page(seed) for seed in SEEDS}


@pytest.fixture(scope="module")
def addresses(pages: Mapping[int, Exposition]) -> Iterator[dict[int, str]]:
    """Serve the expositions over HTTP; return their addresses."""
    with ExitStack() as stack:
        addresses = {}
        for seed, page in pages.items():
            services = AppServices(page, StatusFixture.of().status, lambda: None, lambda: None)
            server = WebServer(create_app(services), ["127.0.0.1:0"])
            server.start()
            stack.callback(server.stop)
            addresses[seed] = "{}:{}".format(*server.addresses[0])
        yield addresses


@pytest.fixture(scope="module")
def server(addresses: Mapping[int, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Run a Prometheus that scrapes all expositions. Prometheus starts to scrape 5 s after it was started."""
    with prometheus(tmp_path_factory.mktemp("prometheus"), scrape_config(*addresses.values(), interval="1s")) as server:
        yield server


@pytest.mark.parametrize("seed", SEEDS)
def test_promtool_finds_no_problem(pages: Mapping[int, Exposition], seed: int) -> None:
    """This includes the format and the names."""
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=scrape(pages[seed])[0], capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


@pytest.mark.trial
@pytest.mark.parametrize("seed", SEEDS)
def test_prometheus_ingests_every_sample_and_exemplar(
    pages: Mapping[int, Exposition], addresses: Mapping[int, str], server: Prometheus, seed: int
) -> None:
    """Prometheus has the series of the exposition, with the same values, and no others."""
    body, _ = scrape(pages[seed], "application/openmetrics-text")
    families = list(text_string_to_metric_families(body.decode()))
    expected, exemplars = samples(families), exemplar_ids(families)
    assert len(expected) > 30 * SOURCES
    assert exemplars
    query = f'{{__name__=~"qbusiness_.+",instance="{addresses[seed]}"}}'
    eventually(lambda: server.value(f"count({query})") == len(expected))
    found = {
        identity(series["metric"].pop("__name__"), series["metric"]): float(series["value"][1])
        for series in server.get("query", query=query)["result"]
    }
    assert found == expected
    ingested = server.get("query_exemplars", query=query, start=NOON - 31 * HOUR, end=NOON + 31 * HOUR)
    ids = {exemplar["labels"]["execution_id"] for series in ingested for exemplar in series["exemplars"]}
    assert ids == exemplars


def identity(name: str, labels: dict[str, str]) -> tuple[str, frozenset[tuple[str, str]]]:
    """Return the identity of a series: its labels, except empty ones and those that Prometheus adds."""
    own = {key: value for key, value in labels.items() if key not in {"instance", "job"} and value}
    if "le" in own:
        own["le"] = floatToGoString(float(own["le"]))
    return name, frozenset(own.items())


def samples(families: Iterable[Metric]) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return the value of every sample by its identity."""
    return {identity(sample.name, sample.labels): sample.value for family in families for sample in family.samples}


def exemplar_ids(families: Iterable[Metric]) -> set[str]:
    """Return the execution ids of all exemplars."""
    exemplars = (sample.exemplar for family in families for sample in family.samples)
    return {exemplar.labels["execution_id"] for exemplar in exemplars if exemplar}

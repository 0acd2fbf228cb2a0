"""The past of a simulated account: what is told of it is what would have been scraped."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from builders import POLICY
from exporter.cli import main
from exporter.cli.asking import Asked
from exporter.config import PollingConfig, TargetConfig
from exporter.host import System
from exporter.lookback import STREAK
from exporter.means import Access, Means
from exporter.metrics import SourceFamilies
from exporter.metrics.past import UNKNOWN
from exporter.model import DOCUMENT_KINDS, IN_PROGRESS, DataSource, IndexId, Location, SourceId
from exporter.names import Names
from exporter.poller import Poller
from exporter.simulator.chance import random_fleet
from exporter.simulator.clock import ManualClock
from exporter.simulator.server import SimulatedQBusiness
from exporter.store import MEMORY, Store

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from exporter.model import SourceSnapshot, SyncJob
    from exporter.simulator.fleet import Fleet

STEP = 300.0
BEGIN = STEP * 6_000_000
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(autouse=True)
def _as_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")


def config_of(service: SimulatedQBusiness, **more: Any) -> dict[str, Any]:
    """Build a configuration that finds everything."""
    target = {"name": "test", "region": "us-east-1", "endpoint_url": service.url}
    pace = {"requests_per_second": 1000, "concurrency": 4}
    buckets = ["1m", "5m", "15m", "1h"]
    return {"targets": [target], "polling": pace, "metrics": {"duration_buckets": buckets}, **more}


def backfill(
    service: SimulatedQBusiness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *flags: str, state: str = MEMORY
) -> str:
    """Run the command, and give what it wrote."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", service.url)
    config, output = tmp_path / "config.yaml", tmp_path / "past.om"
    config.write_text(yaml.safe_dump(config_of(service, state={"path": state})))
    assert main(["backfill", f"--config.file={config}", f"--output={output}", *flags]) == 0
    return output.read_text()


def pages(text: str) -> dict[float, Samples]:
    """Part a file into what a scrape at each moment would have had."""
    lines: Mapping[float, list[str]] = defaultdict(list)
    headers: list[str] = []
    *body, end = text.splitlines()
    assert end == "# EOF"
    family: list[str] = []
    for line in body:
        if line.startswith("# HELP"):
            family = [line]
        elif line.startswith("#"):
            family.append(line)
        else:
            stamp = float(line.rpartition(" ")[2])
            page = lines[stamp]
            if family[0] not in page:
                page += family
            page.append(line)
    assert not headers
    return {
        stamp: {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for found in text_string_to_metric_families("\n".join([*page, "# EOF\n"]))
            for sample in found.samples
        }
        for stamp, page in sorted(lines.items())
    }


class Live:
    """A live exporter's polls on virtual time, and what its page would have had."""

    def __init__(self, service: SimulatedQBusiness) -> None:
        target = TargetConfig.model_validate({"name": "test", "region": "us-east-1", "endpoint_url": service.url})
        asked = Asked(target, PollingConfig.model_validate({"requests_per_second": 1000}))
        store = Store(MEMORY, lambda: None)
        host = System()
        means = Means("test", asked.provider, store, Names(store, host), Access("test"), host)
        self._poller = Poller(means, self, POLICY)
        self.shown: dict[SourceId, SourceSnapshot] = {}
        self._sources = []
        for application, index, source in service.fleet.data_sources():
            named = DataSource("test", SourceId(application.id, index.id, source.id))
            listed = asked.provider.data_sources(IndexId(application.id, index.id)).items[source.id]
            self._poller.watch(named)
            self._poller.describe(named, index.name, listed)
            self._sources.append(named)

    def scrape(self, now: float) -> dict[str, Samples]:
        """Poll everything, and give the samples of each source, by its id."""
        for source in self._sources:
            assert self._poller.poll(source).succeeded
        families = SourceFamilies(POLICY.window)
        found: dict[str, Samples] = {}
        for key, snapshot in self.shown.items():
            shown = replace(snapshot, location=Location("111122223333", "us-east-1"))
            found[key.data_source_id] = {
                (sample.name, frozenset(sample.labels.items())): sample.value
                for part in range(len(families.parts(shown)))
                for metric in families.collect(shown, now, part)
                for sample in metric.samples
            }
        return found

    def publish(self, snapshot: SourceSnapshot) -> None:
        """Note."""
        self.shown[snapshot.source.id] = snapshot

    def polled(self) -> None:
        """Not counted."""

    def failed(self, reason: object) -> None:
        """Not counted: polls are asserted to work."""

    def ended(self, job: SyncJob) -> None:
        """Not counted."""


def remembering(fleet: Fleet) -> Fleet:
    """Let the service list everything that ever was."""
    for _, _, source in fleet.data_sources():
        if source.routine:
            source.routine = replace(source.routine, remembered=10**6)
    return fleet


def as_told(live: Samples) -> Samples:
    """Give what can be known of a page afterwards: that a job was in progress, and not how."""
    told: Samples = {}
    for (name, labels), value in live.items():
        status = dict(labels).get("status")
        kept = labels
        if name in {"qbusiness_sync_jobs", "qbusiness_sync_status"} and status in IN_PROGRESS:
            told.setdefault((name, labels), 0.0)
            kept = labels - {("status", status)} | {("status", "SYNCING")}
        if name not in UNKNOWN:
            told[name, kept] = told.get((name, kept), 0.0) + value
    return told


def value(samples: Samples, name: str) -> float:
    """Give the sum of a name's samples."""
    return sum(value for (sample, _), value in samples.items() if sample == name)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_past_is_told_as_it_would_have_been_scraped(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every step, every figure that can be known; documents wherever nothing is in progress."""
    steps, clock = 60, ManualClock(BEGIN)
    fleet = remembering(random_fleet(seed, 10, BEGIN, odd=False))
    with SimulatedQBusiness(fleet, clock) as service:
        live, scraped = Live(service), {}
        for number in range(steps):
            now = BEGIN + number * STEP
            clock.set(now)
            scraped[now] = live.scrape(now)
        clock.advance(10)
        text = backfill(service, tmp_path, monkeypatch, f"--since={int(steps * STEP)}s")
    told = pages(text)
    compared = 0
    for now, sources in scraped.items():
        for identifier, samples in sources.items():
            mine = {key: value for key, value in told[now].items() if ("data_source_id", identifier) in key[1]}
            expected = as_told(samples)
            began_idle = value(scraped[BEGIN][identifier], "qbusiness_sync_running") == 0
            for kind in DOCUMENT_KINDS:
                name = f"qbusiness_documents_{kind}_total"
                assert value(mine, name) <= value(expected, name) or not began_idle
                if not began_idle or value(samples, "qbusiness_sync_running"):
                    mine = {key: v for key, v in mine.items() if key[0] != name}
                    expected = {key: v for key, v in expected.items() if key[0] != name}
            streak = "qbusiness_consecutive_failed_syncs"
            if value(expected, streak) >= STREAK - 5:  # a first poll reads no further back
                assert value(mine, streak) >= value(expected, streak)
                mine, expected = ({k: v for k, v in page.items() if k[0] != streak} for page in (mine, expected))
            if mine:
                # Sums of seconds differ in what floating point makes of the order in which they were added up.
                mine, expected = ({k: round(v, 3) for k, v in page.items()} for page in (mine, expected))
                assert mine.items() ^ expected.items() == set(), (now, identifier)
                compared += len(mine)
    assert compared > 10_000

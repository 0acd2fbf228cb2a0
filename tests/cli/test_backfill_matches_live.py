"""Backfilled samples equal the samples of an exporter that polled and was scraped at every step."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exporter.backfill.families import ABSENT
from exporter.cli.oneshot import OneShotTarget
from exporter.config import PollingConfig, parse_target
from exporter.domain.model import DOCUMENT_KINDS, IN_PROGRESS, DataSource, Location
from exporter.metrics import SourceFamilies
from exporter.polling.job_accumulator import MAX_STREAK_LOOKBACK
from exporter.polling.poller import Poller
from exporter.polling.watched_sources import WatchedSources
from exporter.providers.qbusiness.service import QBUSINESS
from exporter.runtime import System
from exporter.simulator.server import SimulatedEndpoint
from tests.support.backfill_command import BackfillCommand, samples_by_time, total
from tests.support.builders import POLICY, container_id, source_id
from tests.support.contexts import RecordingPublisher, make_context
from tests.support.manual_clock import ManualClock
from tests.support.random_fleet import random_fleet

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from exporter.domain.model import SyncJob
    from exporter.domain.snapshots import SourceSnapshot
    from exporter.simulator.fleet import Fleet
    from exporter.store import Store
    from tests.support.backfill_command import Samples

STEP, STEPS = 300.0, 40
BEGIN = STEP * 6_000_000
STREAKS = ("qbusiness_consecutive_failed_syncs", "qbusiness_consecutive_syncs_without_content")


class LivePoller:
    """Polls all data sources of a service on demand, and returns what scrapes would return."""

    def __init__(self, service: SimulatedEndpoint, store: Store) -> None:
        target = parse_target({"name": "test", "region": "us-east-1", "endpoint_url": service.url})
        provider = OneShotTarget(target, PollingConfig.model_validate({"requests_per_second": 1000})).provider
        self._publisher = RecordingPublisher()
        context = make_context(provider, store, System(), self._publisher, target="test")
        watched = WatchedSources(context, POLICY)
        self._poller = Poller(context, watched, self, POLICY)
        self._sources = []
        for application, index, simulated in service.fleet.data_sources():
            source = DataSource("test", source_id(application.id, index.id, simulated.id))
            listed = provider.data_sources(container_id(application.id, index.id)).items[simulated.id]
            watched.watch(source)
            watched.describe(source.id, index.name, listed)
            self._sources.append(source)

    def scrape(self, now: float) -> dict[str, Samples]:
        """Poll everything, and return the samples of each data source by its id."""
        for source in self._sources:
            assert self._poller.poll(source).succeeded
        latest = {snapshot.source.id.data_source_id: snapshot for snapshot in self._publisher.sources}
        return {source: _samples(snapshot, now) for source, snapshot in latest.items()}

    def began(self, source: DataSource) -> None:
        """Ignore it."""

    def polled(self) -> None:
        """Ignore a poll."""

    def failed(self, reason: object) -> None:
        """Ignore a failed poll: `scrape` fails then."""

    def ended(self, job: SyncJob) -> None:
        """Ignore a job that ended."""


def _samples(snapshot: SourceSnapshot, now: float) -> Samples:
    families = SourceFamilies(QBUSINESS, POLICY.window)
    located = replace(snapshot, location=Location("111122223333", "us-east-1"))
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for part in range(len(families.part_inputs(located)))
        for metric in families.collect(located, now, part)
        for sample in metric.samples
    }


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


@pytest.mark.trial
@pytest.mark.parametrize("seed", [1, 2])
def test_backfilled_samples_equal_live_ones(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    """At every step, for every family that a backfill can fill."""
    clock = ManualClock(BEGIN)
    with SimulatedEndpoint(_with_all_jobs_listed(random_fleet(seed, 10, BEGIN, odd=False)), clock) as service:
        poller, live = LivePoller(service, store), {}
        for number in range(STEPS):
            now = BEGIN + number * STEP
            clock.set(now)
            live[now] = poller.scrape(now)
        clock.advance(10)
        text = BackfillCommand(service, tmp_path).run(monkeypatch, f"--since={int(STEPS * STEP)}s")
    backfilled = samples_by_time(text)
    compared = 0
    for now, sources in live.items():
        for source, samples in sources.items():
            actual = {key: value for key, value in backfilled[now].items() if ("data_source_id", source) in key[1]}
            began_idle = total(live[BEGIN][source], "qbusiness_sync_running") == 0
            compared += _compare(actual, _as_backfilled(samples), samples, began_idle=began_idle)
    assert compared > 10_000


def _with_all_jobs_listed(fleet: Fleet) -> Fleet:
    """Change the fleet so that it lists all jobs, including the oldest; return it."""
    for _, _, source in fleet.data_sources():
        if source.routine:
            source.routine = replace(source.routine, max_listed=10**6)
    return fleet


def _as_backfilled(live: Samples) -> Samples:
    """Return the samples that a backfill has instead: jobs in progress are SYNCING, and unknown families are absent."""
    expected: Samples = {}
    for (name, labels), value in live.items():
        status, backfilled_labels = dict(labels).get("status"), labels
        if name in {"qbusiness_sync_jobs", "qbusiness_sync_status"} and status in IN_PROGRESS:
            expected.setdefault((name, labels), 0.0)
            backfilled_labels = labels - {("status", status)} | {("status", "SYNCING")}
        if name.removeprefix("qbusiness_") not in ABSENT:
            expected[name, backfilled_labels] = expected.get((name, backfilled_labels), 0.0) + value
    return expected


def _compare(actual: Samples, expected: Samples, live: Samples, *, began_idle: bool) -> int:
    """Compare the samples of one data source at one time; return the number of samples compared."""
    if not actual:
        return 0
    ignored = set()
    for name in (f"qbusiness_documents_{kind}_total" for kind in DOCUMENT_KINDS):
        # Backfilled documents increase when a job ends. A job that was running at the first sample adds none.
        assert total(actual, name) <= total(expected, name) or not began_idle
        if not began_idle or total(live, "qbusiness_sync_running"):
            ignored.add(name)
    for name in STREAKS:
        if total(expected, name) >= MAX_STREAK_LOOKBACK - 5:  # the first live poll reads no further back
            assert total(actual, name) >= total(expected, name)
            ignored.add(name)
    compared = _rounded(actual, ignored)
    assert compared.items() ^ _rounded(expected, ignored).items() == set()
    return len(compared)


def _rounded(samples: Samples, ignored: Collection[str]) -> Samples:
    """Round the values: sums of seconds differ in the last digits, depending on the order of the additions."""
    return {key: round(value, 3) for key, value in samples.items() if key[0] not in ignored}

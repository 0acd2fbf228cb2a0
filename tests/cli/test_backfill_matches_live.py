"""Backfilled samples equal the samples of an exporter that polled and was scraped at every step."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from exporter.backfill.families import ABSENT
from exporter.cli.oneshot import OneShotTarget
from exporter.config import PollingConfig, parse_target
from exporter.domain.model import DOCUMENT_KINDS, IN_PROGRESS, TERMINAL, DataSource, Location, SourceId
from exporter.domain.service import Use
from exporter.metrics import SourceFamilies
from exporter.polling.job_accumulator import MAX_STREAK_LOOKBACK
from exporter.polling.poller import Poller
from exporter.polling.watched_sources import WatchedSources
from exporter.providers.registry import DEFAULT_SERVICE
from exporter.runtime import System
from exporter.simulator.apis import traits_of
from exporter.simulator.server import SimulatedEndpoint
from tests.support.backfill_command import BackfillCommand, samples_by_time, total
from tests.support.builders import POLICY
from tests.support.contexts import RecordingPublisher, make_context
from tests.support.manual_clock import ManualClock
from tests.support.provider_rig import CASES
from tests.support.random_fleet import TRAITS, random_fleet
from tests.support.request_log import logged_requests

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from exporter.domain.model import SyncJob
    from exporter.domain.snapshots import SourceSnapshot
    from exporter.simulator.fleet import Fleet
    from exporter.store import Store
    from tests.support.backfill_command import Samples
    from tests.support.service_case import ServiceCase

STEP, STEPS = 300.0, 40
BEGIN = STEP * 6_000_000
STREAKS = ("consecutive_failed_syncs", "consecutive_syncs_without_content")


class LivePoller:
    """Polls all data sources of a service on demand, and returns what scrapes would return."""

    def __init__(self, case: ServiceCase, service: SimulatedEndpoint, store: Store) -> None:
        policy = replace(POLICY, error_codes=case.service.error_codes)
        settings = {"name": "test", "service": str(case), "region": "us-east-1", "endpoint_url": service.url}
        polling = PollingConfig.model_validate({"requests_per_second": 1000})
        provider = OneShotTarget(parse_target(settings), polling).provider
        self._publisher = RecordingPublisher()
        context = make_context(provider, store, System(), self._publisher, target="test", service=case.service)
        watched = WatchedSources(context, policy)
        self._poller = Poller(context, watched, self, policy)
        self._sources = []
        for ids in service.fleet.data_sources():
            path = tuple(case.wire_id(each.id) for each in ids)[-len(case.service.levels) :]
            source = DataSource("test", SourceId(case.service, path))
            listed = provider.data_sources(source.id.container).items[source.id.own]
            watched.watch(source)
            watched.describe(source.id, ids[1].name, listed)
            self._sources.append(source)

    def read_outcomes(self, case: ServiceCase, service: SimulatedEndpoint) -> None:
        """Poll until no poll requests an outcome, because each poll requests only a few outcomes of past jobs."""
        if not case.service.has(Use.SYNC_JOB):
            return
        requested, operation = -1, case.service.action(Use.SYNC_JOB)
        while requested != (requested := len(logged_requests(service, operation))):
            self._poll()

    def scrape(self, now: float) -> dict[str, Samples]:
        """Poll everything, and return the samples of each data source by its id."""
        self._poll()
        latest = {snapshot.source.id.data_source_id: snapshot for snapshot in self._publisher.sources}
        return {source: _samples(snapshot, now) for source, snapshot in latest.items()}

    def _poll(self) -> None:
        for source in self._sources:
            assert self._poller.poll(source).succeeded

    def began(self, source: DataSource) -> None:
        """Ignore it."""

    def polled(self) -> None:
        """Ignore a poll."""

    def failed(self, reason: object) -> None:
        """Ignore a failed poll: `scrape` fails then."""

    def ended(self, job: SyncJob) -> None:
        """Ignore a job that ended."""


def _samples(snapshot: SourceSnapshot, now: float) -> Samples:
    families = SourceFamilies(snapshot.source.id.service, POLICY.window)
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
@pytest.mark.parametrize("case", CASES, ids=str)
def test_backfilled_samples_equal_live_ones(
    case: ServiceCase, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    """At every step, for every family that a backfill can fill."""
    clock, compared = ManualClock(BEGIN), Comparison(str(case))
    traits = traits_of(str(case)) if case.service is not DEFAULT_SERVICE else TRAITS
    fleet = _with_all_jobs_listed(random_fleet(seed, 10, BEGIN, traits, odd=False))
    with SimulatedEndpoint(fleet, clock, case.make_api) as service:
        poller, live = LivePoller(case, service, store), {}
        poller.read_outcomes(case, service)
        for number in range(STEPS):
            now = BEGIN + number * STEP
            clock.set(now)
            live[now] = poller.scrape(now)
        clock.advance(10)
        text = BackfillCommand(service, tmp_path, str(case)).run(monkeypatch, f"--since={int(STEPS * STEP)}s")
    backfilled = samples_by_time(text)
    for now, sources in live.items():
        for source, samples in sources.items():
            actual = {key: value for key, value in backfilled[now].items() if ("data_source_id", source) in key[1]}
            compared.add(actual, samples, began_idle=total(live[BEGIN][source], f"{case}_sync_running") == 0)
    assert compared.samples > 10_000
    assert compared.statuses == set(TERMINAL)


def _with_all_jobs_listed(fleet: Fleet) -> Fleet:
    """Change the fleet so that it lists all jobs, including the oldest; return it."""
    for _, _, source in fleet.data_sources():
        if source.routine:
            source.routine = replace(source.routine, max_listed=10**6)
    return fleet


@dataclass
class Comparison:
    """Compares the samples of a service; counts them, and the statuses of the jobs that have completed."""

    prefix: str
    samples: int = 0
    statuses: set[str] = field(default_factory=set)

    def add(self, actual: Samples, live: Samples, *, began_idle: bool) -> None:
        """Compare the samples of one data source at one time."""
        if not actual:
            return
        expected, ignored = self._as_backfilled(live), set()
        for name in (f"{self.prefix}_documents_{kind}_total" for kind in DOCUMENT_KINDS):
            # Backfilled documents increase when a job ends. A job that was running at the first sample adds none.
            assert total(actual, name) <= total(expected, name) or not began_idle
            if not began_idle or total(live, f"{self.prefix}_sync_running"):
                ignored.add(name)
        for name in (f"{self.prefix}_{streak}" for streak in STREAKS):
            if total(expected, name) >= MAX_STREAK_LOOKBACK - 5:  # the first live poll reads no further back
                assert total(actual, name) >= total(expected, name)
                ignored.add(name)
        compared = _rounded(actual, ignored)
        assert compared.items() ^ _rounded(expected, ignored).items() == set()
        self.samples += len(compared)
        completed = f"{self.prefix}_sync_jobs_completed_total"
        counts = ((dict(labels)["status"], count) for (name, labels), count in actual.items() if name == completed)
        self.statuses |= {status for status, count in counts if count}

    def _as_backfilled(self, live: Samples) -> Samples:
        """Return the samples that a backfill has instead.

        Jobs in progress are SYNCING, and unknown families are absent.
        """
        expected: Samples = {}
        by_status = {f"{self.prefix}_sync_jobs", f"{self.prefix}_sync_status"}
        for (name, labels), value in live.items():
            status, backfilled_labels = dict(labels).get("status"), labels
            if name in by_status and status in IN_PROGRESS:
                expected.setdefault((name, labels), 0.0)
                backfilled_labels = labels - {("status", status)} | {("status", "SYNCING")}
            if name.removeprefix(f"{self.prefix}_") not in ABSENT:
                expected[name, backfilled_labels] = expected.get((name, backfilled_labels), 0.0) + value
        return expected


def _rounded(samples: Samples, ignored: Collection[str]) -> Samples:
    """Round the values: sums of seconds differ in the last digits, depending on the order of the additions."""
    return {key: round(value, 3) for key, value in samples.items() if key[0] not in ignored}

"""Snapshots of data sources in all states, and the status document of a set of snapshots."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from msgspec import structs
from prometheus_client import CollectorRegistry

from exporter.config import ObjectiveConfig
from exporter.domain.counting.history import fold
from exporter.domain.counting.source_history import Histogram, PollData
from exporter.domain.model import ContainerFacts, Description, Location, Names
from exporter.domain.snapshots import ContainerSnapshot, SourceSnapshot
from exporter.domain.units import DAY, HOUR
from exporter.exposition import Exposition, ExpositionCache
from exporter.metrics import ContainerFamilies, SourceFamilies
from exporter.providers.qbusiness.service import QBUSINESS
from exporter.runtime import AwsClock
from exporter.status.data_sources import AssessmentSettings
from exporter.status.document import StatusDocument
from exporter.status.health import ExporterHealth, TargetHealth
from tests.support.builders import NOON, POLICY, FakeClock, container_id, make_job, make_source, scrape

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.domain.model import SyncJob

T = TypeVar("T")
LOCATION = Location("111122223333", "us-east-1")
DAILY = "cron(0 2 * * ? *)"
OBJECTIVES = (ObjectiveConfig.model_validate({"match": {"data_source": "expected-*"}, "expected_every": "1d"}),)
DESCRIPTION = Description("", "SHAREPOINTV2", "ACTIVE", NOON - 100 * DAY, schedule="")


def make_snapshot(number: int, name: str, *jobs: SyncJob, polled: float = 0.0, **description: Any) -> SourceSnapshot:
    """Return a source that was polled `polled` seconds before NOON; `description` replaces properties."""
    at = NOON - polled
    history = fold(None, PollData(jobs, at, at), POLICY)
    described = replace(DESCRIPTION, **description)
    return SourceSnapshot(make_source(number), Names("intranet", name), history, True, at, "main", described, LOCATION)  # noqa: FBT003 (a field of a record)


def ended_job(status: str, ago: float, number: int = 0, lasted: float = 600.0, **documents: int) -> SyncJob:
    """Return a job that ended `ago` seconds before NOON."""
    return make_job(f"{status}-{number}", status, NOON - ago - lasted, lasted, **documents)


def running_job(ago: float, status: str = "SYNCING", **documents: int) -> SyncJob:
    """Return a job in progress that started `ago` seconds before NOON."""
    return make_job("running", status, NOON - ago, None, **documents)


def with_durations(snapshot: SourceSnapshot, seconds: float, times: int) -> SourceSnapshot:
    """Return a source whose counted syncs had this duration."""
    assert snapshot.history
    counts = (*(0 for _ in POLICY.duration_buckets), times)
    histogram = structs.replace(Histogram.empty(POLICY.duration_buckets), counts=counts, sum=seconds * times)
    return replace(snapshot, history=replace(snapshot.history, durations={"SUCCEEDED": histogram}))


def example_sources() -> list[SourceSnapshot]:
    """Return data sources that meet the condition of an alert, or just miss it."""
    fine = ended_job("SUCCEEDED", 2 * HOUR, scanned=100)
    failed = [ended_job("FAILED", (n + 1) * HOUR, n) for n in range(4)]
    incomplete = [ended_job("INCOMPLETE", (n + 0.5) * DAY, n, scanned=100, failed=1) for n in range(9)]
    aborted = [ended_job("ABORTED", (n + 1) * HOUR, n) for n in range(5)]
    nothing = ended_job("SUCCEEDED", HOUR, added=0, scanned=120)
    first_added = structs.replace(nothing.documents, added=1)
    unpolled = replace(make_snapshot(1, "unpolled"), history=None, polled_at=None)
    sources = [
        make_snapshot(1, "fine", fine),
        make_snapshot(2, "failed-once", fine, failed[0]),
        make_snapshot(3, "failed-twice", *failed[:2]),
        make_snapshot(4, "failed-thrice", *failed[:3]),
        make_snapshot(5, "old", ended_job("SUCCEEDED", 5 * DAY, scanned=9), schedule=DAILY),
        make_snapshot(6, "never-succeeded", *failed, schedule=DAILY),
        make_snapshot(7, "never-succeeded-and-new", *failed, schedule=DAILY, created=NOON - HOUR),
        make_snapshot(
            8, "only-incomplete", ended_job("SUCCEEDED", 10 * DAY), *incomplete, schedule="cron(0/30 * * * ? *)"
        ),
        make_snapshot(9, "daily-incomplete", ended_job("SUCCEEDED", 10 * DAY), *incomplete, schedule=DAILY),
        make_snapshot(10, "overdue", ended_job("SUCCEEDED", 13 * HOUR, scanned=9), schedule="cron(0 2 * * ? *)"),
        make_snapshot(
            11,
            "running-since-firing",
            ended_job("SUCCEEDED", 13 * HOUR, scanned=9),
            running_job(2 * HOUR),
            schedule=DAILY,
        ),
        make_snapshot(12, "not-polled-since-firing", fine, schedule="cron(0 12 * * ? *)", polled=20 * DAY),
        make_snapshot(13, "never-synced", schedule=DAILY),
        make_snapshot(14, "never-synced-and-new", schedule=DAILY, created=NOON - HOUR),
        make_snapshot(15, "never-synced-on-demand"),
        make_snapshot(16, "running-too-long", running_job(25 * HOUR)),
        make_snapshot(17, "running-long", running_job(23 * HOUR)),
        with_durations(make_snapshot(18, "slower", running_job(2 * HOUR)), 1200, 5),
        with_durations(make_snapshot(19, "slower-than-few-syncs", running_job(2 * HOUR)), 1200, 4),
        with_durations(make_snapshot(20, "slower-but-short", running_job(HOUR / 2)), 60, 50),
        make_snapshot(21, "incomplete", ended_job("INCOMPLETE", HOUR, scanned=100, failed=6)),
        make_snapshot(22, "hardly-incomplete", ended_job("INCOMPLETE", HOUR, scanned=100, failed=5)),
        make_snapshot(23, "incomplete-of-changed", ended_job("INCOMPLETE", HOUR, added=3, modified=1, failed=1)),
        make_snapshot(24, "incomplete-of-nothing", ended_job("INCOMPLETE", HOUR, scanned=0, failed=0)),
        make_snapshot(25, "failed-documents-of-a-failure", ended_job("FAILED", HOUR, scanned=10, failed=9)),
        make_snapshot(26, "scanned-nothing", ended_job("SUCCEEDED", HOUR, scanned=0)),
        make_snapshot(27, "not-reported", ended_job("SUCCEEDED", HOUR, added=0)),
        make_snapshot(28, "deleted", ended_job("SUCCEEDED", HOUR, scanned=300, deleted=100)),
        make_snapshot(29, "deleted-of-changed", ended_job("SUCCEEDED", HOUR, added=300, deleted=100)),
        make_snapshot(30, "deleted-few", ended_job("SUCCEEDED", HOUR, scanned=300, deleted=99)),
        make_snapshot(31, "deleted-small-ratio", ended_job("SUCCEEDED", HOUR, scanned=400, deleted=100)),
        make_snapshot(32, "deleted-long-ago", ended_job("SUCCEEDED", 2 * DAY, scanned=300, deleted=100)),
        make_snapshot(33, "not-active", fine, status="FAILED"),
        make_snapshot(34, "schedule-not-parsed", fine, schedule="whenever"),
        replace(make_snapshot(35, "stale", fine, polled=HOUR), poll_succeeded=False),
        replace(make_snapshot(36, "stale-and-failed", *failed[1:], polled=HOUR), poll_succeeded=False),
        replace(unpolled, source=make_source(37), names=Names("intranet", "never-polled"), poll_succeeded=False),
        replace(unpolled, source=make_source(38), names=Names("intranet", "waiting"), poll_succeeded=None),
        replace(make_snapshot(39, "restarted", fine, polled=HOUR), poll_succeeded=None),
        make_snapshot(
            40, "schedule-ended", ended_job("SUCCEEDED", 90 * DAY, scanned=9), schedule="cron(0 2 1 1 ? 2020)"
        ),
        make_snapshot(41, "unknown-status", make_job("odd", "PONDERING", NOON - HOUR, None)),
        make_snapshot(42, "aborted", ended_job("ABORTED", HOUR)),
        make_snapshot(43, "end-not-reported", make_job("x", "SUCCEEDED", NOON - HOUR, None, scanned=5)),
        make_snapshot(
            44, "delayed", ended_job("SUCCEEDED", 50 * HOUR, scanned=9), running_job(3 * HOUR), schedule=DAILY
        ),
        make_snapshot(
            45,
            "delayed-and-started-late",
            ended_job("SUCCEEDED", 60 * HOUR, scanned=9),
            running_job(3 * HOUR),
            schedule=DAILY,
        ),
        make_snapshot(
            46, "delayed-too-long", ended_job("SUCCEEDED", 60 * HOUR, scanned=9), running_job(25 * HOUR), schedule=DAILY
        ),
        make_snapshot(47, "first-sync-running", running_job(HOUR), schedule=DAILY),
        make_snapshot(48, "aborted-repeatedly", *aborted),
        make_snapshot(49, "aborted-four-times", *aborted[:4]),
        make_snapshot(50, "aborted-after-content", fine, *aborted[:4]),
        make_snapshot(51, "failed-and-aborted", *aborted, *(ended_job("FAILED", n * HOUR + 60, n) for n in range(3))),
        make_snapshot(52, "succeeded-with-failed", ended_job("SUCCEEDED", HOUR, scanned=100, failed=40)),
        make_snapshot(53, "failed-documents-long-ago", ended_job("SUCCEEDED", DAY, scanned=100, failed=40)),
        make_snapshot(54, "first-added-nothing", nothing, created=NOON - 3 * HOUR),
        make_snapshot(55, "first-added-one", structs.replace(nothing, documents=first_added), created=NOON - 3 * HOUR),
        make_snapshot(56, "added-nothing-later", nothing, created=NOON - 2 * DAY),
    ]
    ids = [snapshot.source.id for snapshot in sources]
    assert len(set(ids)) == len(ids)
    return sources


TARGET = TargetHealth(
    name="production",
    service="qbusiness",
    account="111122223333",
    region="us-east-1",
    is_up=True,
    last_error="",
    now=NOON,
    data_sources=1,
    polled=1,
    polls=120,
    poll_failures=3,
    lag=0.0,
    request_rate=1.25,
    request_rate_allowed=5.0,
    request_rate_limit=5.0,
    discovers=True,
    discovery_succeeded=True,
    discovered_at=NOON - 60,
)
HEALTH = ExporterHealth(
    version="1.2.3",
    revision="0123abc",
    now=NOON,
    started_at=NOON - DAY,
    unready=None,
    targets=(TARGET,),
    state_path="state.db",
    state_is_written=True,
    config_file="config.yaml",
    config_is_current=True,
    config_loaded_at=NOON - DAY,
)


@dataclass
class FakePublishedSnapshots(Generic[T]):
    """Published snapshots by their ids."""

    clock: AwsClock
    by_id: dict[object, T] = field(default_factory=dict)

    def snapshots(self) -> list[tuple[T, AwsClock]]:
        """Return all snapshots with the clock."""
        return [(snapshot, self.clock) for snapshot in self.by_id.values()]


@dataclass
class StatusFixture:
    """A status document, with all of its inputs."""

    clock: FakeClock
    sources: FakePublishedSnapshots[SourceSnapshot]
    indexes: FakePublishedSnapshots[ContainerSnapshot]
    status: StatusDocument
    health: ExporterHealth = HEALTH

    @classmethod
    def of(cls, snapshots: Iterable[SourceSnapshot] = (), indexes: Iterable[ContainerSnapshot] = ()) -> StatusFixture:
        """Publish data sources and indexes at NOON."""
        clock = FakeClock()
        sources = FakePublishedSnapshots(AwsClock(clock), {each.source.id: each for each in snapshots})
        index_snapshots = FakePublishedSnapshots(AwsClock(clock), {each.id: each for each in indexes})
        fixture = cls(
            clock,
            sources,
            index_snapshots,
            StatusDocument(sources, index_snapshots, lambda: fixture.health, AssessmentSettings(DAY, OBJECTIVES, 1800)),
        )
        return fixture

    def metrics(self) -> bytes:
        """Return the metrics page of the same data sources and indexes."""
        sources: ExpositionCache[SourceSnapshot] = ExpositionCache(
            SourceFamilies(QBUSINESS, DAY, OBJECTIVES), self.clock
        )
        indexes: ExpositionCache[ContainerSnapshot] = ExpositionCache(ContainerFamilies(QBUSINESS), self.clock)
        for source, clock in self.sources.snapshots():
            sources.put(str(source.source.id), source, clock)
        for index, clock in self.indexes.snapshots():
            indexes.put(str(index.id), index, clock)
        return scrape(Exposition((sources, indexes), CollectorRegistry()))[0]

    def publish(self, snapshot: SourceSnapshot) -> None:
        """Publish a snapshot, which replaces the previous one of the same source."""
        self.sources.by_id[snapshot.source.id] = snapshot

    def remove(self, snapshot: SourceSnapshot) -> None:
        """Remove a source."""
        del self.sources.by_id[snapshot.source.id]


def alerting(problems: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the problems whose alerts fire: a source has all its problems on the page, but sends one page."""
    critical = [problem for problem in problems if problem["severity"] == "critical"]
    return [problem for problem in problems if problem not in critical[1:]]


def make_container_snapshot(
    number: int = 1, name: str = "main", min_documents: float | None = None, **facts: Any
) -> ContainerSnapshot:
    """Return an index that is almost empty; `facts` replaces some of its values. It has no limits without units."""
    index_facts = replace(ContainerFacts(name, "ENTERPRISE", "ACTIVE", "", 100, 10**6, 1), **facts)
    if index_facts.units is not None:
        units = index_facts.units
        index_facts = replace(index_facts, documents_limit=units * 20_000, text_bytes_limit=units * 200 * 10**6)
    identifier = container_id(f"app{number}", f"idx{number}")
    return ContainerSnapshot(identifier, "intranet", name, index_facts, LOCATION, NOON, min_documents)

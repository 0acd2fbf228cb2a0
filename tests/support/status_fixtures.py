"""Data sources with a story each, as the scrape half gets to see them, and an overview of some."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from exporter.aws import AwsClock
from exporter.domain.history import fold
from exporter.domain.model import Description, IndexFacts, IndexId, Location, Names
from exporter.domain.snapshots import IndexSnapshot, SourceSnapshot
from exporter.domain.source_history import Histogram, PollData
from exporter.status import AssessmentSettings, ExporterHealth, StatusDocument, TargetHealth
from tests.support.builders import HOUR, NOON, POLICY, FakeClock, make_job, make_source

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.domain.model import SyncJob

T = TypeVar("T")
DAY = 24 * HOUR
HERE = Location("111122223333", "us-east-1")
DAILY = "cron(0 2 * * ? *)"
FOUND = Description("", "SHAREPOINTV2", "ACTIVE", NOON - 100 * DAY, schedule="")


def shown(number: int, name: str, *jobs: SyncJob, polled: float = 0.0, **description: Any) -> SourceSnapshot:
    """Build a source that was polled so many seconds before NOON; `about` changes what AWS says of it."""
    at = NOON - polled
    history = fold(None, PollData(jobs, at, at), POLICY)
    described = replace(FOUND, **description)
    return SourceSnapshot(make_source(number), Names("intranet", name), history, True, at, "main", described, HERE)  # noqa: FBT003 (a record)


def ended(status: str, ago: float, number: int = 0, lasted: float = 600.0, **documents: int) -> SyncJob:
    """Build a job that ended some time before NOON."""
    return make_job(f"{status}-{number}", status, NOON - ago - lasted, lasted, **documents)


def begun(ago: float, status: str = "SYNCING", **documents: int) -> SyncJob:
    """Build a job that began some time before NOON and goes on."""
    return make_job("running", status, NOON - ago, None, **documents)


def usually(snapshot: SourceSnapshot, seconds: float, times: int) -> SourceSnapshot:
    """Let so many syncs that took so long have been counted."""
    assert snapshot.history
    counts = (*(0 for _ in POLICY.duration_buckets), times)
    histogram = replace(Histogram.empty(POLICY.duration_buckets), counts=counts, sum=seconds * times)
    return replace(snapshot, history=replace(snapshot.history, durations={"SUCCEEDED": histogram}))


def stories() -> list[SourceSnapshot]:
    """Give data sources, each of which tells something that an alert is for, or not quite."""
    fine = ended("SUCCEEDED", 2 * HOUR, scanned=100)
    failed = [ended("FAILED", (n + 1) * HOUR, n) for n in range(4)]
    partly = [ended("INCOMPLETE", (n + 0.5) * DAY, n, scanned=100, failed=1) for n in range(9)]
    unpolled = replace(shown(1, "unpolled"), history=None, polled_at=None)
    told = [
        shown(1, "fine", fine),
        shown(2, "failed-once", fine, failed[0]),
        shown(3, "failed-twice", *failed[:2]),
        shown(4, "failed-thrice", *failed[:3]),
        shown(5, "old", ended("SUCCEEDED", 5 * DAY, scanned=9), schedule=DAILY),
        shown(6, "never-succeeded", *failed, schedule=DAILY),
        shown(7, "never-succeeded-and-new", *failed, schedule=DAILY, created=NOON - HOUR),
        shown(8, "only-incomplete", ended("SUCCEEDED", 10 * DAY), *partly, schedule="cron(0/30 * * * ? *)"),
        shown(9, "half-the-time", ended("SUCCEEDED", 10 * DAY), *partly, schedule=DAILY),
        shown(10, "overdue", ended("SUCCEEDED", 13 * HOUR, scanned=9), schedule="cron(0 2 * * ? *)"),
        shown(11, "taken-its-turn", ended("SUCCEEDED", 13 * HOUR, scanned=9), begun(2 * HOUR), schedule=DAILY),
        shown(12, "overdue-as-far-as-seen", fine, schedule="cron(0 12 * * ? *)", polled=20 * DAY),
        shown(13, "never-synced", schedule=DAILY),
        shown(14, "never-synced-and-new", schedule=DAILY, created=NOON - HOUR),
        shown(15, "never-synced-on-demand"),
        shown(16, "too-long", begun(25 * HOUR)),
        shown(17, "long", begun(23 * HOUR)),
        usually(shown(18, "slower", begun(2 * HOUR)), 1200, 5),
        usually(shown(19, "slower-than-few", begun(2 * HOUR)), 1200, 4),
        usually(shown(20, "slower-but-short", begun(HOUR / 2)), 60, 50),
        shown(21, "partly", ended("INCOMPLETE", HOUR, scanned=100, failed=6)),
        shown(22, "hardly-partly", ended("INCOMPLETE", HOUR, scanned=100, failed=5)),
        shown(23, "partly-touched", ended("INCOMPLETE", HOUR, added=3, modified=1, failed=1)),
        shown(24, "partly-of-nothing", ended("INCOMPLETE", HOUR, scanned=0, failed=0)),
        shown(25, "failed-documents-of-a-failure", ended("FAILED", HOUR, scanned=10, failed=9)),
        shown(26, "nothing", ended("SUCCEEDED", HOUR, scanned=0)),
        shown(27, "not-said", ended("SUCCEEDED", HOUR, added=0)),
        shown(28, "deleted", ended("SUCCEEDED", HOUR, scanned=300, deleted=100)),
        shown(29, "deleted-touched", ended("SUCCEEDED", HOUR, added=300, deleted=100)),
        shown(30, "deleted-few", ended("SUCCEEDED", HOUR, scanned=300, deleted=99)),
        shown(31, "deleted-a-small-part", ended("SUCCEEDED", HOUR, scanned=400, deleted=100)),
        shown(32, "deleted-long-ago", ended("SUCCEEDED", 2 * DAY, scanned=300, deleted=100)),
        shown(33, "not-active", fine, status="FAILED"),
        shown(34, "not-understood", fine, schedule="whenever"),
        replace(shown(35, "stale", fine, polled=HOUR), poll_succeeded=False),
        replace(shown(36, "stale-and-failed", *failed[1:], polled=HOUR), poll_succeeded=False),
        replace(unpolled, source=make_source(37), names=Names("intranet", "never-polled"), poll_succeeded=False),
        replace(unpolled, source=make_source(38), names=Names("intranet", "waiting"), poll_succeeded=None),
        replace(shown(39, "restarted", fine, polled=HOUR), poll_succeeded=None),
        shown(40, "no-more", ended("SUCCEEDED", 90 * DAY, scanned=9), schedule="cron(0 2 1 1 ? 2020)"),
        shown(41, "unknown-status", make_job("odd", "PONDERING", NOON - HOUR, None)),
        shown(42, "stopped", ended("ABORTED", HOUR)),
        shown(43, "end-not-said", make_job("x", "SUCCEEDED", NOON - HOUR, None, scanned=5)),
        shown(44, "waited-for", ended("SUCCEEDED", 50 * HOUR, scanned=9), begun(3 * HOUR), schedule=DAILY),
        shown(45, "begun-too-late", ended("SUCCEEDED", 60 * HOUR, scanned=9), begun(3 * HOUR), schedule=DAILY),
        shown(46, "waited-for-too-long", ended("SUCCEEDED", 60 * HOUR, scanned=9), begun(25 * HOUR), schedule=DAILY),
        shown(47, "syncs-for-the-first-time", begun(HOUR), schedule=DAILY),
    ]
    ids = [snapshot.source.id for snapshot in told]
    assert len(set(ids)) == len(ids)
    return told


TARGET = TargetHealth(
    name="production",
    account="111122223333",
    region="us-east-1",
    is_up=True,
    trouble="",
    now=NOON,
    data_sources=0,
    polled=0,
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
class Shelf(Generic[T]):
    """Where snapshots are published, and nothing is rendered."""

    clock: AwsClock
    things: dict[object, T] = field(default_factory=dict)

    def snapshots(self) -> list[tuple[T, AwsClock]]:
        """Give all of them."""
        return [(thing, self.clock) for thing in self.things.values()]


@dataclass
class Exhibit:
    """An overview, and all that it is made from."""

    clock: FakeClock
    sources: Shelf[SourceSnapshot]
    indexes: Shelf[IndexSnapshot]
    overview: StatusDocument
    health: ExporterHealth = HEALTH

    @classmethod
    def of(cls, snapshots: Iterable[SourceSnapshot] = (), indexes: Iterable[IndexSnapshot] = ()) -> Exhibit:
        """Show some data sources and indexes at NOON."""
        clock = FakeClock()
        sources = Shelf(AwsClock(clock), {each.source.id: each for each in snapshots})
        filled = Shelf(AwsClock(clock), {each.id: each for each in indexes})
        exhibit = cls(
            clock,
            sources,
            filled,
            StatusDocument(sources, filled, lambda: exhibit.health, AssessmentSettings(DAY, (), 1800)),
        )
        return exhibit

    def show(self, snapshot: SourceSnapshot) -> None:
        """Publish a source as it is now."""
        self.sources.things[snapshot.source.id] = snapshot

    def withdraw(self, snapshot: SourceSnapshot) -> None:
        """Show a source no more."""
        del self.sources.things[snapshot.source.id]


def index(number: int = 1, name: str = "main", **facts: Any) -> IndexSnapshot:
    """Build an index that has room."""
    known = replace(IndexFacts(name, "ENTERPRISE", "ACTIVE", "", 100, 10**6, 1), **facts)
    return IndexSnapshot(IndexId(f"app{number}", f"idx{number}"), "intranet", name, known, HERE)

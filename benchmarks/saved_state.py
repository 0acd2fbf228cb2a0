"""A state file as after weeks of polls of a large fleet, written without polling."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from exporter.domain.clock_check import ClockReading
from exporter.domain.counting.counting_policy import DEFAULT_BUCKETS, CountingPolicy
from exporter.domain.counting.history import fold
from exporter.domain.counting.source_history import PollData
from exporter.domain.model import DataSource, Description, DocumentCounts, Location, Names, SourceId, SyncJob
from exporter.domain.objective_starts import record_objectives
from exporter.domain.objectives import (
    DEFAULT_MAX_DURATION,
    DEFAULT_MAX_FAILED_RATIO,
    DEFAULT_MIN_DOCUMENTS_SCANNED,
    SYNC_ALLOWANCE,
    Objectives,
)
from exporter.domain.snapshots import SavedSource, SourceSnapshot
from exporter.domain.units import DAY, HOUR
from exporter.providers.qbusiness.service import QBUSINESS
from exporter.simulator.fleet import make_id
from exporter.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.domain.counting.source_history import SourceHistory

TARGET, LOCATION = "bench", Location("111122223333", "us-east-1")
JOBS = 20  # of each source
SYNCING = 10  # one in ten sources is syncing
SOURCES_PER_INDEX, INDEXES_PER_APPLICATION = 25, 4
_KINDS = ("SHAREPOINTV2", "CONFLUENCEV2", "S3", "WEBCRAWLERV2")
_POLICY = CountingPolicy(DAY, DEFAULT_BUCKETS, QBUSINESS.error_codes)
OBJECTIVES = Objectives(  # the defaults of a data source with a daily schedule
    2 * DAY + SYNC_ALLOWANCE,
    DEFAULT_MAX_DURATION,
    DEFAULT_MAX_FAILED_RATIO,
    DEFAULT_MIN_DOCUMENTS_SCANNED,
    follows_schedule=True,
)


def write_state(path: Path, size: int, now: float) -> None:
    """Write the state of some sources that were last polled at `now`."""
    with closing(Store(str(path), lambda: None)) as store:
        store.save_account(TARGET, LOCATION.account, f"{LOCATION.account}/{LOCATION.region}")
        store.commit({str(source_id(number)): _history(number, now) for number in range(size)})
        for number in range(size):
            store.save_source(str(source_id(number)), saved_source(number, now))


def source_id(number: int) -> SourceId:
    """Return the id of a source."""
    index = number // SOURCES_PER_INDEX
    application = index // INDEXES_PER_APPLICATION
    path = make_id("application", application), make_id("index", index), make_id("source", number)
    return SourceId(QBUSINESS, path)


def saved_source(number: int, now: float) -> SavedSource:
    """Return a source as discovery found it."""
    index = number // SOURCES_PER_INDEX
    source = DataSource(
        TARGET, source_id(number), f"department-{index // INDEXES_PER_APPLICATION}", f"department-share-{number}"
    )
    schedule = f"cron({number % 60} {number % 24} * * ? *)"
    created = now - 60 * DAY
    description = Description(
        source.name or "", _KINDS[number % 4], "ACTIVE", created, created, schedule, schedule_since=created
    )
    return SavedSource(
        source,
        f"index-{index}",
        description,
        LOCATION,
        ClockReading(_watched_since(now), None),
        is_described=True,
        objectives=record_objectives(None, OBJECTIVES, created, now),
    )


def make_snapshot(number: int, now: float) -> SourceSnapshot:
    """Return the snapshot of a source that was polled at `now`."""
    saved = saved_source(number, now)
    names = Names(saved.source.root or "", saved.source.name or "")
    return SourceSnapshot(
        saved.source,
        names,
        _history(number, now),
        poll_succeeded=True,
        polled_at=now,
        container=saved.container,
        description=saved.description,
        location=LOCATION,
        objectives=saved.objectives,
    )


def _watched_since(now: float) -> float:
    return now - 2 * DAY


def _history(number: int, now: float) -> SourceHistory:
    """Return the history of a source with a sync a day; the last one ended while it was watched."""
    documents = DocumentCounts(*[100_000 + number] * 5)
    ended = tuple(
        SyncJob(make_id(number, day), "SUCCEEDED", now - day * DAY, now - day * DAY + 1800 + number % 900, documents)
        for day in range(1, JOBS)
    )
    history = fold(None, PollData(ended[1:], _watched_since(now), _watched_since(now), window=DAY), _POLICY)
    running = SyncJob(make_id(number, "now"), "SYNCING", now - HOUR, documents=documents)
    jobs = (ended[0], running) if number % SYNCING == 0 else ended[:1]
    return fold(history, PollData(jobs, now, now), _POLICY)

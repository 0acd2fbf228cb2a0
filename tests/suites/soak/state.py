"""The state file of an exporter that has watched a fleet for a month, written without any requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.config import Config
from exporter.domain.clock_check import ClockReading
from exporter.domain.counting.counting_policy import CountingPolicy
from exporter.domain.counting.history import fold
from exporter.domain.counting.source_history import PollData, SourceHistory
from exporter.domain.model import DataSource, Description, Location
from exporter.domain.snapshots import SavedSource
from exporter.domain.units import DAY
from exporter.providers.job_parsing import parse_job
from exporter.providers.qbusiness.parsing import JOB
from exporter.providers.qbusiness.service import QBUSINESS
from exporter.store import Store
from tests.support.builders import source_id

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.simulator.fleet import Fleet, SimulatedDataSource

WATCHED = 30 * DAY


def write_state(path: Path, fleet: Fleet, target: str, now: float) -> None:
    """Write a state file in which every job of the last month is counted and every data source is known."""
    store = Store(str(path), lambda: None)
    histories = {}
    defaults = Config()
    policy = CountingPolicy(defaults.polling.window, defaults.metrics.duration_buckets, QBUSINESS.error_codes)
    location = Location(fleet.account, "us-east-1")
    identity = f"qbusiness/{location.account}/{location.region}"
    store.save_account(target, location.account, identity)
    store.save_watched_since(identity, now - WATCHED)
    for application, index, source in fleet.data_sources():
        identifier = source_id(application.id, index.id, source.id)
        key = str(identifier)
        histories[key] = _history(source, now, policy)
        store.save_name(f"application/{application.id}", application.name)
        store.save_name(f"index/{identifier.container}", index.name)
        store.save_name(f"data_source/{identifier}", source.name)
        description = Description(
            source.name, source.kind, source.status, source.created, source.updated, source.schedule
        )
        saved = DataSource(target, identifier, application.name, source.name)
        watched = ClockReading(now - WATCHED)
        store.save_source(key, SavedSource(saved, index.name, description, location, watched, is_described=True))
    store.commit(histories)
    store.close()


def _history(source: SimulatedDataSource, now: float, policy: CountingPolicy) -> SourceHistory:
    jobs = (parse_job(job.to_json(now) or {}, JOB, now, []) for job in source.listed_jobs(now))
    watched_since = now - WATCHED
    poll = PollData(tuple(job for job in jobs if job), now, now)
    return fold(SourceHistory(watched_since, watched_since), poll, policy)

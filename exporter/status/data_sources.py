"""One data source as plain data: its assessment, which is cached until something changes, and its JSON."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporter.domain.schedules.due import expectation
from exporter.domain.source_view import SourceView
from exporter.status.causes import cause_of
from exporter.status.console import console_links
from exporter.status.documents import documents_to_json
from exporter.status.problems import HALF_HOUR, Problem, Severity, find_problems, problem_to_json
from exporter.status.resources import resource_fields
from exporter.status.timing import missed_firing

if TYPE_CHECKING:
    from exporter.domain.model import SyncJob
    from exporter.domain.objectives import ObjectiveRule
    from exporter.domain.service import Service
    from exporter.domain.snapshots import SourceSnapshot
    from exporter.status.causes import Cause

MAX_RUNS = 30  # the number of latest runs of each data source in the JSON


@dataclass(frozen=True, slots=True)
class AssessmentSettings:
    """The part of the configuration that assessments depend on; durations are in seconds."""

    window: float
    rules: tuple[ObjectiveRule, ...]
    stale_after: float


@dataclass(frozen=True, slots=True)
class AssessedSource:
    """A snapshot with its problems and states, which are valid until a time on AWS's clock.

    A source is unwatched if no sync of it is expected, so that a missing sync would not be detected.
    """

    snapshot: SourceSnapshot
    problems: tuple[Problem, ...]
    is_syncing: bool
    is_stale: bool
    consecutive_failures: int
    cause: Cause | None
    is_unwatched: bool
    valid_until: float

    @property
    def state(self) -> str:
        """The highest severity of its problems, otherwise `waiting` for a first poll, `unwatched`, or `ok`."""
        if self.problems:
            return self.problems[0].severity
        if self.snapshot.history is None:
            return "waiting"
        return "unwatched" if self.is_unwatched else "ok"

    @property
    def service(self) -> Service:
        """The service of the data source."""
        return self.snapshot.source.id.service

    @property
    def id(self) -> str:
        """The id of the data source."""
        return self.snapshot.source.id.data_source_id

    @property
    def type(self) -> str:
        """The type of the data source; empty before it is known."""
        return self.snapshot.description.type if self.snapshot.description else ""


_RANKS = {state: rank for rank, state in enumerate((*Severity, "waiting", "unwatched", "ok"))}


def assess(snapshot: SourceSnapshot, now: float, settings: AssessmentSettings) -> AssessedSource:
    """Assess a source at a time on AWS's clock.

    `valid_until` is the next time at which the result may change although the snapshot does not: a firing of the
    schedule, half an hour after a missed firing, or the time at which the data becomes stale.
    """
    view = _view(snapshot, now, settings)
    polled_at = snapshot.polled_at
    is_old = polled_at is not None and now - polled_at >= settings.stale_after
    changes = [view.next_firing]
    if polled_at is not None:
        changes += [polled_at + settings.stale_after, polled_at + HALF_HOUR]
    if (firing := missed_firing(view)) is not None:
        changes.append(firing + HALF_HOUR)
    problems = find_problems(view)
    return AssessedSource(
        snapshot,
        problems,
        bool(view.running),
        is_old or snapshot.poll_succeeded is False,
        view.consecutive_failures or 0,
        cause_of(view, problems),
        view.history is not None and not view.is_watched_for_punctuality,
        min((change for change in changes if change is not None and change > now), default=math.inf),
    )


def source_sort_key(assessed: AssessedSource) -> tuple[object, ...]:
    """Return a key that sorts sources by state (the most severe first), staleness, running syncs, and name."""
    names = assessed.snapshot.names
    return (
        _RANKS[assessed.state],
        not assessed.is_stale,
        not assessed.is_syncing,
        names.root,
        names.data_source,
        assessed.id,
    )


def source_to_json(
    assessed: AssessedSource, now: float, settings: AssessmentSettings, *, with_all_logs: bool
) -> dict[str, Any]:
    """Return a source as an object of the JSON API; None for values that AWS does not report.

    `with_all_logs` adds the addresses of the logs of all runs, which are longer than all other fields of a run.
    """
    snapshot, view = assessed.snapshot, _view(assessed.snapshot, now, settings)
    source, description, location, history = snapshot.source, snapshot.description, snapshot.location, snapshot.history
    return {
        "as_of": now,
        "data_source_id": source.id.data_source_id,
        "data_source": snapshot.names.data_source,
        **resource_fields(source.id.container, snapshot.container_names()),
        "type": assessed.type or None,
        "target": source.target,
        "aws_account_id": (location.account or None) if location else None,
        "aws_region": location.region if location else None,
        "labels": dict(source.labels),
        "tags": dict(description.tags) if description else {},
        "status": description.status if description else None,
        "created_at": description.created if description else None,
        "updated_at": description.updated if description else None,
        "state": str(assessed.state),
        "problems": [problem_to_json(problem) for problem in assessed.problems],
        "cause": assessed.cause.text if assessed.cause else None,
        "syncing": assessed.is_syncing,
        "running": _run(view.oldest_running),
        "latest": _run(view.jobs[0] if view.jobs else None),
        "last_completed": _run(view.last_completed),
        "last_error": _last_error(view),
        "last_succeeded_at": history.last_succeeded if history else None,
        "last_indexed_at": history.last_indexed if history else None,
        "consecutive_failures": assessed.consecutive_failures if history else None,
        "consecutive_without_content": view.consecutive_without_content,
        "documents": documents_to_json(snapshot.documents),
        "runs": [_run(job) for job in view.jobs[:MAX_RUNS]],
        "schedule": _schedule(view),
        "objectives": _objectives(view),
        "expectation": _expectation(view),
        "freshness": _freshness(assessed, now),
        "console": _console(view, with_all_logs=with_all_logs),
    }


def _console(view: SourceView, *, with_all_logs: bool) -> dict[str, object] | None:
    location = view.snapshot.location
    jobs = view.jobs[:MAX_RUNS] if with_all_logs else ()
    runs = (*jobs, view.oldest_running, view.last_completed)
    return console_links(location.region, view.snapshot.source.id, runs, view.now) if location else None


def _view(snapshot: SourceSnapshot, now: float, settings: AssessmentSettings) -> SourceView:
    return SourceView(snapshot, now, settings.window, settings.rules)


def _run(job: SyncJob | None) -> dict[str, Any] | None:
    """Return a sync job as a run, the API's word for it."""
    if job is None:
        return None
    return {
        "execution_id": job.execution_id,
        "status": job.status,
        "ended": job.is_terminal,
        "started_at": job.started,
        "ended_at": job.ended if job.is_terminal else None,
        "duration_seconds": job.duration,
        "documents": dict(job.documents.items()),
        "error": _error(job),
    }


def _error(job: SyncJob) -> dict[str, str | None] | None:
    error = {
        "code": job.error_code or None,
        "connector_code": job.connector_error or None,
        "data_source_error_code": job.data_source_error_code or None,
        "message": job.error_message or None,
    }
    return error if any(error.values()) else None


def _last_error(view: SourceView) -> dict[str, Any] | None:
    """Return the error of the latest run that has one. It is `current` until a later run ends."""
    job = next((job for job in view.jobs if _error(job)), None)
    if job is None:
        return None
    last = view.last_completed
    is_current = last is None or not job.is_terminal or job.execution_id == last.execution_id
    return {"execution_id": job.execution_id, "started_at": job.started, "current": is_current, **(_error(job) or {})}


def _schedule(view: SourceView) -> dict[str, Any] | None:
    description, schedule = view.description, view.schedule
    if description is None or description.schedule is None:
        return None
    expected = expectation(description, view.history, view.now)
    return {
        "expression": description.schedule.strip() or None,
        "understood": schedule is not None if view.has_schedule else None,
        "since": description.schedule_since,
        "previous_at": view.previous_firing,
        "next_at": view.next_firing,
        "due": expected.is_due,
    }


def _objectives(view: SourceView) -> dict[str, float | None]:
    names = ("max_success_age", "max_duration", "max_failed_ratio", "min_documents_scanned")
    optional = ("expected_every", "min_index_documents")
    return {name: getattr(view.objectives, name) for name in (*names, *optional)}


def _expectation(view: SourceView) -> dict[str, Any]:
    """Return how often syncs are expected to start, and the origin of this expectation."""
    gap = view.expected_gap
    return {
        "punctuality": "watched" if view.is_watched_for_punctuality else "not watched for punctuality",
        "origin": str(gap.origin) if gap else None,
        "sync_gap": gap.seconds if gap else None,
    }


def _freshness(assessed: AssessedSource, now: float) -> dict[str, Any]:
    polled_at, failure = assessed.snapshot.polled_at, assessed.snapshot.poll_failure
    return {
        "last_poll_succeeded": assessed.snapshot.poll_succeeded,
        "last_poll_error": {"reason": str(failure.reason), "message": failure.message} if failure else None,
        "polled_at": polled_at,
        "age_seconds": None if polled_at is None else round(max(0.0, now - polled_at), 3),
        "stale": assessed.is_stale,
    }

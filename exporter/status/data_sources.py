"""One data source as plain facts: what is wrong with it, kept until something changes, and all that is known of it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from exporter.domain.due import expectation
from exporter.metrics import SourceView
from exporter.status.problems import HALF_HOUR, Problem, Severity, missed, problems_of

if TYPE_CHECKING:
    from exporter.domain.model import SyncJob
    from exporter.domain.objectives import ObjectiveRule
    from exporter.domain.snapshots import SourceSnapshot

RUNS = 30  # shown of each data source, the latest


@dataclass(frozen=True, slots=True)
class AssessmentSettings:
    """What of the configuration sources are judged by; `patience` are seconds after which what we know is stale."""

    window: float
    rules: tuple[ObjectiveRule, ...]
    stale_after: float


@dataclass(frozen=True, slots=True)
class AssessedSource:
    """A source with what follows from its snapshot, good until a moment on AWS's clock."""

    snapshot: SourceSnapshot
    problems: tuple[Problem, ...]
    is_syncing: bool
    is_stale: bool
    streak: int
    until: float

    @property
    def state(self) -> str:
        """Give the state in a word: the worst that is wrong, else `waiting` for a first poll, else `ok`."""
        if self.problems:
            return self.problems[0].severity
        return "waiting" if self.snapshot.history is None else "ok"

    @property
    def id(self) -> str:
        """Give its id."""
        return self.snapshot.source.id.data_source_id

    @property
    def type(self) -> str:
        """Give its type; empty while AWS has not said."""
        return self.snapshot.description.type if self.snapshot.description else ""


_RANKS = {state: rank for rank, state in enumerate((*Severity, "waiting", "ok"))}


def assess(snapshot: SourceSnapshot, now: float, settings: AssessmentSettings) -> AssessedSource:
    """Judge a source at a moment on AWS's clock."""
    view = _context(snapshot, now, settings)
    at = snapshot.polled_at
    is_stale = snapshot.poll_succeeded is False or (at is not None and now - at >= settings.stale_after)
    turns = [
        view.next_firing,
        None if at is None else at + settings.stale_after,
        None if at is None else at + HALF_HOUR,
    ]
    if (firing := missed(view)) is not None:
        turns.append(firing + HALF_HOUR)
    return AssessedSource(
        snapshot,
        problems_of(view),
        bool(view.running),
        is_stale,
        view.history.consecutive_failures() if view.history else 0,
        min((turn for turn in turns if turn is not None and turn > now), default=math.inf),
    )


def urgency(assessed: AssessedSource) -> tuple[object, ...]:
    """Order sources: what is worst first, what is syncing before what is quiet, then by name."""
    names = assessed.snapshot.names
    return (
        _RANKS[assessed.state],
        not assessed.is_stale,
        not assessed.is_syncing,
        names.application,
        names.data_source,
        assessed.id,
    )


def describe(assessed: AssessedSource, now: float, settings: AssessmentSettings) -> dict[str, Any]:
    """Give everything known of a source, as JSON has it: null is what AWS did not say."""
    snapshot, view = assessed.snapshot, _context(assessed.snapshot, now, settings)
    source, description, location, history = snapshot.source, snapshot.description, snapshot.location, snapshot.history
    return {
        "as_of": now,
        "data_source_id": source.id.data_source_id,
        "data_source": snapshot.names.data_source,
        "application": snapshot.names.application,
        "application_id": source.id.application_id,
        "index": snapshot.index or None,
        "index_id": source.id.index_id,
        "type": assessed.type or None,
        "target": source.target,
        "aws_account_id": (location.account or None) if location else None,
        "aws_region": location.region if location else None,
        "labels": dict(source.labels),
        "tags": dict(description.tags) if description else {},
        "status": description.status if description else None,
        "created_at": description.created if description else None,
        "state": str(assessed.state),
        "problems": [asdict(problem) for problem in assessed.problems],
        "syncing": assessed.is_syncing,
        "running": _run(view.oldest),
        "latest": _run(view.jobs[0] if view.jobs else None),
        "last_completed": _run(view.last),
        "last_error": _last_error(view),
        "last_succeeded_at": history.last_succeeded if history else None,
        "last_indexed_at": history.last_indexed if history else None,
        "consecutive_failures": assessed.streak if history else None,
        "runs": [_run(job) for job in view.jobs[:RUNS]],
        "schedule": _schedule(view),
        "objectives": asdict(view.objectives),
        "freshness": _freshness(assessed, now),
    }


def _context(snapshot: SourceSnapshot, now: float, settings: AssessmentSettings) -> SourceView:
    return SourceView(snapshot, now, settings.window, settings.rules)


def _run(job: SyncJob | None) -> dict[str, Any] | None:
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
    if not (job.error_code or job.error_message or job.connector_error):
        return None
    return {
        "code": job.error_code or None,
        "connector_code": job.connector_error or None,
        "message": job.error_message or None,
    }


def _last_error(view: SourceView) -> dict[str, Any] | None:
    """Give the latest run that has an error to tell; `current` where nothing has ended since."""
    job = next((job for job in view.jobs if _error(job)), None)
    if job is None:
        return None
    last = view.last
    is_current = last is None or not job.is_terminal or job.execution_id == last.execution_id
    return {"execution_id": job.execution_id, "started_at": job.started, "current": is_current, **(_error(job) or {})}


def _schedule(view: SourceView) -> dict[str, Any] | None:
    description, schedule = view.description, view.schedule
    if description is None or description.schedule is None:
        return None
    expected = expectation(description.schedule, view.history, view.now)
    return {
        "expression": description.schedule.strip() or None,
        "understood": schedule is not None if view.on_schedule else None,
        "previous_at": schedule.previous(view.now) if schedule else None,
        "next_at": view.next_firing,
        "due": expected.is_due,
    }


def _freshness(assessed: AssessedSource, now: float) -> dict[str, Any]:
    at = assessed.snapshot.polled_at
    return {
        "last_poll_succeeded": assessed.snapshot.poll_succeeded,
        "polled_at": at,
        "age_seconds": None if at is None else round(max(0.0, now - at), 3),
        "stale": assessed.is_stale,
    }

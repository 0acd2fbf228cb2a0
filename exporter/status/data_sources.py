"""One data source as plain facts: what is wrong with it, kept until something changes, and all that is known of it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from exporter.domain.due import expectation
from exporter.metrics import Context
from exporter.status.problems import HALF_HOUR, Problem, Severity, missed, problems_of

if TYPE_CHECKING:
    from exporter.config import ObjectiveConfig
    from exporter.domain.model import SourceSnapshot, SyncJob

RUNS = 30  # shown of each data source, the latest


@dataclass(frozen=True, slots=True)
class Terms:
    """What of the configuration sources are judged by; `patience` are seconds after which what we know is stale."""

    window: float
    objectives: tuple[ObjectiveConfig, ...]
    patience: float


@dataclass(frozen=True, slots=True)
class Judged:
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
        return self.snapshot.about.type if self.snapshot.about else ""


_RANKS = {state: rank for rank, state in enumerate((*Severity, "waiting", "ok"))}


def judge(snapshot: SourceSnapshot, now: float, terms: Terms) -> Judged:
    """Judge a source at a moment on AWS's clock."""
    context = _context(snapshot, now, terms)
    at = snapshot.polled_at
    is_stale = snapshot.poll_succeeded is False or (at is not None and now - at >= terms.patience)
    turns = [context.next_firing, None if at is None else at + terms.patience, None if at is None else at + HALF_HOUR]
    if (firing := missed(context)) is not None:
        turns.append(firing + HALF_HOUR)
    return Judged(
        snapshot,
        problems_of(context),
        bool(context.running),
        is_stale,
        context.history.consecutive_failures() if context.history else 0,
        min((turn for turn in turns if turn is not None and turn > now), default=math.inf),
    )


def urgency(judged: Judged) -> tuple[object, ...]:
    """Order sources: what is worst first, what is syncing before what is quiet, then by name."""
    names = judged.snapshot.names
    return (
        _RANKS[judged.state],
        not judged.is_stale,
        not judged.is_syncing,
        names.application,
        names.data_source,
        judged.id,
    )


def describe(judged: Judged, now: float, terms: Terms) -> dict[str, Any]:
    """Give everything known of a source, as JSON has it: null is what AWS did not say."""
    snapshot, context = judged.snapshot, _context(judged.snapshot, now, terms)
    source, about, location, history = snapshot.source, snapshot.about, snapshot.location, snapshot.history
    return {
        "as_of": now,
        "data_source_id": source.id.data_source_id,
        "data_source": snapshot.names.data_source,
        "application": snapshot.names.application,
        "application_id": source.id.application_id,
        "index": snapshot.index or None,
        "index_id": source.id.index_id,
        "type": judged.type or None,
        "target": source.target,
        "aws_account_id": (location.account or None) if location else None,
        "aws_region": location.region if location else None,
        "labels": dict(source.labels),
        "tags": dict(about.tags) if about else {},
        "status": about.status if about else None,
        "created_at": about.created if about else None,
        "state": str(judged.state),
        "problems": [asdict(problem) for problem in judged.problems],
        "syncing": judged.is_syncing,
        "running": _run(context.oldest),
        "latest": _run(context.jobs[0] if context.jobs else None),
        "last_completed": _run(context.last),
        "last_error": _last_error(context),
        "last_succeeded_at": history.last_succeeded if history else None,
        "last_indexed_at": history.last_indexed if history else None,
        "consecutive_failures": judged.streak if history else None,
        "runs": [_run(job) for job in context.jobs[:RUNS]],
        "schedule": _schedule(context),
        "objectives": asdict(context.held_to),
        "freshness": _freshness(judged, now),
    }


def _context(snapshot: SourceSnapshot, now: float, terms: Terms) -> Context:
    return Context(snapshot, now, terms.window, terms.objectives)


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


def _last_error(context: Context) -> dict[str, Any] | None:
    """Give the latest run that has an error to tell; `current` where nothing has ended since."""
    job = next((job for job in context.jobs if _error(job)), None)
    if job is None:
        return None
    last = context.last
    is_current = last is None or not job.is_terminal or job.execution_id == last.execution_id
    return {"execution_id": job.execution_id, "started_at": job.started, "current": is_current, **(_error(job) or {})}


def _schedule(context: Context) -> dict[str, Any] | None:
    about, schedule = context.about, context.schedule
    if about is None or about.schedule is None:
        return None
    expected = expectation(about.schedule, context.history, context.now)
    return {
        "expression": about.schedule.strip() or None,
        "understood": schedule is not None if context.on_schedule else None,
        "previous_at": schedule.previous(context.now) if schedule else None,
        "next_at": context.next_firing,
        "due": expected.is_due,
    }


def _freshness(judged: Judged, now: float) -> dict[str, Any]:
    at = judged.snapshot.polled_at
    return {
        "last_poll_succeeded": judged.snapshot.poll_succeeded,
        "polled_at": at,
        "age_seconds": None if at is None else round(max(0.0, now - at), 3),
        "stale": judged.is_stale,
    }

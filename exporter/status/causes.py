"""Causes that several data sources share, so that the page states each of them once."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporter.domain.model import SyncJobStatus
from exporter.status.problems import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from exporter.domain.model import SyncJob
    from exporter.domain.source_view import SourceView
    from exporter.status.problems import Problem

MIN_SHARED = 3  # the number of data sources that make a cause shared
MAX_SHARED = 10  # the number of causes that are listed, the most frequent ones
STALE = "DataStale"
NO_CODE = "failed without an error code"


@dataclass(frozen=True, slots=True)
class Cause:
    """The reason why a data source needs attention: an error, or else its most severe problem in words.

    `since` is the end of the first of its latest runs with this error code, or the time of the last successful poll if
    polls fail. It is None for other causes.
    """

    text: str
    severity: Severity
    since: float | None = None


def cause_of(view: SourceView, problems: Sequence[Problem]) -> Cause | None:
    """Return the cause of the problems of a source; None if it needs no attention."""
    if not problems or problems[0].severity is Severity.INFO:
        return None
    first, last, failure = problems[0], view.last_completed, view.snapshot.poll_failure
    service = view.snapshot.source.id.service
    if last is not None and last.status == SyncJobStatus.FAILED:
        code = _code(last)
        return Cause(code, first.severity, _failing_since(view, code))
    if first.alert == service.alert(STALE) and failure:
        return Cause(f"polls failing: {failure.reason}", first.severity, view.snapshot.polled_at)
    return Cause(_words((first.alert or first.text).removeprefix(service.alert_prefix)), first.severity)


def shared_causes(causes: Iterable[Cause | None]) -> list[dict[str, Any]]:
    """Return the causes that several sources share as objects of the JSON API, the most frequent first."""
    by_text: defaultdict[str, list[Cause]] = defaultdict(list)
    for cause in causes:
        if cause is not None:
            by_text[cause.text].append(cause)
    shared = [_shared(text, each) for text, each in by_text.items() if len(each) >= MIN_SHARED]
    return sorted(shared, key=lambda cause: (-cause["data_sources"], cause["cause"]))[:MAX_SHARED]


def _shared(text: str, causes: Sequence[Cause]) -> dict[str, Any]:
    return {
        "cause": text,
        "severity": min((cause.severity for cause in causes), key=list(Severity).index),
        "data_sources": len(causes),
        "since": min((cause.since for cause in causes if cause.since is not None), default=None),
    }


def _failing_since(view: SourceView, code: str) -> float | None:
    """Return the end of the first of the latest runs that failed with a code, ignoring aborted runs."""
    since = None
    for job in view.jobs:
        if job.status == SyncJobStatus.FAILED and _code(job) == code:
            since = job.end_or_start
        elif job.is_terminal and job.status != SyncJobStatus.ABORTED:
            break
    return since


def _code(job: SyncJob) -> str:
    return (job.connector_error or job.error_code).strip() or NO_CODE


def _words(kind: str) -> str:
    """Return the kind of an alert in words, such as "Sync overdue"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind).capitalize()

"""What is wrong with a data source, as far as one look can tell: the alerts of deploy/prometheus/rules, said at once.

A rule here has the name and severity of an alert, and its condition for the moment of the last successful poll; a test
holds the two together. Some alerts compare with the past, which a snapshot does not have: `UNTOLD`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from exporter.domain.model import INDEXED, SyncJobStatus
from exporter.domain.units import DAY, SCHEDULE_RESOLUTION
from exporter.status.formatting import format_duration, moment, percentage

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.domain.model import DocumentCounts
    from exporter.metrics import SourceView

NOT_ASSESSED = frozenset({"QBusinessSyncStuck", "QBusinessDocumentsDropped"})

REPEATEDLY = 3
HALF_HOUR = 1800.0
USUALLY, MANY_TIMES, SHORT = 5, 3, 3600.0  # syncs that make an average, how often it may be exceeded, never below
MANY_DELETED, BULK = 100, 0.2


class Severity(StrEnum):
    """The severities of the alerts, the worst first."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong: the alert that says so where there is one, and what it is in a sentence.

    The sentence has no "ago": it is kept for as long as it is true.
    """

    alert: str | None
    severity: Severity
    text: str


@dataclass(frozen=True, slots=True)
class ProblemRule:
    """An alert as a function of one source: what is wrong with it in words, or nothing."""

    alert: str
    severity: Severity
    assess: Callable[[SourceView], str | None]


def problems_of(view: SourceView) -> tuple[Problem, ...]:
    """Give what is wrong with a source, the worst first."""
    said = ((rule, rule.assess(view)) for rule in RULES)
    return tuple(Problem(rule.alert, rule.severity, text) for rule, text in said if text)


def _failing_repeatedly(view: SourceView) -> str | None:
    streak = view.history.consecutive_failures() if view.history else 0
    return f"The last {streak} syncs failed{_codes(view)}." if streak >= REPEATEDLY else None


def _failed(view: SourceView) -> str | None:
    if view.last is None or not _has_ended(view, SyncJobStatus.FAILED):
        return None
    return f"The last sync failed{_codes(view)}."


def _codes(view: SourceView) -> str:
    codes = (view.last.error_code, view.last.connector_error) if view.last else ()
    said = " ".join(code for code in codes if code)
    return f": {said}" if said else ""


def _no_success(view: SourceView) -> str | None:
    indexed, allowed = view.history.last_indexed if view.history else None, _allowed_age(view)
    age = _age(view, indexed)
    if age is None or view.last is None or age <= allowed or _is_waited_for(view, age):
        return None
    since = f"for {format_duration(age)}" if indexed is not None else f"since it was created {format_duration(age)} ago"
    return f"Nothing has reached the index {since}; at most {format_duration(allowed)} is allowed."


def _is_waited_for(view: SourceView, age: float) -> bool:
    """Tell whether a sync that began in time may bring content yet: index maintenance can hold it for a day."""
    running = _running_for(view)
    return running is not None and age - running <= _allowed_age(view) and running <= view.objectives.max_duration


def _only_incomplete(view: SourceView) -> str | None:
    history, allowed = view.history, _allowed_age(view)
    if history is None or history.last_indexed is None:
        return None
    age, indexed = _age(view, history.last_succeeded), _age(view, history.last_indexed)
    if age is None or indexed is None or age <= allowed or indexed > allowed:
        return None
    return f"No sync was complete for {format_duration(age)}: each left documents out."


def _overdue(view: SourceView) -> str | None:
    firing = missed(view)
    if firing is None or view.now - firing < HALF_HOUR:
        return None
    return f"The sync that was scheduled for {moment(firing)} did not start."


def _never_synced(view: SourceView) -> str | None:
    age = _age(view, None)
    is_expected = view.on_schedule or view.objectives.max_success_age is not None
    if not is_expected or view.jobs or age is None or age <= DAY:
        return None
    return "It was never synced: a schedule does nothing before the first sync by hand."


def _running_too_long(view: SourceView) -> str | None:
    age, allowed = _running_for(view), view.objectives.max_duration
    if age is None or age <= allowed:
        return None
    return f"A sync has been running for {format_duration(age)}; at most {format_duration(allowed)} is allowed."


def _slower_than_usual(view: SourceView) -> str | None:
    age, usual = _running_for(view), _usual_duration(view)
    if age is None or usual is None or age <= max(MANY_TIMES * usual, SHORT):
        return None
    return f"A sync has been running for {format_duration(age)}; {format_duration(usual)} is usual."


def _incomplete(view: SourceView) -> str | None:
    if view.last is None or not _has_ended(view, SyncJobStatus.INCOMPLETE):
        return None
    ratio, allowed = failed_ratio(view.last.documents), view.objectives.max_failed_ratio
    if ratio is None or ratio <= allowed:
        return None
    return f"{percentage(ratio)} of the documents failed in the last sync; at most {percentage(allowed)} may."


def _scanned_nothing(view: SourceView) -> str | None:
    if view.last is None or not _has_ended(view, SyncJobStatus.SUCCEEDED):
        return None
    scanned, least = view.last.documents.scanned, view.objectives.min_documents_scanned
    if scanned is None or scanned >= least:
        return None
    return f"The last sync succeeded with {scanned} documents scanned; at least {least:.0f} are expected."


def _deleted_in_bulk(view: SourceView) -> str | None:
    last, as_of = view.last, view.snapshot.polled_at
    if last is None or as_of is None or as_of - last.end_or_start()[0] >= DAY:
        return None
    deleted, ratio = last.documents.deleted, deleted_ratio(last.documents)
    if deleted is None or ratio is None or deleted < MANY_DELETED or ratio <= BULK:
        return None
    return f"The last sync deleted {deleted} documents, {percentage(ratio)} of them."


def _not_active(view: SourceView) -> str | None:
    status = view.description.status if view.description else None
    return f"The data source is {status}: only an ACTIVE one is synced." if status and status != "ACTIVE" else None


def _not_understood(view: SourceView) -> str | None:
    if not view.on_schedule or view.schedule is not None:
        return None
    return "Its schedule is not understood: nobody is told when a sync is overdue."


def _stale(view: SourceView) -> str | None:
    at = view.snapshot.polled_at
    if view.snapshot.poll_succeeded is not False:
        return None
    if at is None:
        return "No poll of it has worked yet."
    return f"Polls of it fail: all this is as of {moment(at)}." if view.now - at >= HALF_HOUR else None


RULES = (
    ProblemRule("QBusinessSyncFailingRepeatedly", Severity.CRITICAL, _failing_repeatedly),
    ProblemRule("QBusinessNoSuccessfulSync", Severity.CRITICAL, _no_success),
    ProblemRule("QBusinessSyncFailed", Severity.WARNING, _failed),
    ProblemRule("QBusinessSyncRunningTooLong", Severity.WARNING, _running_too_long),
    ProblemRule("QBusinessSyncOverdue", Severity.WARNING, _overdue),
    ProblemRule("QBusinessNeverSynced", Severity.WARNING, _never_synced),
    ProblemRule("QBusinessSyncIncomplete", Severity.WARNING, _incomplete),
    ProblemRule("QBusinessSyncScannedNothing", Severity.WARNING, _scanned_nothing),
    ProblemRule("QBusinessDocumentsDeletedInBulk", Severity.WARNING, _deleted_in_bulk),
    ProblemRule("QBusinessDataSourceNotActive", Severity.WARNING, _not_active),
    ProblemRule("QBusinessDataStale", Severity.WARNING, _stale),
    ProblemRule("QBusinessOnlyIncompleteSyncs", Severity.INFO, _only_incomplete),
    ProblemRule("QBusinessSyncSlowerThanUsual", Severity.INFO, _slower_than_usual),
    ProblemRule("QBusinessScheduleNotUnderstood", Severity.INFO, _not_understood),
)


def missed(view: SourceView) -> float | None:
    """Give the first firing of the schedule since which nothing was in progress, as far as can be seen."""
    fired = view.schedule.previous(view.now) if view.schedule else None
    last, as_of = view.last, view.snapshot.polled_at
    if fired is None or view.schedule is None or last is None or as_of is None or view.running:
        return None
    since = SCHEDULE_RESOLUTION + last.end_or_start()[0]
    has_been_seen = as_of >= fired or view.snapshot.poll_succeeded
    return view.schedule.next(since) if has_been_seen and fired > since else None


def failed_ratio(documents: DocumentCounts) -> float | None:
    """Give the share of failed documents among those scanned; among those touched where that is not said."""
    if documents.failed is None:
        return None
    among = documents.scanned or _touched(documents)
    return documents.failed / among if among else None


def deleted_ratio(documents: DocumentCounts) -> float | None:
    """Give the share of deleted documents among those that were there; among those touched where that is not said."""
    if documents.deleted is None:
        return None
    among = 0 if documents.scanned is None else documents.scanned + documents.deleted
    among = among or _touched(documents)
    return documents.deleted / among if among else None


def _touched(documents: DocumentCounts) -> int:
    return sum(figure or 0 for kind, figure in documents.items() if kind != "scanned")


def _has_ended(view: SourceView, status: SyncJobStatus) -> bool:
    return view.last is not None and view.last.status == status


def _age(view: SourceView, moment: float | None) -> float | None:
    """Give how old something was at the last successful poll; where it never happened, how old the source was."""
    since = (view.description.created if view.description else None) if moment is None else moment
    as_of = view.snapshot.polled_at
    return None if since is None or as_of is None else as_of - since


def _allowed_age(view: SourceView) -> float:
    age = view.objectives.max_success_age
    return float("inf") if age is None else age


def _running_for(view: SourceView) -> float | None:
    as_of = view.snapshot.polled_at
    return None if as_of is None or view.oldest is None else as_of - view.oldest.started


def _usual_duration(view: SourceView) -> float | None:
    durations = view.history.durations if view.history else {}
    indexed = [histogram for status, histogram in durations.items() if status in INDEXED]
    count = sum(sum(histogram.counts) for histogram in indexed)
    return sum(histogram.sum for histogram in indexed) / count if count >= USUALLY else None

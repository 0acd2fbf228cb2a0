"""What is wrong with a data source, as far as one look can tell: the alerts of deploy/prometheus/rules, said at once.

A rule here has the name and severity of an alert, and its condition for the moment of the last successful poll; a test
holds the two together. Some alerts compare with the past, which a snapshot does not have: `UNTOLD`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from exporter.domain.model import INDEXED, SyncJobStatus
from exporter.status.formatting import moment, percentage, span

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.domain.model import DocumentCounts
    from exporter.metrics import Context

UNTOLD = frozenset({"QBusinessSyncStuck", "QBusinessDocumentsDropped"})

REPEATEDLY = 3
HALF_HOUR, DAY = 1800.0, 86400.0
EARLY = 60.0  # seconds that a sync may end before its schedule fires and still be its own
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
class Rule:
    """An alert as a function of one source: what is wrong with it in words, or nothing."""

    alert: str
    severity: Severity
    judge: Callable[[Context], str | None]


def problems_of(context: Context) -> tuple[Problem, ...]:
    """Give what is wrong with a source, the worst first."""
    said = ((rule, rule.judge(context)) for rule in RULES)
    return tuple(Problem(rule.alert, rule.severity, text) for rule, text in said if text)


def _failing_repeatedly(context: Context) -> str | None:
    streak = context.history.consecutive_failures() if context.history else 0
    return f"The last {streak} syncs failed{_codes(context)}." if streak >= REPEATEDLY else None


def _failed(context: Context) -> str | None:
    if context.last is None or not _has_ended(context, SyncJobStatus.FAILED):
        return None
    return f"The last sync failed{_codes(context)}."


def _codes(context: Context) -> str:
    codes = (context.last.error_code, context.last.connector_error) if context.last else ()
    said = " ".join(code for code in codes if code)
    return f": {said}" if said else ""


def _no_success(context: Context) -> str | None:
    indexed, allowed = context.history.last_indexed if context.history else None, _allowed_age(context)
    age = _age(context, indexed)
    if age is None or context.last is None or age <= allowed or _is_waited_for(context, age):
        return None
    since = f"for {span(age)}" if indexed is not None else f"since it was created {span(age)} ago"
    return f"Nothing has reached the index {since}; at most {span(allowed)} is allowed."


def _is_waited_for(context: Context, age: float) -> bool:
    """Tell whether a sync that began in time may bring content yet: index maintenance can hold it for a day."""
    running = _running_for(context)
    return running is not None and age - running <= _allowed_age(context) and running <= context.held_to.max_duration


def _only_incomplete(context: Context) -> str | None:
    history, allowed = context.history, _allowed_age(context)
    if history is None or history.last_indexed is None:
        return None
    age, indexed = _age(context, history.last_succeeded), _age(context, history.last_indexed)
    if age is None or indexed is None or age <= allowed or indexed > allowed:
        return None
    return f"No sync was complete for {span(age)}: each left documents out."


def _overdue(context: Context) -> str | None:
    firing = missed(context)
    if firing is None or context.now - firing < HALF_HOUR:
        return None
    return f"The sync that was scheduled for {moment(firing)} did not start."


def _never_synced(context: Context) -> str | None:
    age = _age(context, None)
    is_expected = context.on_schedule or context.held_to.max_success_age is not None
    if not is_expected or context.jobs or age is None or age <= DAY:
        return None
    return "It was never synced: a schedule does nothing before the first sync by hand."


def _running_too_long(context: Context) -> str | None:
    age, allowed = _running_for(context), context.held_to.max_duration
    if age is None or age <= allowed:
        return None
    return f"A sync has been running for {span(age)}; at most {span(allowed)} is allowed."


def _slower_than_usual(context: Context) -> str | None:
    age, usual = _running_for(context), _usual_duration(context)
    if age is None or usual is None or age <= max(MANY_TIMES * usual, SHORT):
        return None
    return f"A sync has been running for {span(age)}; {span(usual)} is usual."


def _incomplete(context: Context) -> str | None:
    if context.last is None or not _has_ended(context, SyncJobStatus.INCOMPLETE):
        return None
    ratio, allowed = failed_ratio(context.last.documents), context.held_to.max_failed_ratio
    if ratio is None or ratio <= allowed:
        return None
    return f"{percentage(ratio)} of the documents failed in the last sync; at most {percentage(allowed)} may."


def _scanned_nothing(context: Context) -> str | None:
    if context.last is None or not _has_ended(context, SyncJobStatus.SUCCEEDED):
        return None
    scanned, least = context.last.documents.scanned, context.held_to.min_documents_scanned
    if scanned is None or scanned >= least:
        return None
    return f"The last sync succeeded with {scanned} documents scanned; at least {least:.0f} are expected."


def _deleted_in_bulk(context: Context) -> str | None:
    last, as_of = context.last, context.snapshot.polled_at
    if last is None or as_of is None or as_of - last.end_or_start()[0] >= DAY:
        return None
    deleted, ratio = last.documents.deleted, deleted_ratio(last.documents)
    if deleted is None or ratio is None or deleted < MANY_DELETED or ratio <= BULK:
        return None
    return f"The last sync deleted {deleted} documents, {percentage(ratio)} of them."


def _not_active(context: Context) -> str | None:
    status = context.about.status if context.about else None
    return f"The data source is {status}: only an ACTIVE one is synced." if status and status != "ACTIVE" else None


def _not_understood(context: Context) -> str | None:
    if not context.on_schedule or context.schedule is not None:
        return None
    return "Its schedule is not understood: nobody is told when a sync is overdue."


def _stale(context: Context) -> str | None:
    at = context.snapshot.polled_at
    if context.snapshot.poll_succeeded is not False:
        return None
    if at is None:
        return "No poll of it has worked yet."
    return f"Polls of it fail: all this is as of {moment(at)}." if context.now - at >= HALF_HOUR else None


RULES = (
    Rule("QBusinessSyncFailingRepeatedly", Severity.CRITICAL, _failing_repeatedly),
    Rule("QBusinessNoSuccessfulSync", Severity.CRITICAL, _no_success),
    Rule("QBusinessSyncFailed", Severity.WARNING, _failed),
    Rule("QBusinessSyncRunningTooLong", Severity.WARNING, _running_too_long),
    Rule("QBusinessSyncOverdue", Severity.WARNING, _overdue),
    Rule("QBusinessNeverSynced", Severity.WARNING, _never_synced),
    Rule("QBusinessSyncIncomplete", Severity.WARNING, _incomplete),
    Rule("QBusinessSyncScannedNothing", Severity.WARNING, _scanned_nothing),
    Rule("QBusinessDocumentsDeletedInBulk", Severity.WARNING, _deleted_in_bulk),
    Rule("QBusinessDataSourceNotActive", Severity.WARNING, _not_active),
    Rule("QBusinessDataStale", Severity.WARNING, _stale),
    Rule("QBusinessOnlyIncompleteSyncs", Severity.INFO, _only_incomplete),
    Rule("QBusinessSyncSlowerThanUsual", Severity.INFO, _slower_than_usual),
    Rule("QBusinessScheduleNotUnderstood", Severity.INFO, _not_understood),
)


def missed(context: Context) -> float | None:
    """Give the first firing of the schedule since which nothing was in progress, as far as can be seen."""
    fired = context.schedule.previous(context.now) if context.schedule else None
    last, as_of = context.last, context.snapshot.polled_at
    if fired is None or context.schedule is None or last is None or as_of is None or context.running:
        return None
    since = EARLY + last.end_or_start()[0]
    has_been_seen = as_of >= fired or context.snapshot.poll_succeeded
    return context.schedule.next(since) if has_been_seen and fired > since else None


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


def _has_ended(context: Context, status: SyncJobStatus) -> bool:
    return context.last is not None and context.last.status == status


def _age(context: Context, moment: float | None) -> float | None:
    """Give how old something was at the last successful poll; where it never happened, how old the source was."""
    since = (context.about.created if context.about else None) if moment is None else moment
    as_of = context.snapshot.polled_at
    return None if since is None or as_of is None else as_of - since


def _allowed_age(context: Context) -> float:
    age = context.held_to.max_success_age
    return float("inf") if age is None else age


def _running_for(context: Context) -> float | None:
    as_of = context.snapshot.polled_at
    return None if as_of is None or context.oldest is None else as_of - context.oldest.started


def _usual_duration(context: Context) -> float | None:
    durations = context.history.durations if context.history else {}
    indexed = [histogram for status, histogram in durations.items() if status in INDEXED]
    count = sum(sum(histogram.counts) for histogram in indexed)
    return sum(histogram.sum for histogram in indexed) / count if count >= USUALLY else None

"""The problems of a data source: the alerts of deploy/prometheus/rules, evaluated for one snapshot.

A rule here has the kind and the severity of an alert, and its condition as of the last successful poll. A test compares
the rules with the alerts. `Service.alert` makes the name of a service's alert from a kind. Alerts that need past values
have no rule here, because a snapshot does not have these values.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from exporter.domain.model import SyncJobStatus
from exporter.domain.schedules.punctuality import GapOrigin
from exporter.domain.units import DAY, HOUR, MINUTE
from exporter.status.document_problems import added_nothing, documents_deleted, documents_failed, scanned_nothing
from exporter.status.formatting import format_duration, format_time
from exporter.status.timing import age_of, average_duration, judged_age, missed_firing, running_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.domain.model import SyncJob
    from exporter.domain.source_view import SourceView

# The constants of the alerts.
MIN_FAILURES_IN_A_ROW = 3
MIN_SYNCS_WITHOUT_CONTENT = 5
HALF_HOUR = 30 * MINUTE
SLOW_FACTOR = 3  # a sync is slow if it takes longer than this many times the average,
MIN_SLOW_SECONDS = HOUR  # and longer than this


class Severity(StrEnum):
    """The severities of the alerts, the most severe first."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem: the alert that reports it, if there is one, and a sentence.

    The sentence does not depend on the current time, so it stays the same until something changes. Its durations are as
    of the last successful poll.
    """

    alert: str | None
    severity: Severity
    text: str


@dataclass(frozen=True, slots=True)
class ProblemRule:
    """An alert as a function of one source, which returns the text of the problem, or None."""

    kind: str
    severity: Severity
    check: Callable[[SourceView], str | None]


def problem_to_json(problem: Problem) -> dict[str, Any]:
    """Return a problem as an object of the JSON API; `runbook` is relative to the address of the status page."""
    return {
        "alert": problem.alert,
        "severity": problem.severity,
        "text": problem.text,
        "runbook": f"runbooks/{problem.alert}" if problem.alert else None,
    }


def find_problems(view: SourceView) -> tuple[Problem, ...]:
    """Return the problems of a source, the most severe first."""
    service = view.snapshot.source.id.service
    checked = ((rule, rule.check(view)) for rule in RULES)
    return tuple(Problem(service.alert(rule.kind), rule.severity, text) for rule, text in checked if text)


def _failing_repeatedly(view: SourceView) -> str | None:
    failures = view.consecutive_failures or 0
    return f"The last {failures} syncs failed{_error_codes(view)}." if failures >= MIN_FAILURES_IN_A_ROW else None


def _without_content(view: SourceView) -> str | None:
    """Return the problem that many syncs indexed no content, unless their failures are reported already."""
    syncs = view.consecutive_without_content or 0
    if syncs < MIN_SYNCS_WITHOUT_CONTENT or _failing_repeatedly(view):
        return None
    return (
        f"The last {syncs} syncs indexed no content in the {_container(view)}: "
        "they were stopped, they failed, or all their documents failed."
    )


def _failed(view: SourceView) -> str | None:
    return f"The last sync failed{_error_codes(view)}." if _last_ended(view, SyncJobStatus.FAILED) else None


def _error_codes(view: SourceView) -> str:
    last = view.last_completed
    codes = " ".join(code for code in (last.error_code, last.connector_error) if code) if last else ""
    return f": {codes}" if codes else ""


def _no_success(view: SourceView) -> str | None:
    indexed, allowed = view.history.last_indexed if view.history else None, _max_success_age(view)
    age, judged = age_of(view, indexed), judged_age(view, indexed, "max_success_age")
    if age is None or judged is None or view.last_completed is None:
        return None
    if judged <= allowed or _is_delayed_only(view, judged):
        return None
    since = "" if indexed is not None else " (since its creation)"
    return f"No content indexed for {format_duration(age)}{since}, {_longer_than(allowed)}."


def _longer_than(objective: float) -> str:
    return f"longer than the objective of {format_duration(objective)}"


def _is_delayed_only(view: SourceView, age: float) -> bool:
    """Return whether a sync that started in time may still index content. Some syncs take a day."""
    running = running_for(view)
    return running is not None and age - running <= _max_success_age(view) and running <= view.objectives.max_duration


def _only_incomplete(view: SourceView) -> str | None:
    history, allowed = view.history, _max_success_age(view)
    if history is None or history.last_indexed is None:
        return None
    age, indexed_age = age_of(view, history.last_succeeded), age_of(view, history.last_indexed)
    judged = judged_age(view, history.last_succeeded, "max_success_age")
    if age is None or indexed_age is None or judged is None or judged <= allowed or indexed_age > allowed:
        return None
    content = f"syncs reach the {_container(view)}"
    return f"No complete sync for {format_duration(age)}: {content}, but end INCOMPLETE."


def _overdue(view: SourceView) -> str | None:
    firing = missed_firing(view)
    if firing is None or view.now - firing < HALF_HOUR:
        return None
    return f"The sync scheduled for {format_time(firing)} did not start."


def _no_recent_sync(view: SourceView) -> str | None:
    """Return the problem that no expected sync has started. With a schedule, firings are checked instead."""
    gap, last = view.expected_gap, view.last_completed
    if gap is None or gap.origin is GapOrigin.SCHEDULE or last is None or view.running:
        return None
    age, judged = age_of(view, last.started), judged_age(view, last.started, GapOrigin.EXPECTED_EVERY)
    if age is None or judged is None or judged <= gap.seconds:
        return None
    learned = ", as learned from earlier syncs" if gap.origin is GapOrigin.LEARNED else ""
    expected = f"one is expected at least every {format_duration(gap.seconds)}{learned}"
    return f"No sync has started for {format_duration(age)}: {expected}."


def _never_synced(view: SourceView) -> str | None:
    age = judged_age(view, None, "max_success_age")
    is_expected = view.has_schedule or view.objectives.max_success_age is not None
    if not is_expected or view.jobs or age is None or age <= DAY:
        return None
    waits = view.has_schedule and view.snapshot.source.id.service.terms.first_sync_is_manual
    advice = ": a schedule takes effect only after a first manual sync" if waits else ""
    return f"The data source has never been synced{advice}."


def _running_too_long(view: SourceView) -> str | None:
    age, allowed, running = running_for(view), view.objectives.max_duration, view.oldest_running
    judged = judged_age(view, running.started, "max_duration") if running else None
    if age is None or judged is None or judged <= allowed:
        return None
    return f"A sync has been running for {format_duration(age)}, {_longer_than(allowed)}."


def _slower_than_usual(view: SourceView) -> str | None:
    age, average = running_for(view), average_duration(view)
    if age is None or average is None or age <= max(SLOW_FACTOR * average, MIN_SLOW_SECONDS):
        return None
    return f"A sync has been running for {format_duration(age)}; the average is {format_duration(average)}."


def _not_active(view: SourceView) -> str | None:
    status, service = view.description.status if view.description else None, view.snapshot.source.id.service
    if not status or status in service.healthy_statuses:
        return None
    healthy = " or ".join(service.healthy_source_statuses)
    return f"The data source is {status}: only {healthy} data sources are synced."


def _schedule_not_parsed(view: SourceView) -> str | None:
    if not view.has_schedule or view.schedule is not None:
        return None
    return "The sync schedule cannot be parsed: overdue syncs are not detected."


def _stale(view: SourceView) -> str | None:
    polled_at, failure = view.snapshot.polled_at, view.snapshot.poll_failure
    if view.snapshot.poll_succeeded is not False:
        return None
    reason = f" ({failure.reason})" if failure else ""
    if polled_at is None:
        return f"Polls are failing{reason}: no poll has succeeded yet."
    is_old = view.now - polled_at >= HALF_HOUR
    return f"Polls are failing{reason}: the data is as of {format_time(polled_at)}." if is_old else None


RULES = (
    ProblemRule("NoSuccessfulSync", Severity.CRITICAL, _no_success),
    ProblemRule("SyncFailingRepeatedly", Severity.CRITICAL, _failing_repeatedly),
    ProblemRule("SyncsWithoutContent", Severity.WARNING, _without_content),
    ProblemRule("SyncFailed", Severity.WARNING, _failed),
    ProblemRule("SyncRunningTooLong", Severity.WARNING, _running_too_long),
    ProblemRule("SyncOverdue", Severity.WARNING, _overdue),
    ProblemRule("NoRecentSync", Severity.WARNING, _no_recent_sync),
    ProblemRule("NeverSynced", Severity.WARNING, _never_synced),
    ProblemRule("SyncIncomplete", Severity.WARNING, documents_failed),
    ProblemRule("SyncScannedNothing", Severity.WARNING, scanned_nothing),
    ProblemRule("FirstSyncAddedNothing", Severity.WARNING, added_nothing),
    ProblemRule("DocumentsDeletedInBulk", Severity.WARNING, documents_deleted),
    ProblemRule("DataSourceNotActive", Severity.WARNING, _not_active),
    ProblemRule("DataStale", Severity.WARNING, _stale),
    ProblemRule("OnlyIncompleteSyncs", Severity.INFO, _only_incomplete),
    ProblemRule("SyncSlowerThanUsual", Severity.INFO, _slower_than_usual),
    ProblemRule("ScheduleNotUnderstood", Severity.INFO, _schedule_not_parsed),
)


def _last_ended(view: SourceView, status: SyncJobStatus) -> SyncJob | None:
    """Return the last completed job if it has this status."""
    last = view.last_completed
    return last if last is not None and last.status == status else None


def _container(view: SourceView) -> str:
    return view.snapshot.source.id.service.container.text


def _max_success_age(view: SourceView) -> float:
    age = view.objectives.max_success_age
    return float("inf") if age is None else age

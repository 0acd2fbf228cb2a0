"""Panels with the history of one data source: sync status, durations, documents, errors and schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.grafana.generator import panels, styles

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.bargauge import Panel as BarGauge
    from grafana_foundation_sdk.builders.prometheus import Dataquery
    from grafana_foundation_sdk.builders.statetimeline import Panel as StateTimeline
    from grafana_foundation_sdk.builders.timeseries import Panel as TimeSeries

    from deploy.grafana.generator.queries import ServiceQueries

_OBJECTIVE = "objective"
_SINCE_START = "since last completed sync started"
_FIRINGS = (
    "data_source_previous_scheduled_sync_timestamp_seconds",
    "data_source_next_scheduled_sync_timestamp_seconds",
)


def sync_status(q: ServiceQueries) -> StateTimeline:
    """Return the timeline of the sync status."""
    return panels.state_timeline(
        "Sync status",
        f"Status of the latest sync and of the last completed sync over time, from {q.prefix}_sync_status and "
        f"{q.prefix}_last_completed_sync_status. A sync that is shorter than the poll interval may never appear as "
        "running.",
        panels.range_query(q.status_number("sync_status"), "latest", "latest"),
        panels.range_query(q.status_number("last_completed_sync_status"), "last completed", "ended"),
        height=5,
    )


def _indexed_sync_duration(q: ServiceQueries, part: str) -> str:
    """Return the sum or count of durations of the syncs that indexed content."""
    statuses = 'status=~"SUCCEEDED|INCOMPLETE"'
    duration = q.last_known(f"sync_job_duration_seconds_{part}", statuses)
    return f"sum({q.per_source(duration, 'status')})"


def sync_duration(q: ServiceQueries) -> TimeSeries:
    """Return the panel of sync durations and their average."""
    total, number = (_indexed_sync_duration(q, part) for part in ("sum", "count"))
    panel = panels.line_chart(
        "Sync duration",
        "Duration of the running sync and of the last completed sync, compared with the average and the max_duration "
        "objective. The average covers the watched syncs that indexed content. From "
        f"{q.prefix}_last_completed_sync_duration_seconds and {q.prefix}_sync_job_duration_seconds.",
        panels.range_query(q.current("last_completed_sync_duration_seconds"), "last completed", "last"),
        panels.range_query(f"clamp_min({q.running_time}, 1)", "running", "running"),
        panels.range_query(f"{total} / ({number} > 0)", "average", "average"),
        panels.range_query(q.max_duration, _OBJECTIVE, "objective"),
        unit="s",
    )
    colours = {"last completed": styles.GOOD, "running": styles.NEUTRAL, "average": styles.MUTED}
    return panels.logarithmic(panels.with_limit_line(panels.with_colours(panel, colours), _OBJECTIVE))


def last_sync_documents(q: ServiceQueries) -> TimeSeries:
    """Return the panel of the document counts of the last completed sync."""
    kinds = [kind for kind in q.document_kinds if kind != "scanned"]
    queries = [panels.range_query(q.current(f"last_completed_sync_documents_{kind}"), kind, kind) for kind in kinds]
    panel = panels.line_chart(
        "Documents of the last completed sync",
        f"From {q.prefix}_last_completed_sync_documents_*. A missing line is not 0: AWS does not report the value.",
        *queries,
        unit="locale",
    )
    return panels.with_colours(panel, styles.document_colours(kinds))


def scanned_documents(q: ServiceQueries) -> TimeSeries:
    """Return the panel of scanned documents and their usual minimum."""
    usual = q.recorded("last_completed_sync_documents_scanned:quartile2w")
    custom = " CUSTOM data sources do not report scanned documents." if q.service.terms.custom_syncs else ""
    objective = q.latest("data_source_objective_min_documents_scanned")
    panel = panels.line_chart(
        "Documents scanned",
        "Documents scanned by the last completed sync and by the running sync, compared with the usual minimum and "
        "the min_documents_scanned objective. The usual minimum is the lower quartile of two weeks, from a recording "
        f"rule, available after a day. A drop to nearly 0 means that the connector finds an empty source.{custom}",
        panels.range_query(q.current("last_completed_sync_documents_scanned"), "last completed", "last"),
        panels.range_query(q.current("running_sync_documents_scanned"), "running", "running"),
        panels.range_query(usual, "usual minimum", "usual"),
        panels.range_query(objective, _OBJECTIVE, "objective"),
        unit="locale",
    )
    colours = {"last completed": styles.GOOD, "running": styles.NEUTRAL, "usual minimum": styles.MUTED}
    return panels.with_limit_line(panels.with_colours(panel, colours), _OBJECTIVE)


def failed_ratio(q: ServiceQueries) -> TimeSeries:
    """Return the panel of the ratio of failed documents."""
    panel = panels.line_chart(
        "Failed document ratio",
        "Failed documents of the last completed sync as a share of the scanned documents, from a recording rule, "
        "compared with the max_failed_ratio objective. If AWS does not report scanned documents: as a share of all "
        "added, modified, deleted and failed documents.",
        panels.range_query(q.recorded("last_completed_sync_documents_failed:ratio"), "failed", "failed"),
        panels.range_query(q.latest("data_source_objective_max_failed_ratio"), _OBJECTIVE, "objective"),
        unit="percentunit",
    )
    return panels.with_limit_line(panels.with_colours(panel, {"failed": styles.NOTICE}), _OBJECTIVE).min(0)


def _failures_by_reason(q: ServiceQueries, over: str) -> str:
    return f"sum by (reason) ({q.failures(over)})"


def failed_syncs(q: ServiceQueries) -> TimeSeries:
    """Return the panel of failed syncs by reason."""
    return panels.bar_chart(
        "Failed syncs by reason",
        f"FAILED syncs in each interval by reason, from {q.prefix}_sync_job_failures_total. The reason is the "
        "connector's error code, or the API's error code if there is none.",
        panels.range_query(f"{_failures_by_reason(q, '$__rate_interval')} > 0", "{{reason}}"),
        width=10,
    ).color_scheme(styles.shades(styles.BAD))


def top_failure_reasons(q: ServiceQueries) -> BarGauge:
    """Return the panel of the most frequent reasons of failed syncs."""
    return panels.bar_gauge(
        "Top failure reasons",
        "FAILED syncs in the time range by reason. Syncs that ended before the exporter first watched the data source "
        "are not counted. The status page has the full error text.",
        panels.instant_query(f"topk(6, {_failures_by_reason(q, '$__range')} > 0)", "{{reason}}"),
        width=6,
    ).color_scheme(styles.fixed(styles.BAD))


def content_age(q: ServiceQueries) -> TimeSeries:
    """Return the panel of the content age."""
    succeeded = q.age(q.last_known("last_successful_sync_timestamp_seconds"))
    panel = panels.line_chart(
        "Content age vs. objective",
        "Time since a sync last ended SUCCEEDED or INCOMPLETE, and since a sync last ended SUCCEEDED, compared with "
        "the max_success_age objective. Each such sync resets the age to 0. A line that keeps rising means that "
        "syncs fail or do not start.",
        panels.range_query(q.content_age, "last indexed", "indexed"),
        panels.range_query(succeeded, "last succeeded", "succeeded"),
        panels.range_query(q.max_age, _OBJECTIVE, "objective"),
        unit="s",
    )
    colours = {"last indexed": styles.NEUTRAL, "last succeeded": styles.GOOD}
    return panels.with_limit_line(panels.with_colours(panel, colours), _OBJECTIVE).min(0)


def schedule(q: ServiceQueries) -> TimeSeries:
    """Return the panel that compares the starts of syncs with the schedule or with the expected gap."""
    started = q.age(q.last_known("last_completed_sync_start_timestamp_seconds"))
    since_start = panels.range_query(started, _SINCE_START, "started")
    return _firings(q, since_start) if q.has(_FIRINGS[0]) else _gap(q, since_start)


def _firings(q: ServiceQueries, since_start: Dataquery) -> TimeSeries:
    previous, upcoming = (q.last_known(firing) for firing in _FIRINGS)
    panel = panels.line_chart(
        "Schedule and sync starts",
        "Time since the previous scheduled time, until the next scheduled time, and since the last completed sync "
        "started. If syncs start on schedule, the first and the third line coincide. No data: syncs run on demand.",
        panels.range_query(q.age(previous), "since previous scheduled time", "previous"),
        panels.range_query(q.per_source(f"{upcoming} - {q.as_of}"), "until next scheduled time", "next"),
        since_start,
        unit="s",
    )
    colours = {
        "since previous scheduled time": styles.NEUTRAL,
        "until next scheduled time": styles.MUTED,
        _SINCE_START: styles.GOOD,
    }
    return panels.with_colours(panel, colours).min(0)


def _gap(q: ServiceQueries, since_start: Dataquery) -> TimeSeries:
    panel = panels.line_chart(
        "Expected gap and sync starts",
        "Time since the last completed sync started, compared with the longest expected gap: by the schedule, "
        "expected_every or earlier syncs. A line above the gap means that no sync has started in time.",
        since_start,
        panels.range_query(q.latest("data_source_expected_sync_gap_seconds"), "expected gap", "gap"),
        unit="s",
    )
    return panels.with_limit_line(panels.with_colours(panel, {_SINCE_START: styles.GOOD}), "expected gap").min(0)

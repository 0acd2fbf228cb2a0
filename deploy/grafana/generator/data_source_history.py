"""Panels with the history of one data source: sync status, durations, documents, errors and schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.grafana.generator import panels, styles
from deploy.grafana.generator.queries import (
    AS_OF,
    RUNNING_TIME,
    SOURCE,
    age,
    current,
    increase,
    last_known,
    latest,
    per_source,
    recorded,
    status_number,
    with_reason,
)

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.bargauge import Panel as BarGauge
    from grafana_foundation_sdk.builders.statetimeline import Panel as StateTimeline
    from grafana_foundation_sdk.builders.timeseries import Panel as TimeSeries

_OBJECTIVE = "objective"
_CONTENT_AGE = age(last_known("qbusiness_last_indexed_sync_timestamp_seconds"))
_MAX_AGE = latest("qbusiness_data_source_objective_max_success_age_seconds")
_MAX_DURATION = latest("qbusiness_data_source_objective_max_duration_seconds")
_MAX_FAILED = latest("qbusiness_data_source_objective_max_failed_ratio")
_FAILED_RATIO = recorded("data_source:qbusiness_last_completed_sync_documents_failed:ratio")


def sync_status() -> StateTimeline:
    """Return the timeline of the sync status."""
    return panels.state_timeline(
        "Sync status",
        "Status of the latest sync and of the last completed sync over time, from qbusiness_sync_status and "
        "qbusiness_last_completed_sync_status. A sync that is shorter than the poll interval may never appear as "
        "running.",
        panels.range_query(status_number("qbusiness_sync_status"), "latest", "latest"),
        panels.range_query(status_number("qbusiness_last_completed_sync_status"), "last completed", "ended"),
        height=5,
    )


def _indexed_sync_duration(part: str) -> str:
    """Return the sum or count of durations of the syncs that reached the index."""
    statuses = 'status=~"SUCCEEDED|INCOMPLETE"'
    duration = last_known(f"qbusiness_sync_job_duration_seconds_{part}", statuses)
    return f"sum({per_source(duration, f'{SOURCE}, status')})"


def sync_duration() -> TimeSeries:
    """Return the panel of sync durations and their average."""
    total, number = (_indexed_sync_duration(part) for part in ("sum", "count"))
    panel = panels.line_chart(
        "Sync duration",
        "Duration of the running sync and of the last completed sync, compared with the average and the max_duration "
        "objective. The average covers the watched syncs that reached the index. From "
        "qbusiness_last_completed_sync_duration_seconds and qbusiness_sync_job_duration_seconds.",
        panels.range_query(current("qbusiness_last_completed_sync_duration_seconds"), "last completed", "last"),
        panels.range_query(f"clamp_min({RUNNING_TIME}, 1)", "running", "running"),
        panels.range_query(f"{total} / ({number} > 0)", "average", "average"),
        panels.range_query(_MAX_DURATION, _OBJECTIVE, "objective"),
        unit="s",
    )
    colours = {"last completed": styles.GOOD, "running": styles.NEUTRAL, "average": styles.MUTED}
    return panels.logarithmic(panels.with_limit_line(panels.with_colours(panel, colours), _OBJECTIVE))


def last_sync_documents() -> TimeSeries:
    """Return the panel of the document counts of the last completed sync."""
    queries = [
        panels.range_query(current(f"qbusiness_last_completed_sync_documents_{kind}"), kind, kind)
        for kind in styles.DOCUMENT_COLOURS
        if kind != "scanned"
    ]
    panel = panels.line_chart(
        "Documents of the last completed sync",
        "From qbusiness_last_completed_sync_documents_*. A missing line is not 0: AWS does not report the value.",
        *queries,
        unit="locale",
    )
    return panels.with_colours(panel, styles.DOCUMENT_COLOURS)


def scanned_documents() -> TimeSeries:
    """Return the panel of scanned documents and their usual minimum."""
    usual = recorded("data_source:qbusiness_last_completed_sync_documents_scanned:quartile2w")
    objective = latest("qbusiness_data_source_objective_min_documents_scanned")
    panel = panels.line_chart(
        "Documents scanned",
        "Documents scanned by the last completed sync and by the running sync, compared with the usual minimum and "
        "the min_documents_scanned objective. The usual minimum is the lower quartile of two weeks, from a recording "
        "rule, available after a day. A drop to nearly 0 means that the connector finds an empty source. CUSTOM data "
        "sources do not report scanned documents.",
        panels.range_query(current("qbusiness_last_completed_sync_documents_scanned"), "last completed", "last"),
        panels.range_query(current("qbusiness_running_sync_documents_scanned"), "running", "running"),
        panels.range_query(usual, "usual minimum", "usual"),
        panels.range_query(objective, _OBJECTIVE, "objective"),
        unit="locale",
    )
    colours = {"last completed": styles.GOOD, "running": styles.NEUTRAL, "usual minimum": styles.MUTED}
    return panels.with_limit_line(panels.with_colours(panel, colours), _OBJECTIVE)


def failed_ratio() -> TimeSeries:
    """Return the panel of the ratio of failed documents."""
    panel = panels.line_chart(
        "Failed document ratio",
        "Failed documents of the last completed sync as a share of the scanned documents, from a recording rule, "
        "compared with the max_failed_ratio objective. If AWS does not report scanned documents: as a share of all "
        "added, modified, deleted and failed documents.",
        panels.range_query(_FAILED_RATIO, "failed", "failed"),
        panels.range_query(_MAX_FAILED, _OBJECTIVE, "objective"),
        unit="percentunit",
    )
    return panels.with_limit_line(panels.with_colours(panel, {"failed": styles.NOTICE}), _OBJECTIVE).min(0)


def _failures_by_reason(over: str) -> str:
    failures = increase("qbusiness_sync_job_failures_total", by="error_code, connector_error_code", over=over)
    return f"sum by (reason) ({with_reason(failures)})"


def failed_syncs() -> TimeSeries:
    """Return the panel of failed syncs by reason."""
    return panels.bar_chart(
        "Failed syncs by reason",
        "FAILED syncs in each interval by reason, from qbusiness_sync_job_failures_total. The reason is the "
        "connector's error code, or the API's error code if there is none.",
        panels.range_query(f"{_failures_by_reason('$__rate_interval')} > 0", "{{reason}}"),
        width=10,
    ).color_scheme(styles.shades(styles.BAD))


def top_failure_reasons() -> BarGauge:
    """Return the panel of the most frequent reasons of failed syncs."""
    return panels.bar_gauge(
        "Top failure reasons",
        "FAILED syncs in the time range by reason. Syncs that ended before the exporter first watched the data source "
        "are not counted. The status page has the full error text.",
        panels.instant_query(f"topk(6, {_failures_by_reason('$__range')} > 0)", "{{reason}}"),
        width=6,
    ).color_scheme(styles.fixed(styles.BAD))


def content_age() -> TimeSeries:
    """Return the panel of the content age."""
    succeeded = age(last_known("qbusiness_last_successful_sync_timestamp_seconds"))
    panel = panels.line_chart(
        "Content age vs. objective",
        "Time since a sync last ended SUCCEEDED or INCOMPLETE, and since a sync last ended SUCCEEDED, compared with "
        "the max_success_age objective. Each such sync resets the age to 0. A line that keeps rising means that "
        "syncs fail or do not start.",
        panels.range_query(_CONTENT_AGE, "last indexed", "indexed"),
        panels.range_query(succeeded, "last succeeded", "succeeded"),
        panels.range_query(_MAX_AGE, _OBJECTIVE, "objective"),
        unit="s",
    )
    colours = {"last indexed": styles.NEUTRAL, "last succeeded": styles.GOOD}
    return panels.with_limit_line(panels.with_colours(panel, colours), _OBJECTIVE).min(0)


def schedule() -> TimeSeries:
    """Return the panel that compares scheduled times with the starts of syncs."""
    previous = last_known("qbusiness_data_source_previous_scheduled_sync_timestamp_seconds")
    upcoming = last_known("qbusiness_data_source_next_scheduled_sync_timestamp_seconds")
    started = last_known("qbusiness_last_completed_sync_start_timestamp_seconds")
    panel = panels.line_chart(
        "Schedule and sync starts",
        "Time since the previous scheduled time, until the next scheduled time, and since the last completed sync "
        "started. If syncs start on schedule, the first and the third line coincide. No data: syncs run on demand.",
        panels.range_query(age(previous), "since previous scheduled time", "previous"),
        panels.range_query(per_source(f"{upcoming} - {AS_OF}"), "until next scheduled time", "next"),
        panels.range_query(age(started), "since last completed sync started", "started"),
        unit="s",
    )
    colours = {
        "since previous scheduled time": styles.NEUTRAL,
        "until next scheduled time": styles.MUTED,
        "since last completed sync started": styles.GOOD,
    }
    return panels.with_colours(panel, colours).min(0)

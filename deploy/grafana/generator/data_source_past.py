"""How one data source has fared: runs, durations, documents, errors, schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.grafana.generator import looks, panels
from deploy.grafana.generator.queries import (
    AS_OF,
    CHOSEN,
    RUNNING_FOR,
    SOURCE,
    age,
    current,
    known,
    latest,
    of_source,
    reason,
    risen,
    status_number,
)

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.bargauge import Panel as Ranking
    from grafana_foundation_sdk.builders.statetimeline import Panel as Strips
    from grafana_foundation_sdk.builders.timeseries import Panel as Lines

_OBJECTIVE = "objective"
_INDEXED = age(known("qbusiness_last_indexed_sync_timestamp_seconds"))
_MAX_AGE = latest("qbusiness_data_source_objective_max_success_age_seconds")
_MAX_DURATION = latest("qbusiness_data_source_objective_max_duration_seconds")
_MAX_FAILED = latest("qbusiness_data_source_objective_max_failed_ratio")
_FAILED_RATIO = of_source(f"data_source:qbusiness_last_completed_sync_documents_failed:ratio{{{CHOSEN}}}")


def runs() -> Strips:
    """Draw what the source was doing."""
    return panels.strips(
        "Status of the latest sync, and of the last that ended",
        "Both statuses over time, from qbusiness_sync_status and qbusiness_last_completed_sync_status. Syncs that are "
        "shorter than the interval between polls may not be seen running.",
        panels.over_time(status_number("qbusiness_sync_status"), "latest", "latest"),
        panels.over_time(status_number("qbusiness_last_completed_sync_status"), "last ended", "ended"),
        height=5,
    )


def _of_those_that_reached_the_index(part: str) -> str:
    statuses = 'status=~"SUCCEEDED|INCOMPLETE"'
    return f"sum({of_source(known(f'qbusiness_sync_job_duration_seconds_{part}', statuses), f'{SOURCE}, status')})"


def durations() -> Lines:
    """Draw how long syncs take, and usually take."""
    total, number = (_of_those_that_reached_the_index(part) for part in ("sum", "count"))
    panel = panels.lines(
        "Duration against its past",
        "How long the sync in progress has run and the last one took, against what syncs that reached the index took "
        "on average while watched, and the objective max_duration. From "
        "qbusiness_last_completed_sync_duration_seconds and qbusiness_sync_job_duration_seconds.",
        panels.over_time(current("qbusiness_last_completed_sync_duration_seconds"), "last ended", "last"),
        panels.over_time(f"clamp_min({RUNNING_FOR}, 1)", "in progress", "running"),
        panels.over_time(f"{total} / ({number} > 0)", "average", "average"),
        panels.over_time(_MAX_DURATION, _OBJECTIVE, "objective"),
        unit="s",
    )
    colours = {"last ended": looks.GOOD, "in progress": looks.CALM, "average": looks.MUTED}
    return panels.logarithmic(panels.limit_line(panels.coloured(panel, colours), _OBJECTIVE))


def last_documents() -> Lines:
    """Draw the figures of the last sync."""
    queries = [
        panels.over_time(current(f"qbusiness_last_completed_sync_documents_{kind}"), kind, kind)
        for kind in looks.DOCUMENT_COLOURS
        if kind != "scanned"
    ]
    panel = panels.lines(
        "Documents of the last ended sync",
        "From qbusiness_last_completed_sync_documents_*. A line that is missing: AWS did not say, which is not 0.",
        *queries,
        unit="locale",
    )
    return panels.coloured(panel, looks.DOCUMENT_COLOURS)


def scanned() -> Lines:
    """Draw how much the connector saw."""
    usual = of_source(f"data_source:qbusiness_last_completed_sync_documents_scanned:quartile2w{{{CHOSEN}}}")
    panel = panels.lines(
        "Documents scanned, against what is usual",
        "Documents scanned by the last ended sync and by the one in progress, against the lower quartile of two weeks "
        "(a recording rule, there once the data source was watched for a day) and the objective "
        "min_documents_scanned. A fall to next to nothing: the connector sees an empty source. CUSTOM data sources do "
        "not say what they scan.",
        panels.over_time(current("qbusiness_last_completed_sync_documents_scanned"), "last ended", "last"),
        panels.over_time(current("qbusiness_running_sync_documents_scanned"), "in progress", "running"),
        panels.over_time(usual, "usual at least", "usual"),
        panels.over_time(latest("qbusiness_data_source_objective_min_documents_scanned"), _OBJECTIVE, "objective"),
        unit="locale",
    )
    colours = {"last ended": looks.GOOD, "in progress": looks.CALM, "usual at least": looks.MUTED}
    return panels.limit_line(panels.coloured(panel, colours), _OBJECTIVE)


def failed_ratio() -> Lines:
    """Draw the share of documents that failed."""
    panel = panels.lines(
        "Share of documents that failed",
        "Failed documents of the last ended sync among those scanned, or among those touched where AWS does not say "
        "what was scanned (a recording rule), against the objective max_failed_ratio.",
        panels.over_time(_FAILED_RATIO, "failed", "failed"),
        panels.over_time(_MAX_FAILED, _OBJECTIVE, "objective"),
        unit="percentunit",
    )
    return panels.limit_line(panels.coloured(panel, {"failed": looks.NOTICE}), _OBJECTIVE).min(0)


def _failed_by_reason(over: str) -> str:
    failures = risen("qbusiness_sync_job_failures_total", by="error_code, connector_error_code", over=over)
    return f"sum by (reason) ({reason(failures)})"


def failures() -> Lines:
    """Draw failed syncs by reason."""
    return panels.bars(
        "Failed syncs by reason",
        "FAILED syncs in each interval by the connector's error code where there is one, else the API's, from "
        "qbusiness_sync_job_failures_total.",
        panels.over_time(f"{_failed_by_reason('$__rate_interval')} > 0", "{{reason}}"),
        width=10,
    ).color_scheme(looks.shades(looks.BAD))


def reasons() -> Ranking:
    """Rank the reasons of failed syncs."""
    return panels.ranking(
        "Reasons in the time range",
        "FAILED syncs in the time range by reason. Syncs that had ended before the exporter first watched are not "
        "counted. The whole error text is on the status page.",
        panels.now(f"topk(6, {_failed_by_reason('$__range')} > 0)", "{{reason}}"),
        width=6,
    ).color_scheme(looks.fixed(looks.BAD))


def content_age() -> Lines:
    """Draw how old what the index has is."""
    panel = panels.lines(
        "Content age against its objective",
        "Time since a sync last ended SUCCEEDED or INCOMPLETE, and since one last ended SUCCEEDED, against the "
        "objective max_success_age. Falls to the ground with each sync; what keeps rising is in trouble.",
        panels.over_time(_INDEXED, "last indexed", "indexed"),
        panels.over_time(age(known("qbusiness_last_successful_sync_timestamp_seconds")), "last succeeded", "succeeded"),
        panels.over_time(_MAX_AGE, _OBJECTIVE, "objective"),
        unit="s",
    )
    colours = {"last indexed": looks.CALM, "last succeeded": looks.GOOD}
    return panels.limit_line(panels.coloured(panel, colours), _OBJECTIVE).min(0)


def schedule() -> Lines:
    """Draw when syncs should have come, and came."""
    previous = known("qbusiness_data_source_previous_scheduled_sync_timestamp_seconds")
    started = known("qbusiness_last_completed_sync_start_timestamp_seconds")
    panel = panels.lines(
        "Schedule against syncs",
        "Time since the schedule last fired, until it fires next, and since the last ended sync started. A sync that "
        "keeps to its schedule starts when it fires: then the first and the last line lie together. No data: synced "
        "on demand.",
        panels.over_time(age(previous), "since the schedule fired", "previous"),
        panels.over_time(
            of_source(f"{known('qbusiness_data_source_next_scheduled_sync_timestamp_seconds')} - {AS_OF}"),
            "until it fires next",
            "next",
        ),
        panels.over_time(age(started), "since the last ended sync started", "started"),
        unit="s",
    )
    colours = {"since the schedule fired": looks.CALM, "until it fires next": looks.MUTED}
    return panels.coloured(panel, colours | {"since the last ended sync started": looks.GOOD}).min(0)

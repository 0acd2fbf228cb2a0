"""The overview dashboard: active alerts of all data sources, their causes, and the history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders.dashboard import Row

from deploy.grafana.generator import activity, alert_tables, base, data_source_table, panels, styles
from deploy.grafana.generator.links import OVERVIEW
from deploy.grafana.generator.queries import (
    AS_OF,
    FRESHEST,
    RUNNING_TIME,
    age,
    count,
    count_zeros,
    has_status,
    increase,
    last_known,
    latest,
    per_source,
    status_number,
    top_sources,
    with_reason,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grafana_foundation_sdk.builders.bargauge import Panel as BarGauge
    from grafana_foundation_sdk.builders.dashboard import Dashboard
    from grafana_foundation_sdk.builders.stat import Panel as Stat
    from grafana_foundation_sdk.builders.statetimeline import Panel as StateTimeline

_NAME = "{{application}} / {{data_source}}"
_MAX_AGE = latest("qbusiness_data_source_objective_max_success_age_seconds")
_MAX_DURATION = latest("qbusiness_data_source_objective_max_duration_seconds")
_CONTENT_AGE = age(last_known("qbusiness_last_indexed_sync_timestamp_seconds"))
_FAILED_IN_A_ROW = "qbusiness_consecutive_failed_syncs"


def dashboard() -> Dashboard:
    """Return the overview dashboard."""
    description = "Active alerts of all data sources with their causes, and the history of syncs and documents."
    board = base.new_dashboard(OVERVIEW, description, [base.application_variable(), base.data_source_variable()])
    board = board.annotation(base.failed_sync_annotation(enabled=False))
    for stat in _stats():
        board = board.with_panel(stat)
    board = board.with_panel(alert_tables.data_sources_with_alerts()).with_panel(alert_tables.other_alerts())
    board = board.with_row(Row("Causes and objectives"))
    for gauge in _bar_gauges():
        board = board.with_panel(gauge)
    board = board.with_row(Row("History"))
    board = board.with_panel(_timeline())
    board = board.with_panel(activity.completed_syncs()).with_panel(activity.document_changes())
    return board.with_row(Row("All data sources")).with_panel(data_source_table.all_data_sources())


def _stats() -> Iterator[Stat]:
    red, orange = styles.thresholds(styles.GOOD, (1, styles.BAD)), styles.thresholds(styles.GOOD, (1, "orange"))
    yield panels.stat_panel(
        "Data sources",
        f"Data sources that the exporter has polled, from the recording rule {FRESHEST}. No data: Prometheus does not "
        "scrape the exporter, or has not loaded deploy/prometheus/rules. Then no panel of this dashboard has valid "
        "data.",
        panels.instant_query(f"count(count by (data_source_id) ({AS_OF}))"),
        "none seen",
        thresholds=styles.thresholds(styles.NEUTRAL),
    )
    yield panels.stat_panel(
        "Last sync failed",
        "Data sources whose last completed sync is FAILED, from qbusiness_last_completed_sync_status.",
        panels.instant_query(count(has_status("qbusiness_last_completed_sync_status", "FAILED"))),
        thresholds=red,
    )
    yield panels.stat_panel(
        "Repeated failures",
        f"Data sources with at least three consecutive FAILED syncs, from {_FAILED_IN_A_ROW}.",
        panels.instant_query(count(f"{latest(_FAILED_IN_A_ROW)} >= 3")),
        thresholds=red,
    )
    yield panels.stat_panel(
        "Content too old",
        "Data sources whose content age exceeds the max_success_age objective. Data sources without a schedule are "
        "counted only if the configuration sets this objective for them.",
        panels.instant_query(count(f"{_CONTENT_AGE} > {_MAX_AGE}")),
        thresholds=red,
    )
    yield panels.stat_panel(
        "Overrunning syncs",
        "Data sources with a sync that has been running for longer than the max_duration objective.",
        panels.instant_query(count(f"{RUNNING_TIME} > {_MAX_DURATION}")),
        thresholds=orange,
    )
    yield panels.stat_panel(
        "Running syncs",
        "Data sources with a running sync, from qbusiness_sync_running.",
        panels.instant_query(count(f"{latest('qbusiness_sync_running')} > 0")),
        thresholds=styles.thresholds(styles.NEUTRAL),
    )
    polled = per_source(last_known("qbusiness_poll_success"))
    yield panels.stat_panel(
        "Failing polls",
        "Data sources whose last poll failed on every replica of the exporter, from qbusiness_poll_success. Their "
        "values on this dashboard are from the last successful poll.",
        panels.instant_query(count_zeros(polled)),
        thresholds=orange,
    )
    yield panels.stat_panel(
        "Oldest poll",
        "Time since the last successful poll, for the data source where it is longest. The accuracy depends on the "
        "clocks of AWS and Prometheus. The exporter polls idle data sources every polling.idle_interval, 5 minutes by "
        "default.",
        panels.instant_query(f"max(clamp_min(time() - {per_source(AS_OF)}, 0))"),
        unit="s",
        decimals=0,
        thresholds=styles.thresholds(styles.GOOD, (900, "orange"), (3600, styles.BAD)),
    )


def _bar_gauges() -> Iterator[BarGauge]:
    failures = increase("qbusiness_sync_job_failures_total", by="error_code, connector_error_code", over="$__range")
    yield panels.bar_gauge(
        "Top failure reasons",
        "FAILED syncs in the time range by reason, from qbusiness_sync_job_failures_total. The reason is the "
        "connector's error code, or the API's error code if there is none. Syncs that ended before the exporter first "
        "watched the data source are not counted.",
        panels.instant_query(f"topk(6, sum by (reason) ({with_reason(failures)}) > 0)", "{{reason}}"),
    ).color_scheme(styles.fixed(styles.BAD))
    yield panels.bar_gauge(
        "Content age vs. objective",
        "Time since a sync last reached the index, as a share of the max_success_age objective. Above 100%, the "
        "content is too old. Data sources without this objective are not included.",
        panels.instant_query(f"topk(6, {_CONTENT_AGE} / {_MAX_AGE})", _NAME),
        unit="percentunit",
        decimals=0,
        maximum=1,
        thresholds=styles.thresholds(styles.GOOD, (0.8, "orange"), (1, styles.BAD)),
    )
    yield panels.bar_gauge(
        "Running time vs. objective",
        "Elapsed time of running syncs, as a share of the max_duration objective. Above 100%, the sync runs "
        "too long. Index maintenance alone can delay a sync for a day.",
        panels.instant_query(f"topk(6, {RUNNING_TIME} / {_MAX_DURATION})", _NAME),
        unit="percentunit",
        decimals=1,
        maximum=1,
        thresholds=styles.thresholds(styles.NEUTRAL, (0.8, "orange"), (1, styles.BAD)),
    )


def _timeline() -> StateTimeline:
    most_failures = latest(_FAILED_IN_A_ROW, at=" @ end()")
    return panels.state_timeline(
        "Last completed sync by data source",
        "The status of the last completed sync over time, from qbusiness_last_completed_sync_status: red from the "
        "first failure until the next success. Limited to the twenty data sources with the most consecutive failures "
        "now.",
        panels.range_query(top_sources(status_number("qbusiness_last_completed_sync_status"), most_failures), _NAME),
    )

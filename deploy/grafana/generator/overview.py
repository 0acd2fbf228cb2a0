"""The overview dashboard: active alerts of all data sources, their causes, and the history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders.dashboard import Row

from deploy.grafana.generator import activity, alert_tables, base, data_source_table, panels, styles
from deploy.grafana.generator.links import OVERVIEW
from deploy.grafana.generator.queries import count_zeros, top_sources
from exporter.rules.templates import sentence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grafana_foundation_sdk.builders.bargauge import Panel as BarGauge
    from grafana_foundation_sdk.builders.dashboard import Dashboard
    from grafana_foundation_sdk.builders.stat import Panel as Stat
    from grafana_foundation_sdk.builders.statetimeline import Panel as StateTimeline

    from deploy.grafana.generator.queries import ServiceQueries

_FAILED_IN_A_ROW = "consecutive_failed_syncs"


def dashboard(q: ServiceQueries) -> Dashboard:
    """Return the overview dashboard."""
    description = "Active alerts of all data sources with their causes, and the history of syncs and documents."
    board = base.service_dashboard(q, OVERVIEW, description, [base.root_variable(q), base.data_source_variable(q)])
    board = board.annotation(base.failed_sync_annotation(q, enabled=False))
    for stat in _stats(q):
        board = board.with_panel(stat)
    board = board.with_panel(alert_tables.data_sources_with_alerts(q)).with_panel(alert_tables.other_alerts(q))
    board = board.with_row(Row("Causes and objectives"))
    for gauge in _bar_gauges(q):
        board = board.with_panel(gauge)
    board = board.with_row(Row("History"))
    board = board.with_panel(_timeline(q))
    board = board.with_panel(activity.completed_syncs(q)).with_panel(activity.document_changes(q))
    return board.with_row(Row("All data sources")).with_panel(data_source_table.all_data_sources(q))


def _stats(q: ServiceQueries) -> Iterator[Stat]:
    red, orange = styles.thresholds(styles.GOOD, (1, styles.BAD)), styles.thresholds(styles.GOOD, (1, "orange"))
    yield panels.stat_panel(
        "Data sources",
        f"Data sources that the exporter has polled, from the recording rule {q.freshest}. No data: Prometheus does "
        "not scrape the exporter, or has not loaded deploy/prometheus/rules. Then no panel of this dashboard has valid "
        "data.",
        panels.instant_query(f"count(count by (data_source_id) ({q.as_of}))"),
        "none seen",
        thresholds=styles.thresholds(styles.NEUTRAL),
    )
    yield panels.stat_panel(
        "Last sync failed",
        f"Data sources whose last completed sync is FAILED, from {q.prefix}_last_completed_sync_status.",
        panels.instant_query(q.count(q.has_status("last_completed_sync_status", "FAILED"))),
        thresholds=red,
    )
    yield panels.stat_panel(
        "Repeated failures",
        f"Data sources with at least three consecutive FAILED syncs, from {q.prefix}_{_FAILED_IN_A_ROW}.",
        panels.instant_query(q.count(f"{q.latest(_FAILED_IN_A_ROW)} >= 3")),
        thresholds=red,
    )
    yield panels.stat_panel(
        "Content too old",
        "Data sources whose content age exceeds the max_success_age objective. Data sources without a schedule are "
        "counted only if the configuration sets this objective for them.",
        panels.instant_query(q.count(f"{q.content_age} > {q.max_age}")),
        thresholds=red,
    )
    yield panels.stat_panel(
        "Overrunning syncs",
        "Data sources with a sync that has been running for longer than the max_duration objective.",
        panels.instant_query(q.count(f"{q.running_time} > {q.max_duration}")),
        thresholds=orange,
    )
    yield panels.stat_panel(
        "Running syncs",
        f"Data sources with at least one running sync, from {q.prefix}_sync_running.",
        panels.instant_query(q.count(f"{q.latest('sync_running')} > 0")),
        thresholds=styles.thresholds(styles.NEUTRAL),
    )
    polled = q.per_source(q.last_known("poll_success"))
    yield panels.stat_panel(
        "Failing polls",
        f"Data sources whose last poll failed on every replica of the exporter, from {q.prefix}_poll_success. Their "
        "values on this dashboard are from the last successful poll.",
        panels.instant_query(count_zeros(polled)),
        thresholds=orange,
    )
    yield panels.stat_panel(
        "Oldest poll",
        "Time since the last successful poll, for the data source where it is longest. The accuracy depends on the "
        "clocks of AWS and Prometheus. The exporter polls idle data sources every polling.idle_interval, 5 minutes by "
        "default.",
        panels.instant_query(f"max(clamp_min(time() - {q.per_source(q.as_of)}, 0))"),
        unit="s",
        decimals=0,
        thresholds=styles.thresholds(styles.GOOD, (900, "orange"), (3600, styles.BAD)),
    )


def _bar_gauges(q: ServiceQueries) -> Iterator[BarGauge]:
    yield panels.bar_gauge(
        "Top failure reasons",
        f"FAILED syncs in the time range by reason, from {q.prefix}_sync_job_failures_total. The reason is the "
        "connector's error code, or the API's error code if there is none. Syncs that ended before the exporter first "
        "watched the data source are not counted.",
        panels.instant_query(f"topk(6, sum by (reason) ({q.failures('$__range')}) > 0)", "{{reason}}"),
    ).color_scheme(styles.fixed(styles.BAD))
    yield panels.bar_gauge(
        "Content age vs. objective",
        f"Time since a sync last reached the {q.service.container.text}, as a share of the max_success_age objective. "
        "Above 100%, the content is too old. Data sources without this objective are not included.",
        panels.instant_query(f"topk(6, {q.content_age} / {q.max_age})", q.source_legend),
        unit="percentunit",
        decimals=0,
        maximum=1,
        thresholds=styles.thresholds(styles.GOOD, (0.8, "orange"), (1, styles.BAD)),
    )
    yield panels.bar_gauge(
        "Running time vs. objective",
        "Elapsed time of running syncs, as a share of the max_duration objective. Above 100%, the sync runs "
        f"too long. {sentence(q.service.terms.maintenance)}".rstrip(),
        panels.instant_query(f"topk(6, {q.running_time} / {q.max_duration})", q.source_legend),
        unit="percentunit",
        decimals=1,
        maximum=1,
        thresholds=styles.thresholds(styles.NEUTRAL, (0.8, "orange"), (1, styles.BAD)),
    )


def _timeline(q: ServiceQueries) -> StateTimeline:
    most_failures = q.latest(_FAILED_IN_A_ROW, at=" @ end()")
    return panels.state_timeline(
        "Last completed sync by data source",
        f"The status of the last completed sync over time, from {q.prefix}_last_completed_sync_status: red from the "
        "first failure until the next success. Limited to the twenty data sources with the most consecutive failures "
        "now.",
        panels.range_query(top_sources(q.status_number("last_completed_sync_status"), most_failures), q.source_legend),
    )

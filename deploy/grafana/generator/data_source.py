"""The dashboard of one data source: status, sync jobs, documents, errors and schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders.dashboard import Row

from deploy.grafana.generator import activity, alert_tables, base, panels, styles
from deploy.grafana.generator import data_source_history as history
from deploy.grafana.generator.links import DATA_SOURCE
from deploy.grafana.generator.tables import Column, TableContent, table_panel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grafana_foundation_sdk.builders.dashboard import Dashboard
    from grafana_foundation_sdk.builders.stat import Panel as Stat
    from grafana_foundation_sdk.builders.table import Panel as Table

    from deploy.grafana.generator.queries import ServiceQueries

_NEXT = "data_source_next_scheduled_sync_timestamp_seconds"


def dashboard(q: ServiceQueries) -> Dashboard:
    """Return the dashboard of one data source."""
    description = "One data source: current status, sync jobs, durations, documents, errors and schedule."
    variables = [base.root_variable(q), base.data_source_variable(q, multi=False)]
    board = base.service_dashboard(q, DATA_SOURCE, description, variables)
    board = board.annotation(base.failed_sync_annotation(q, enabled=True))
    for stat in _stats(q):
        board = board.with_panel(stat)
    board = board.with_panel(_details(q))
    rows = {
        "Sync jobs": (history.sync_status(q), activity.completed_syncs(q), history.sync_duration(q)),
        "Documents": (
            activity.document_changes(q),
            history.last_sync_documents(q),
            history.scanned_documents(q),
            history.failed_ratio(q),
        ),
        "Errors": (history.top_failure_reasons(q), history.failed_syncs(q), alert_tables.data_source_alerts(q)),
        "Schedule and content age": (history.content_age(q), history.schedule(q)),
    }
    for title, row in rows.items():
        board = board.with_row(Row(title))
        for panel in row:
            board = board.with_panel(panel)
    return board


def _stats(q: ServiceQueries) -> Iterator[Stat]:
    yield panels.status_panel(
        "Last completed sync",
        f"Status of the last completed sync, from {q.prefix}_last_completed_sync_status. No data: no sync has "
        "completed yet.",
        panels.instant_query(q.status_of("last_completed_sync_status", "status_now")),
        "status_now",
    )
    yield panels.status_panel(
        "Latest sync",
        f"Status of the sync that started last, running or completed, from {q.prefix}_sync_status. No data: there has "
        "been no sync yet.",
        panels.instant_query(q.status_of("sync_status", "status_now")),
        "status_now",
    )
    yield panels.stat_panel(
        "Consecutive failures",
        f"FAILED syncs since the last SUCCEEDED or INCOMPLETE one, from {q.prefix}_consecutive_failed_syncs.",
        panels.instant_query(q.latest("consecutive_failed_syncs")),
        thresholds=styles.thresholds(styles.GOOD, (1, "orange"), (3, styles.BAD)),
    )
    yield panels.stat_panel(
        "Content age",
        f"Time since content last reached the {q.service.container.text}, from "
        f"{q.prefix}_last_indexed_sync_timestamp_seconds. No data: the data source was never indexed. The next panel "
        "compares this age with the objective.",
        panels.instant_query(q.content_age),
        "never indexed",
        unit="s",
        decimals=1,
        thresholds=styles.thresholds(styles.NEUTRAL),
    )
    yield panels.stat_panel(
        "Age vs. objective",
        "Content age as a share of the max_success_age objective. Above 100%, the content is too old. No data: the "
        "data source was never indexed, or has no such objective because it has no schedule and the configuration "
        "does not set one.",
        panels.instant_query(f"{q.content_age} / {q.max_age}"),
        "n/a",
        unit="percentunit",
        decimals=0,
        thresholds=styles.thresholds(styles.GOOD, (0.8, "orange"), (1, styles.BAD)),
    )
    yield panels.stat_panel(
        "Running time",
        "Elapsed time of the oldest running sync, from "
        f"{q.prefix}_running_sync_start_timestamp_seconds. No data: no sync is running.",
        panels.instant_query(q.running_time),
        "not running",
        unit="s",
        decimals=1,
        thresholds=styles.thresholds(styles.NEUTRAL),
    )
    yield _next_sync(q) if q.has(_NEXT) else _expected_gap(q)
    yield panels.stat_panel(
        "Last poll",
        "Time since the last successful poll. All other values are from that poll. The accuracy depends on the clocks "
        "of AWS and Prometheus.",
        panels.instant_query(f"clamp_min(time() - {q.per_source(q.as_of)}, 0)"),
        unit="s",
        decimals=0,
        thresholds=styles.thresholds(styles.GOOD, (900, "orange"), (3600, styles.BAD)),
    )


def _next_sync(q: ServiceQueries) -> Stat:
    first = " A schedule takes effect only after a first manual sync." if q.service.terms.first_sync_is_manual else ""
    return panels.stat_panel(
        "Next sync",
        f"Next scheduled time, from {q.prefix}_{_NEXT}. No data: syncs run on demand, or the exporter cannot parse the "
        f"schedule.{first}",
        panels.instant_query(f"1000 * {q.latest(_NEXT)}"),
        "on demand",
        unit="dateTimeFromNow",
        thresholds=styles.thresholds(styles.NEUTRAL),
    )


def _expected_gap(q: ServiceQueries) -> Stat:
    gap = "data_source_expected_sync_gap_seconds"
    return panels.stat_panel(
        "Expected gap",
        f"The longest expected time between two syncs, by the schedule, expected_every or earlier syncs, from "
        f"{q.prefix}_{gap}. No data: no sync is expected.",
        panels.instant_query(q.latest(gap)),
        "n/a",
        unit="s",
        decimals=1,
        thresholds=styles.thresholds(styles.NEUTRAL),
    )


def _details(q: ServiceQueries) -> Table:
    inner = q.service.containers[1:]
    facts = ("data_source_type", *(level.word for level in inner), "aws_account_id", "aws_region", "schedule")
    return table_panel(
        "Details",
        f"Properties of the data source at the last discovery run, from {q.prefix}_data_source_info and "
        f"{q.prefix}_data_source_status. The schedule is empty if syncs run on demand or the exporter has no "
        "permission to read it.",
        TableContent(
            {
                "info": q.per_source(q.last_known("data_source_info"), *facts),
                "status": q.status_of("data_source_status", "own_status"),
            },
            [
                Column(q.service.root.text.capitalize(), label=q.service.root.word),
                Column("Data source", label="data_source"),
                Column("Status", label="own_status", mappings=styles.text_mappings(styles.RESOURCE_COLOURS)),
                Column("Type", label="data_source_type"),
                *(Column(level.text.capitalize(), label=level.word) for level in inner),
                Column("Account", label="aws_account_id"),
                Column("Region", label="aws_region"),
                Column("Schedule", label="schedule"),
                Column("ID", label="data_source_id", width=320),
            ],
            sort="data_source",
            hidden=["Value #info", "Value #status"],
        ),
        height=4,
    )

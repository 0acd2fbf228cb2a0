"""The dashboard of one data source: status, sync jobs, documents, errors and schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders.dashboard import Row

from deploy.grafana.generator import activity, alert_tables, base, panels, styles
from deploy.grafana.generator import data_source_history as history
from deploy.grafana.generator.links import DATA_SOURCE
from deploy.grafana.generator.queries import (
    AS_OF,
    RUNNING_TIME,
    SOURCE,
    age,
    last_known,
    latest,
    per_source,
    status_of,
)
from deploy.grafana.generator.tables import Column, TableContent, table_panel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grafana_foundation_sdk.builders.dashboard import Dashboard
    from grafana_foundation_sdk.builders.stat import Panel as Stat
    from grafana_foundation_sdk.builders.table import Panel as Table

_CONTENT_AGE = age(last_known("qbusiness_last_indexed_sync_timestamp_seconds"))
_MAX_AGE = latest("qbusiness_data_source_objective_max_success_age_seconds")


def dashboard() -> Dashboard:
    """Return the dashboard of one data source."""
    description = "One data source: current status, sync jobs, durations, documents, errors and schedule."
    variables = [base.application_variable(), base.data_source_variable(multi=False)]
    board = base.new_dashboard(DATA_SOURCE, description, variables)
    board = board.annotation(base.failed_sync_annotation(enabled=True))
    for stat in _stats():
        board = board.with_panel(stat)
    board = board.with_panel(_details())
    rows = {
        "Sync jobs": (history.sync_status(), activity.completed_syncs(), history.sync_duration()),
        "Documents": (
            activity.document_changes(),
            history.last_sync_documents(),
            history.scanned_documents(),
            history.failed_ratio(),
        ),
        "Errors": (history.top_failure_reasons(), history.failed_syncs(), alert_tables.data_source_alerts()),
        "Schedule and content age": (history.content_age(), history.schedule()),
    }
    for title, row in rows.items():
        board = board.with_row(Row(title))
        for panel in row:
            board = board.with_panel(panel)
    return board


def _stats() -> Iterator[Stat]:
    yield panels.status_panel(
        "Last completed sync",
        "Status of the last completed sync, from qbusiness_last_completed_sync_status. No data: no sync has completed "
        "yet.",
        panels.instant_query(status_of("qbusiness_last_completed_sync_status", "status_now")),
        "status_now",
    )
    yield panels.status_panel(
        "Latest sync",
        "Status of the sync that started last, running or completed, from qbusiness_sync_status. No data: there has "
        "been no sync yet.",
        panels.instant_query(status_of("qbusiness_sync_status", "status_now")),
        "status_now",
    )
    yield panels.stat_panel(
        "Consecutive failures",
        "FAILED syncs since the last SUCCEEDED or INCOMPLETE one, from qbusiness_consecutive_failed_syncs.",
        panels.instant_query(latest("qbusiness_consecutive_failed_syncs")),
        thresholds=styles.thresholds(styles.GOOD, (1, "orange"), (3, styles.BAD)),
    )
    yield panels.stat_panel(
        "Content age",
        "Time since content last reached the index, from qbusiness_last_indexed_sync_timestamp_seconds. No "
        "data: the data source was never indexed. The next panel compares this age with the objective.",
        panels.instant_query(_CONTENT_AGE),
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
        panels.instant_query(f"{_CONTENT_AGE} / {_MAX_AGE}"),
        "n/a",
        unit="percentunit",
        decimals=0,
        thresholds=styles.thresholds(styles.GOOD, (0.8, "orange"), (1, styles.BAD)),
    )
    yield panels.stat_panel(
        "Running time",
        "Elapsed time of the oldest running sync, from "
        "qbusiness_running_sync_start_timestamp_seconds. No data: no sync is running.",
        panels.instant_query(RUNNING_TIME),
        "not running",
        unit="s",
        decimals=1,
        thresholds=styles.thresholds(styles.NEUTRAL),
    )
    yield panels.stat_panel(
        "Next sync",
        "Next scheduled time, from qbusiness_data_source_next_scheduled_sync_timestamp_seconds. No data: syncs run on "
        "demand, or the exporter cannot parse the schedule. A schedule takes effect only after a first manual sync.",
        panels.instant_query(f"1000 * {latest('qbusiness_data_source_next_scheduled_sync_timestamp_seconds')}"),
        "on demand",
        unit="dateTimeFromNow",
        thresholds=styles.thresholds(styles.NEUTRAL),
    )
    yield panels.stat_panel(
        "Last poll",
        "Time since the last successful poll. All other values are from that poll. The accuracy depends on the clocks "
        "of AWS and Prometheus.",
        panels.instant_query(f"clamp_min(time() - {per_source(AS_OF)}, 0)"),
        unit="s",
        decimals=0,
        thresholds=styles.thresholds(styles.GOOD, (900, "orange"), (3600, styles.BAD)),
    )


def _details() -> Table:
    facts = "data_source_type, index, aws_account_id, aws_region, schedule"
    return table_panel(
        "Details",
        "Properties of the data source at the last discovery run, from qbusiness_data_source_info and "
        "qbusiness_data_source_status. The schedule is empty if syncs run on demand or the exporter has no permission "
        "to read it.",
        TableContent(
            {
                "info": per_source(last_known("qbusiness_data_source_info"), f"{SOURCE}, {facts}"),
                "status": status_of("qbusiness_data_source_status", "own_status"),
            },
            [
                Column("Application", label="application"),
                Column("Data source", label="data_source"),
                Column("Status", label="own_status", mappings=styles.text_mappings(styles.RESOURCE_COLOURS)),
                Column("Type", label="data_source_type"),
                Column("Index", label="index"),
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

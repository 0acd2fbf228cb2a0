"""One data source in depth: how it is, its runs, durations, documents, errors and schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders.dashboard import Row

from deploy.grafana.generator import activity, board, looks, panels, problems
from deploy.grafana.generator import data_source_past as past
from deploy.grafana.generator.links import DATA_SOURCE
from deploy.grafana.generator.queries import (
    AS_OF,
    RUNNING_FOR,
    SOURCE,
    age,
    known,
    latest,
    of_source,
    status_of,
)
from deploy.grafana.generator.tables import Column, Rows, listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grafana_foundation_sdk.builders.dashboard import Dashboard
    from grafana_foundation_sdk.builders.stat import Panel as Figure
    from grafana_foundation_sdk.builders.table import Panel as Table

_INDEXED = age(known("qbusiness_last_indexed_sync_timestamp_seconds"))
_MAX_AGE = latest("qbusiness_data_source_objective_max_success_age_seconds")


def dashboard() -> Dashboard:
    """Make it."""
    about = (
        "One data source: how it is now, its runs over time, durations against its past, documents, errors, schedule."
    )
    page = board.frame(DATA_SOURCE, about, [board.applications(), board.data_sources(several=False)])
    page = page.annotation(board.failed_syncs(shown=True))
    for figure in _figures():
        page = page.with_panel(figure)
    page = page.with_panel(_facts())
    page = page.with_row(Row("Runs")).with_panel(past.runs()).with_panel(activity.ended()).with_panel(past.durations())
    page = (
        page.with_row(Row("Documents"))
        .with_panel(activity.documents("Documents, as syncs progress"))
        .with_panel(past.last_documents())
    )
    page = page.with_panel(past.scanned()).with_panel(past.failed_ratio())
    page = (
        page.with_row(Row("Errors"))
        .with_panel(past.reasons())
        .with_panel(past.failures())
        .with_panel(problems.of_one_data_source())
    )
    return page.with_row(Row("Schedule and age")).with_panel(past.content_age()).with_panel(past.schedule())


def _figures() -> Iterator[Figure]:
    yield panels.status(
        "Last ended sync",
        "Status of the sync that ended last, from qbusiness_last_completed_sync_status. No data: none has ended yet.",
        panels.now(status_of("qbusiness_last_completed_sync_status", "status_now")),
        "status_now",
    )
    yield panels.status(
        "Latest sync",
        "Status of the sync that started last, running or not, from qbusiness_sync_status. No data: there was "
        "none yet.",
        panels.now(status_of("qbusiness_sync_status", "status_now")),
        "status_now",
    )
    yield panels.figure(
        "Failed in a row",
        "FAILED syncs since the last one that was not, from qbusiness_consecutive_failed_syncs.",
        panels.now(latest("qbusiness_consecutive_failed_syncs")),
        thresholds=looks.steps(looks.GOOD, (1, "orange"), (3, looks.BAD)),
    )
    yield panels.figure(
        "Content age",
        "Time since a sync last ended SUCCEEDED or INCOMPLETE, from "
        "qbusiness_last_indexed_sync_timestamp_seconds. No data: none ever did. Whether that is too old is told "
        "by the objective, below.",
        panels.now(_INDEXED),
        "never indexed",
        unit="s",
        decimals=1,
        thresholds=looks.steps(looks.CALM),
    )
    yield panels.figure(
        "… of objective",
        "Content age as a share of the objective max_success_age: beyond 100% is too old. No data: the data "
        "source has no such objective, as it has no schedule and the configuration gives it none, or was never "
        "indexed.",
        panels.now(f"{_INDEXED} / {_MAX_AGE}"),
        "n/a",
        unit="percentunit",
        decimals=0,
        thresholds=looks.steps(looks.GOOD, (0.8, "orange"), (1, looks.BAD)),
    )
    yield panels.figure(
        "Running for",
        "How long the oldest sync in progress has been running, from "
        "qbusiness_running_sync_start_timestamp_seconds. No data: none is in progress.",
        panels.now(RUNNING_FOR),
        "not running",
        unit="s",
        decimals=1,
        thresholds=looks.steps(looks.CALM),
    )
    yield panels.figure(
        "Next sync",
        "When its schedule fires next, from qbusiness_data_source_next_scheduled_sync_timestamp_seconds. No data: "
        "it is synced on demand, or its schedule is not understood. One that was never synced does not run on its "
        "schedule.",
        panels.now(f"1000 * {latest('qbusiness_data_source_next_scheduled_sync_timestamp_seconds')}"),
        "on demand",
        unit="dateTimeFromNow",
        thresholds=looks.steps(looks.CALM),
    )
    yield panels.figure(
        "As of",
        "How long ago the data source was last read, by the clocks of AWS and Prometheus. Everything else is as "
        "of then.",
        panels.now(f"clamp_min(time() - {of_source(AS_OF)}, 0)"),
        unit="s",
        decimals=0,
        thresholds=looks.steps(looks.GOOD, (900, "orange"), (3600, looks.BAD)),
    )


def _facts() -> Table:
    own = "data_source_type, index, aws_account_id, aws_region, schedule"
    return listing(
        "What it is",
        "What AWS says of the data source as of the last discovery, from qbusiness_data_source_info and _status. An "
        "empty schedule: syncs are on demand, or the exporter may not ask for it.",
        Rows(
            {
                "info": of_source(known("qbusiness_data_source_info"), f"{SOURCE}, {own}"),
                "status": status_of("qbusiness_data_source_status", "own_status"),
            },
            [
                Column("Application", label="application"),
                Column("Data source", label="data_source"),
                Column("State", label="own_status", mappings=looks.words(looks.RESOURCE_COLOURS)),
                Column("Type", label="data_source_type"),
                Column("Index", label="index"),
                Column("Account", label="aws_account_id"),
                Column("Region", label="aws_region"),
                Column("Schedule", label="schedule"),
                Column("Id", label="data_source_id", width=320),
            ],
            sort="data_source",
            hidden=["Value #info", "Value #status"],
        ),
        height=4,
    )

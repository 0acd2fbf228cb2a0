"""The fleet: what is broken now, since when and why; then how it has been."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders.dashboard import Row

from deploy.grafana.generator import activity, board, fleet, looks, panels, problems
from deploy.grafana.generator.links import OVERVIEW
from deploy.grafana.generator.queries import (
    AS_OF,
    FRESHEST,
    RUNNING_FOR,
    age,
    count,
    has_status,
    known,
    latest,
    not_working,
    of_source,
    reason,
    risen,
    status_number,
    worst,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grafana_foundation_sdk.builders.bargauge import Panel as Ranking
    from grafana_foundation_sdk.builders.dashboard import Dashboard
    from grafana_foundation_sdk.builders.stat import Panel as Figure
    from grafana_foundation_sdk.builders.statetimeline import Panel as Strips

_NAME = "{{application}} / {{data_source}}"
_MAX_AGE = latest("qbusiness_data_source_objective_max_success_age_seconds")
_MAX_DURATION = latest("qbusiness_data_source_objective_max_duration_seconds")
_CONTENT_AGE = age(known("qbusiness_last_indexed_sync_timestamp_seconds"))
_STREAK = "qbusiness_consecutive_failed_syncs"


def dashboard() -> Dashboard:
    """Make it."""
    about = "What is broken now, since when and why, over all data sources; then how the fleet has fared."
    page = board.frame(OVERVIEW, about, [board.applications(), board.data_sources()])
    page = page.annotation(board.failed_syncs(shown=False))
    for figure in _figures():
        page = page.with_panel(figure)
    page = page.with_panel(problems.of_data_sources()).with_panel(problems.of_all_else())
    page = page.with_row(Row("Why, and how far off"))
    for ranking in _rankings():
        page = page.with_panel(ranking)
    page = page.with_row(Row("How it has been"))
    page = page.with_panel(_timeline()).with_panel(activity.ended()).with_panel(activity.documents("Documents"))
    return page.with_row(Row("Every data source")).with_panel(fleet.every_data_source())


def _figures() -> Iterator[Figure]:
    red, orange = looks.steps(looks.GOOD, (1, looks.BAD)), looks.steps(looks.GOOD, (1, "orange"))
    yield panels.figure(
        "Data sources",
        f"Data sources that the exporter has read, from the recording rule {FRESHEST}. No data: Prometheus does "
        "not scrape the exporter, or has not loaded deploy/prometheus/rules, and no other panel here tells "
        "anything.",
        panels.now(f"count(count by (data_source_id) ({AS_OF}))"),
        "none seen",
        thresholds=looks.steps(looks.CALM),
    )
    yield panels.figure(
        "Last sync failed",
        "Data sources whose last ended sync is FAILED, from qbusiness_last_completed_sync_status.",
        panels.now(count(has_status("qbusiness_last_completed_sync_status", "FAILED"))),
        thresholds=red,
    )
    yield panels.figure(
        "Keep failing",
        f"Data sources with three or more FAILED syncs in a row, from {_STREAK}.",
        panels.now(count(f"{latest(_STREAK)} >= 3")),
        thresholds=red,
    )
    yield panels.figure(
        "Content too old",
        "Data sources from which nothing has reached the index for longer than their objective max_success_age "
        "allows. One without a schedule has no such objective, unless the configuration gives it one, and is not "
        "counted.",
        panels.now(count(f"{_CONTENT_AGE} > {_MAX_AGE}")),
        thresholds=red,
    )
    yield panels.figure(
        "Overrunning",
        "Data sources with a sync in progress for longer than their objective max_duration allows.",
        panels.now(count(f"{RUNNING_FOR} > {_MAX_DURATION}")),
        thresholds=orange,
    )
    yield panels.figure(
        "Syncing now",
        "Data sources with a sync in progress, from qbusiness_sync_running.",
        panels.now(count(f"{latest('qbusiness_sync_running')} > 0")),
        thresholds=looks.steps(looks.CALM),
    )
    polled = of_source(known("qbusiness_poll_success"))
    yield panels.figure(
        "Polls failing",
        "Data sources whose last poll failed on every replica of the exporter, from qbusiness_poll_success: what is "
        "shown of them is as of their last poll that worked.",
        panels.now(not_working(polled)),
        thresholds=orange,
    )
    yield panels.figure(
        "Oldest figures",
        "How long ago the data source was read that was not read for the longest, by the clocks of AWS and "
        "Prometheus. Idle ones are read every polling.idle_interval: 5 minutes by default.",
        panels.now(f"max(clamp_min(time() - {of_source(AS_OF)}, 0))"),
        unit="s",
        decimals=0,
        thresholds=looks.steps(looks.GOOD, (900, "orange"), (3600, looks.BAD)),
    )


def _rankings() -> Iterator[Ranking]:
    failures = risen("qbusiness_sync_job_failures_total", by="error_code, connector_error_code", over="$__range")
    yield panels.ranking(
        "Reasons of failed syncs",
        "FAILED syncs in the time range by reason, from qbusiness_sync_job_failures_total: the connector's code where "
        "there is one, else the API's. Syncs that had ended before the exporter first watched are not counted.",
        panels.now(f"topk(6, sum by (reason) ({reason(failures)}) > 0)", "{{reason}}"),
    ).color_scheme(looks.fixed(looks.BAD))
    yield panels.ranking(
        "Content age against its objective",
        "Time since content last reached the index, as a share of the objective max_success_age: beyond 100% is "
        "too old. Data sources without that objective are not shown.",
        panels.now(f"topk(6, {_CONTENT_AGE} / {_MAX_AGE})", _NAME),
        unit="percentunit",
        decimals=0,
        most=1,
        thresholds=looks.steps(looks.GOOD, (0.8, "orange"), (1, looks.BAD)),
    )
    yield panels.ranking(
        "Running syncs against their objective",
        "How long syncs in progress have been running, as a share of the objective max_duration: beyond 100% is "
        "too long. Index maintenance alone can hold a sync for a day.",
        panels.now(f"topk(6, {RUNNING_FOR} / {_MAX_DURATION})", _NAME),
        unit="percentunit",
        decimals=1,
        most=1,
        thresholds=looks.steps(looks.CALM, (0.8, "orange"), (1, looks.BAD)),
    )


def _timeline() -> Strips:
    most_failed = latest(_STREAK, at=" @ end()")
    return panels.strips(
        "Last ended sync of each data source",
        "The status of the sync that ended last, over time, from qbusiness_last_completed_sync_status: red from the "
        "first failure to the next success. The twenty data sources with the most failures in a row now.",
        panels.over_time(worst(status_number("qbusiness_last_completed_sync_status"), most_failed), _NAME),
    )

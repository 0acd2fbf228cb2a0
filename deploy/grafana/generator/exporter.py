"""The dashboard of the exporter itself: availability, requests to AWS, polls and resource usage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders.dashboard import Row

from deploy.grafana.generator import base, panels, styles
from deploy.grafana.generator import exporter_history as history
from deploy.grafana.generator.exporter_history import REQUESTS, SELECTED, SELECTED_TARGETS
from deploy.grafana.generator.links import EXPORTER, exporter_navigation
from deploy.grafana.generator.queries import count_zeros
from deploy.grafana.generator.tables import Column, TableContent, table_panel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grafana_foundation_sdk.builders.dashboard import Dashboard
    from grafana_foundation_sdk.builders.stat import Panel as Stat
    from grafana_foundation_sdk.builders.table import Panel as Table

_THROTTLED = 'code=~"ThrottlingException|Throttling|TooManyRequestsException|RequestLimitExceeded|SlowDown|429"'


def dashboard() -> Dashboard:
    """Return the dashboard of the exporter."""
    description = "Availability of the exporter and its targets, requests to AWS, poll lag and resource usage."
    build = "qbusiness_exporter_build_info"
    variables = [
        base.query_variable("job", "Job", f"label_values({build}, job)"),
        base.query_variable("instance", "Instance", f'label_values({build}{{job=~"$job"}}, instance)'),
        base.query_variable("target", "Target", "label_values(qbusiness_exporter_target_up{" + SELECTED + "}, target)"),
    ]
    board = base.new_dashboard(EXPORTER, "qbusiness-exporter", description, [], exporter_navigation())
    board = base.with_variables(board, variables)
    for stat in _stats():
        board = board.with_panel(stat)
    board = board.with_panel(_replicas()).with_panel(_targets())
    for title, row in (
        ("AWS requests", history.requests),
        ("Polls", history.polls),
        ("HTTP requests to the exporter", history.http),
        ("Resource usage", history.resources),
    ):
        board = board.with_row(Row(title))
        for panel in row():
            board = board.with_panel(panel)
    return board


def _stats() -> Iterator[Stat]:
    red, orange = styles.thresholds(styles.GOOD, (1, styles.BAD)), styles.thresholds(styles.GOOD, (1, "orange"))
    yield panels.stat_panel(
        "Replicas down",
        "Replicas of the exporter that Prometheus cannot scrape, from up. No data: Prometheus does not have the "
        "exporter as a scrape target.",
        panels.instant_query(count_zeros(f"up{{{SELECTED}}}")),
        "not scraped",
        thresholds=red,
    )
    targets = f"max by (target) ({_last('qbusiness_exporter_target_up')})"
    yield panels.stat_panel(
        "Targets down",
        "Targets whose last request failed or was denied on every replica, from qbusiness_exporter_target_up.",
        panels.instant_query(count_zeros(targets)),
        thresholds=red,
    )
    yield panels.stat_panel(
        "Data sources",
        "Data sources that the exporter watches in all targets, from qbusiness_exporter_data_sources. Replicas watch "
        "the same data sources.",
        panels.instant_query(f"sum(max by (target) ({_last('qbusiness_exporter_data_sources')}))"),
        thresholds=styles.thresholds(styles.NEUTRAL),
    )
    yield panels.stat_panel(
        "Poll lag",
        "Delay of the most overdue poll on any replica, from qbusiness_exporter_poll_lag_seconds.",
        panels.instant_query(f"max({_last('qbusiness_exporter_poll_lag_seconds')})"),
        unit="s",
        decimals=0,
        thresholds=styles.thresholds(styles.GOOD, (60, "orange"), (300, styles.BAD)),
    )
    discovery = f"max by (target) ({_last('qbusiness_exporter_discovery_success')})"
    yield panels.stat_panel(
        "Incomplete discovery",
        "Targets whose last discovery run did not fully succeed, so that data sources may be missing, from "
        "qbusiness_exporter_discovery_success.",
        panels.instant_query(count_zeros(discovery)),
        thresholds=orange,
    )
    yield panels.stat_panel(
        "Throttled requests",
        "Share of requests that AWS throttled within ten minutes, from qbusiness_exporter_api_requests_total.",
        panels.instant_query(
            f"(sum(rate({REQUESTS}{{{SELECTED_TARGETS}, {_THROTTLED}}}[10m])) or vector(0))"
            f" / sum(rate({REQUESTS}{{{SELECTED_TARGETS}}}[10m]))"
        ),
        unit="percentunit",
        decimals=1,
        thresholds=styles.thresholds(styles.GOOD, (0.01, "orange"), (0.1, styles.BAD)),
    )
    state = f"qbusiness_exporter_state_up{{{SELECTED}}}"
    yield panels.stat_panel(
        "State not written",
        "Replicas that cannot write their state, from qbusiness_exporter_state_up. A restart loses what such a replica "
        "has counted since the last successful write.",
        panels.instant_query(count_zeros(state)),
        thresholds=red,
    )
    reload = f"qbusiness_exporter_config_last_reload_successful{{{SELECTED}}}"
    yield panels.stat_panel(
        "Reload failures",
        "Replicas that use an older configuration because the current file is invalid, from "
        "qbusiness_exporter_config_last_reload_successful.",
        panels.instant_query(count_zeros(reload)),
        thresholds=orange,
    )


def _last(metric: str) -> str:
    return f"last_over_time({metric}{{{SELECTED_TARGETS}}}[10m])"


def _replicas() -> Table:
    build = f"qbusiness_exporter_build_info{{{SELECTED}}}"
    reloaded = f"qbusiness_exporter_config_last_reload_success_timestamp_seconds{{{SELECTED}}}"
    return table_panel(
        "Replicas",
        "Each replica of the exporter that Prometheus scrapes. All replicas watch the same data sources. Rules and "
        "dashboards use the replica that polled a data source last.",
        TableContent(
            {
                "up": f"max by (instance) (up{{{SELECTED}}})",
                "info": f"max by (instance, version, revision, pythonversion) (last_over_time({build}[10m]))",
                "started": f"1000 * max by (instance) (process_start_time_seconds{{{SELECTED}}})",
                "reloaded": f"1000 * max by (instance) ({reloaded})",
            },
            [
                Column("Instance", label="instance", width=300),
                Column("Scrape", query="up", mappings=styles.boolean_mappings("up", "down"), width=70),
                Column("Version", label="version", width=70),
                Column("Revision", label="revision", width=90),
                Column("Python", label="pythonversion", width=70),
                Column("Started", query="started", unit="dateTimeFromNow", width=160),
                Column("Configuration loaded", query="reloaded", unit="dateTimeFromNow"),
            ],
            sort="instance",
            hidden=["Value #info"],
        ),
        height=5,
        width=24,
    )


def _targets() -> Table:
    discovered = _last("qbusiness_exporter_last_successful_discovery_timestamp_seconds")
    up = f"{_last('qbusiness_exporter_target_up')} * on (job, instance, target) {_located()}"
    return table_panel(
        "Targets",
        "Each target (an account, region and service): whether AWS responds and authorizes polls, the number of "
        "watched data sources, and the last fully successful discovery run. The last column is the request rate limit. "
        "Cells are empty if discovery is disabled.",
        TableContent(
            {
                "up": f"max by (target, service, aws_account_id, aws_region) ({up})",
                "sources": f"max by (target) ({_last('qbusiness_exporter_data_sources')})",
                "found": f"1000 * max by (target) ({discovered})",
                "limit": f"min by (target) ({_last('qbusiness_exporter_api_request_rate_limit')})",
            },
            [
                Column("Target", label="target", width=300),
                Column("Status", query="up", mappings=styles.boolean_mappings("up", "down"), width=60),
                Column("Service", label="service", width=80),
                Column("Account", label="aws_account_id", width=120),
                Column("Region", label="aws_region", width=95),
                Column("Data sources", query="sources", decimals=0, width=100),
                Column("Last discovery", query="found", unit="dateTimeFromNow", width=130),
                Column("Rate limit", query="limit", unit="reqps", decimals=1),
            ],
            sort="target",
        ),
        height=6,
        width=24,
    )


def _located() -> str:
    """Return the right side of a match that adds service, account and region; one series for each target.

    If the scrape sets the label `service`, Prometheus renames the exporter's own label.
    """
    info = _last("qbusiness_exporter_target_info")
    info = f'label_replace({info}, "service", "$1", "exported_service", "(.+)")'
    return f"group_left (service, aws_account_id, aws_region) topk by (job, instance, target) (1, {info})"

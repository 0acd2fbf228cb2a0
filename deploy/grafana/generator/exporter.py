"""The exporter itself: whether it is up, what it asks of AWS and what comes of it, and what that costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders.dashboard import Row

from deploy.grafana.generator import board, looks, panels
from deploy.grafana.generator import exporter_past as past
from deploy.grafana.generator.exporter_past import OF_TARGET, OWN, REQUESTS
from deploy.grafana.generator.links import EXPORTER
from deploy.grafana.generator.queries import not_working
from deploy.grafana.generator.tables import Column, Rows, listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grafana_foundation_sdk.builders.dashboard import Dashboard
    from grafana_foundation_sdk.builders.stat import Panel as Figure
    from grafana_foundation_sdk.builders.table import Panel as Table

_THROTTLED = 'code=~"ThrottlingException|Throttling|TooManyRequestsException|RequestLimitExceeded|SlowDown|429"'


def dashboard() -> Dashboard:
    """Make it."""
    about = "Whether the exporter and its targets are up, what it asks of AWS, how late it is, and what it costs."
    build = "qbusiness_exporter_build_info"
    variables = [
        board.choice("job", "Job", f"label_values({build}, job)"),
        board.choice("instance", "Instance", f'label_values({build}{{job=~"$job"}}, instance)'),
        board.choice("target", "Target", "label_values(qbusiness_target_up{" + OWN + "}, target)"),
    ]
    page = board.frame(EXPORTER, about, variables)
    for figure in _figures():
        page = page.with_panel(figure)
    page = page.with_panel(_replicas()).with_panel(_targets())
    for title, row in (
        ("Requests to AWS", past.requests),
        ("Polls and how late they are", past.polls),
        ("What it costs", past.costs),
    ):
        page = page.with_row(Row(title))
        for panel in row():
            page = page.with_panel(panel)
    return page


def _figures() -> Iterator[Figure]:
    red, orange = looks.steps(looks.GOOD, (1, looks.BAD)), looks.steps(looks.GOOD, (1, "orange"))
    yield panels.figure(
        "Replicas down",
        "Replicas of the exporter that Prometheus cannot scrape, from up. No data: Prometheus does not know the "
        "exporter.",
        panels.now(not_working(f"up{{{OWN}}}")),
        "not scraped",
        thresholds=red,
    )
    targets = f"max by (target) ({_last('qbusiness_target_up')})"
    yield panels.figure(
        "Targets down",
        "Targets whose last request was not answered or not authorised, on every replica, from qbusiness_target_up.",
        panels.now(not_working(targets)),
        thresholds=red,
    )
    yield panels.figure(
        "Data sources",
        "Data sources watched, over all targets, from qbusiness_exporter_data_sources. Replicas watch the same ones.",
        panels.now(f"sum(max by (target) ({_last('qbusiness_exporter_data_sources')}))"),
        thresholds=looks.steps(looks.CALM),
    )
    yield panels.figure(
        "Poll lag",
        "How late the most overdue data source is to be polled, on any replica, from "
        "qbusiness_exporter_poll_lag_seconds.",
        panels.now(f"max({_last('qbusiness_exporter_poll_lag_seconds')})"),
        unit="s",
        decimals=0,
        thresholds=looks.steps(looks.GOOD, (60, "orange"), (300, looks.BAD)),
    )
    discovery = f"max by (target) ({_last('qbusiness_exporter_discovery_success')})"
    yield panels.figure(
        "Discovery down",
        "Targets whose last discovery did not work in every part, so that data sources may be missing, from "
        "qbusiness_exporter_discovery_success.",
        panels.now(not_working(discovery)),
        thresholds=orange,
    )
    yield panels.figure(
        "Throttled",
        "Share of requests that AWS refused for being too many, over ten minutes, from "
        "qbusiness_exporter_api_requests_total.",
        panels.now(
            f"(sum(rate({REQUESTS}{{{OF_TARGET}, {_THROTTLED}}}[10m])) or vector(0))"
            f" / sum(rate({REQUESTS}{{{OF_TARGET}}}[10m]))"
        ),
        unit="percentunit",
        decimals=1,
        thresholds=looks.steps(looks.GOOD, (0.01, "orange"), (0.1, looks.BAD)),
    )
    writes = f"qbusiness_exporter_state_write_failures_total{{{OWN}}}"
    yield panels.figure(
        "State unsaved",
        "Writes of the state file that failed in the past hour; what was counted would be lost with a restart. From "
        "qbusiness_exporter_state_write_failures_total.",
        panels.now(f"sum(ceil(increase({writes}[1h])))"),
        thresholds=red,
    )
    reload = f"qbusiness_exporter_config_last_reload_successful{{{OWN}}}"
    yield panels.figure(
        "Reload failed",
        "Replicas that run on an older configuration, as the one on disk has problems, from "
        "qbusiness_exporter_config_last_reload_successful.",
        panels.now(not_working(reload)),
        thresholds=orange,
    )


def _last(metric: str) -> str:
    return f"last_over_time({metric}{{{OF_TARGET}}}[10m])"


def _replicas() -> Table:
    build = f"qbusiness_exporter_build_info{{{OWN}}}"
    reloaded = f"qbusiness_exporter_config_last_reload_success_timestamp_seconds{{{OWN}}}"
    return listing(
        "Replicas",
        "Each replica of the exporter as Prometheus sees it. Several replicas watch the same data sources; rules and "
        "dashboards go by the one that read a data source last.",
        Rows(
            {
                "up": f"max by (instance) (up{{{OWN}}})",
                "info": f"max by (instance, version, revision, pythonversion) (last_over_time({build}[10m]))",
                "started": f"1000 * max by (instance) (process_start_time_seconds{{{OWN}}})",
                "reloaded": f"1000 * max by (instance) ({reloaded})",
            },
            [
                Column("Instance", label="instance", width=150),
                Column("Scraped", query="up", mappings=looks.yes_no("up", "down"), width=70),
                Column("Version", label="version", width=70),
                Column("Revision", label="revision", width=90),
                Column("Python", label="pythonversion", width=70),
                Column("Started", query="started", unit="dateTimeFromNow", width=130),
                Column("Configuration read", query="reloaded", unit="dateTimeFromNow"),
            ],
            sort="instance",
            hidden=["Value #info"],
        ),
        height=6,
        width=12,
    )


def _targets() -> Table:
    discovered = _last("qbusiness_exporter_last_successful_discovery_timestamp_seconds")
    place = "target, aws_account_id, aws_region"
    return listing(
        "Targets",
        "Each account and region: whether its last request was answered and authorised, what is watched there, and "
        "when a discovery last worked in every part; empty where discovery is off.",
        Rows(
            {
                "up": f"max by ({place}) ({_last('qbusiness_target_up')})",
                "sources": f"max by (target) ({_last('qbusiness_exporter_data_sources')})",
                "found": f"1000 * max by (target) ({discovered})",
                "limit": f"min by (target) ({_last('qbusiness_exporter_api_request_rate_limit')})",
            },
            [
                Column("Target", label="target", width=100),
                Column("State", query="up", mappings=looks.yes_no("up", "down"), width=60),
                Column("Account", label="aws_account_id", width=120),
                Column("Region", label="aws_region", width=95),
                Column("Data sources", query="sources", decimals=0, width=100),
                Column("Discovered", query="found", unit="dateTimeFromNow", width=130),
                Column("Ceiling", query="limit", unit="reqps", decimals=1),
            ],
            sort="target",
        ),
        height=6,
        width=12,
    )

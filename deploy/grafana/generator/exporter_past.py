"""How the exporter has fared: what it asked of AWS, how late it was, what it cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.grafana.generator import panels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grafana_foundation_sdk.builders.timeseries import Panel as Lines

OWN = 'job=~"$job", instance=~"$instance"'
OF_TARGET = f'{OWN}, target=~"$target"'
REQUESTS = "qbusiness_exporter_api_requests_total"


def requests() -> Iterator[Lines]:
    """Draw what was asked of AWS."""
    asked = f"rate({REQUESTS}{{{OF_TARGET}}}[$__rate_interval])"
    yield panels.stacked(
        panels.lines(
            "Requests by operation",
            "HTTP attempts made to AWS a second, retries included, from qbusiness_exporter_api_requests_total.",
            panels.over_time(f"sum by (operation) ({asked})", "{{operation}}"),
        ).unit("reqps")
    )
    refused = f'rate({REQUESTS}{{{OF_TARGET}, code!~"2.."}}[$__rate_interval])'
    yield panels.lines(
        "Requests that did not work, by code",
        "HTTP attempts a second that were answered with an error, not answered in time, or could not connect. 0 "
        "where there were none; no data where nothing is asked at all.",
        panels.over_time(f"sum by (code) ({refused}) > 0", "{{code}}", "codes"),
        panels.over_time(f"sum({asked}) * 0", "no errors", "none"),
        unit="reqps",
        least=0,
    ).axis_soft_max(1)
    took = f"rate(qbusiness_exporter_api_request_duration_seconds_bucket{{{OWN}}}[$__rate_interval])"
    yield panels.lines(
        "How long requests take",
        "The 95th percentile by operation, estimated from qbusiness_exporter_api_request_duration_seconds.",
        panels.over_time(f"histogram_quantile(0.95, sum by (le, operation) ({took})) >= 0", "{{operation}}"),
        unit="s",
        least=0,
    )
    rate_limit = f"min by (target) (qbusiness_exporter_api_request_rate_limit{{{OF_TARGET}}})"
    panel = panels.lines(
        "Requests against the ceiling",
        "HTTP attempts a second of each target, and what it may be asked at most now: requests_per_second, or less "
        "after AWS throttled. A replica has a ceiling of its own: shown is the busiest, and the lowest ceiling.",
        panels.over_time(f"max by (target) (sum by (target, instance) ({asked}))", "{{target}}", "used"),
        panels.over_time(rate_limit, "{{target}}: ceiling", "ceiling"),
        unit="reqps",
    )
    yield panels.limit_line(panel.min(0), "/: ceiling$/")


def polls() -> Iterator[Lines]:
    """Draw polls, and how late they were."""
    polls = f"qbusiness_exporter_polls_total{{{OF_TARGET}}}"
    failures = f"qbusiness_exporter_poll_failures_total{{{OF_TARGET}}}"
    yield panels.lines(
        "Polls",
        "Polls of data sources a second, failed ones included, from qbusiness_exporter_polls_total.",
        panels.over_time(f"sum by (target) (rate({polls}[$__rate_interval]))", "{{target}}"),
        unit="ops",
        least=0,
    )
    yield panels.lines(
        "Failed polls by reason",
        "Polls a second that failed, by reason, from qbusiness_exporter_poll_failures_total. 0 where there were none.",
        panels.over_time(f"sum by (reason) (rate({failures}[$__rate_interval])) > 0", "{{reason}}", "reasons"),
        panels.over_time(f"sum(rate({polls}[$__rate_interval])) * 0", "no errors", "none"),
        unit="ops",
        least=0,
    ).axis_soft_max(1)
    yield panels.lines(
        "Poll lag",
        "How late the most overdue data source of each target is to be polled, from "
        "qbusiness_exporter_poll_lag_seconds.",
        panels.over_time(f"max by (target) (qbusiness_exporter_poll_lag_seconds{{{OF_TARGET}}})", "{{target}}"),
        unit="s",
        least=0,
    )
    polled = f"time() - max by (data_source_id) (qbusiness_last_successful_poll_timestamp_seconds{{{OWN}}})"
    yield panels.lines(
        "Age of the figures",
        "How long ago data sources were last read with success: the oldest, and the one in the middle. From "
        "qbusiness_last_successful_poll_timestamp_seconds, by the clocks of AWS and Prometheus.",
        panels.over_time(f"max({polled})", "oldest", "oldest"),
        panels.over_time(f"quantile(0.5, {polled})", "median", "median"),
        unit="s",
    )


def costs() -> Iterator[Lines]:
    """Draw what it costs to run and to scrape."""
    spent = f"rate(process_cpu_seconds_total{{{OWN}}}[$__rate_interval])"
    for title, unit, series, about in (
        ("CPU", "percentunit", spent, "CPU time that each replica uses a second, from process_cpu_seconds_total."),
        ("Memory", "bytes", "process_resident_memory_bytes", "Resident memory of each replica, from {}."),
        (
            "Time of a scrape",
            "s",
            "scrape_duration_seconds",
            "How long Prometheus took to scrape each replica, from {}.",
        ),
        ("Series", "locale", "scrape_samples_scraped", "Samples in a scrape of each replica, from {}."),
    ):
        query = panels.over_time(series if "{" in series else f"{series}{{{OWN}}}", "{{instance}}")
        yield panels.lines(title, about.format(series), query, width=6, unit=unit, least=0)

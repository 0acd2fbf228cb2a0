"""Panels with the history of the exporter: requests to AWS, polls and resource usage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.grafana.generator import panels
from exporter.providers.registry import SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grafana_foundation_sdk.builders.timeseries import Panel as TimeSeries

SELECTED = 'job=~"$job", instance=~"$instance"'
SELECTED_TARGETS = f'{SELECTED}, target=~"$target"'
REQUESTS = "qbusiness_exporter_api_requests_total"


def requests() -> Iterator[TimeSeries]:
    """Yield the panels of requests to AWS."""
    rate = f"rate({REQUESTS}{{{SELECTED_TARGETS}}}[$__rate_interval])"
    yield panels.stacked(
        panels.line_chart(
            "Request rate by operation",
            "HTTP requests to AWS, including retries, from qbusiness_exporter_api_requests_total.",
            panels.range_query(f"sum by (operation) ({rate})", "{{operation}}"),
        ).unit("reqps")
    )
    failed = f'rate({REQUESTS}{{{SELECTED_TARGETS}, code!~"2.."}}[$__rate_interval])'
    yield panels.line_chart(
        "Failed requests by code",
        "HTTP requests with an error response, a timeout or a connection failure. 0 if no request failed; no data if "
        "the exporter sends no requests.",
        panels.range_query(f"sum by (code) ({failed}) > 0", "{{code}}", "codes"),
        panels.range_query(f"sum({rate}) * 0", "no errors", "none"),
        unit="reqps",
        minimum=0,
    ).axis_soft_max(1)
    buckets = f"rate(qbusiness_exporter_api_request_duration_seconds_bucket{{{SELECTED}}}[$__rate_interval])"
    yield panels.line_chart(
        "Request duration (p95)",
        "95th percentile by operation, estimated from qbusiness_exporter_api_request_duration_seconds.",
        panels.range_query(f"histogram_quantile(0.95, sum by (le, operation) ({buckets})) >= 0", "{{operation}}"),
        unit="s",
        minimum=0,
    )
    rate_limit = f"min by (target) (qbusiness_exporter_api_request_rate_limit{{{SELECTED_TARGETS}}})"
    panel = panels.line_chart(
        "Request rate vs. limit",
        "HTTP requests to each target, and the current rate limit: requests_per_second, or less after AWS has "
        "throttled requests. Each replica has its own limit. The panel shows the busiest replica and the lowest limit.",
        panels.range_query(f"max by (target) (sum by (target, instance) ({rate}))", "{{target}}", "used"),
        panels.range_query(rate_limit, "{{target}}: limit", "ceiling"),
        unit="reqps",
    )
    yield panels.with_limit_line(panel.min(0), "/: limit$/")


def polls() -> Iterator[TimeSeries]:
    """Yield the panels of polls and their delay."""
    polls = f"qbusiness_exporter_polls_total{{{SELECTED_TARGETS}}}"
    failures = f"qbusiness_exporter_poll_failures_total{{{SELECTED_TARGETS}}}"
    yield panels.line_chart(
        "Poll rate",
        "Polls of data sources, including failed ones, from qbusiness_exporter_polls_total.",
        panels.range_query(f"sum by (target) (rate({polls}[$__rate_interval]))", "{{target}}"),
        unit="ops",
        minimum=0,
    )
    yield panels.line_chart(
        "Failed polls by reason",
        "Failed polls by reason, from qbusiness_exporter_poll_failures_total. 0 if no poll failed.",
        panels.range_query(f"sum by (reason) (rate({failures}[$__rate_interval])) > 0", "{{reason}}", "reasons"),
        panels.range_query(f"sum(rate({polls}[$__rate_interval])) * 0", "no errors", "none"),
        unit="ops",
        minimum=0,
    ).axis_soft_max(1)
    yield panels.line_chart(
        "Poll lag",
        "Delay of the most overdue poll of each target, from qbusiness_exporter_poll_lag_seconds.",
        panels.range_query(
            f"max by (target) (qbusiness_exporter_poll_lag_seconds{{{SELECTED_TARGETS}}})", "{{target}}"
        ),
        unit="s",
        minimum=0,
    )
    polls_of = (f"{service}_last_successful_poll_timestamp_seconds{{{SELECTED}}}" for service in SERVICES)
    polled = f"time() - max by (data_source_id) ({' or '.join(polls_of)})"
    yield panels.line_chart(
        "Time since last poll",
        "Time since the last successful poll of a data source of any service: the longest and the median. From "
        "…_last_successful_poll_timestamp_seconds. The accuracy depends on the clocks of AWS and "
        "Prometheus.",
        panels.range_query(f"max({polled})", "oldest", "oldest"),
        panels.range_query(f"quantile(0.5, {polled})", "median", "median"),
        unit="s",
    )


def http() -> Iterator[TimeSeries]:
    """Yield the panels of the HTTP requests that the exporter serves."""
    served = "qbusiness_exporter_http_requests_total"
    rate = f"rate({served}{{{SELECTED}}}[$__rate_interval])"
    refused = f'rate({served}{{{SELECTED}, code!~"[23].."}}[$__rate_interval])'
    buckets = f"rate(qbusiness_exporter_http_request_duration_seconds_bucket{{{SELECTED}}}[$__rate_interval])"
    yield panels.stacked(
        panels.line_chart(
            "Requests served by handler",
            f"HTTP requests to the exporter, including scrapes, from {served}.",
            panels.range_query(f"sum by (handler) ({rate})", "{{handler}}"),
        ).unit("reqps")
    )
    yield panels.line_chart(
        "Refused requests by code",
        f"HTTP requests with an error response, such as 401 for a wrong password, from {served}. 0 if there were none.",
        panels.range_query(f"sum by (code) ({refused}) > 0", "{{code}}", "codes"),
        panels.range_query(f"sum({rate}) * 0", "no errors", "none"),
        unit="reqps",
        minimum=0,
    ).axis_soft_max(1)
    yield panels.line_chart(
        "Response duration (p95)",
        "95th percentile by handler, estimated from qbusiness_exporter_http_request_duration_seconds.",
        panels.range_query(f"histogram_quantile(0.95, sum by (le, handler) ({buckets})) >= 0", "{{handler}}"),
        unit="s",
        minimum=0,
    )


def resources() -> Iterator[TimeSeries]:
    """Yield the panels of CPU, memory and scrape size."""
    cpu = f"rate(process_cpu_seconds_total{{{SELECTED}}}[$__rate_interval])"
    for title, unit, series, description in (
        ("CPU", "percentunit", cpu, "CPU seconds used per second by each replica, from process_cpu_seconds_total."),
        ("Memory", "bytes", "process_resident_memory_bytes", "Resident memory of each replica, from {}."),
        ("Scrape duration", "s", "scrape_duration_seconds", "Duration of the scrapes of each replica, from {}."),
        ("Scraped samples", "locale", "scrape_samples_scraped", "Samples in a scrape of each replica, from {}."),
    ):
        query = panels.range_query(series if "{" in series else f"{series}{{{SELECTED}}}", "{{instance}}")
        yield panels.line_chart(title, description.format(series), query, width=6, unit=unit, minimum=0)

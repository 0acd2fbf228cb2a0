"""PromQL shared by panels: the last known values of a data source, from the replica that polled it last.

Every replica of the exporter has its own series for the same data source. A query must not add them up, and must not
prefer a replica that lags behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SOURCE = "application, data_source, data_source_id"
INDEX = "application, index, index_id"
SELECTED = 'application=~"$application", data_source_id=~"$data_source"'
SELECTED_INDEX = 'application=~"$application", index_id=~"$index"'
FRESHEST = "data_source:qbusiness_as_of_timestamp_seconds:freshest"
"""Recording rule: the last successful poll of a data source, on the replica that polled it last."""

AS_OF = f"{FRESHEST}{{{SELECTED}}}"
"""The time that alerts and ages use as "now"."""

STATUSES = ("SUCCEEDED", "INCOMPLETE", "FAILED", "ABORTED", "SYNCING", "SYNCING_INDEXING", "STOPPING")
UNKNOWN_STATUS = len(STATUSES) + 1


def select(metric: str, *matchers: str, selected: str = SELECTED) -> str:
    """Return a selector for the series that the dashboard variables select."""
    return f"{metric}{{{', '.join((selected, *matchers))}}}"


def last_known(metric: str, *matchers: str, at: str = "", selected: str = SELECTED) -> str:
    """Return the last known value, up to ten minutes after the last scrape, as in the rules."""
    return f"last_over_time({select(metric, *matchers, selected=selected)}[10m]{at})"


def per_source(expression: str, by: str = SOURCE) -> str:
    """Return one series for each data source, without the labels of the replicas."""
    return f"max by ({by}) ({expression})"


def latest(metric: str, *matchers: str, at: str = "") -> str:
    """Return the last known value from the replica that polled the data source last."""
    return per_source(f"{last_known(metric, *matchers, at=at)} and {FRESHEST}{at}")


def current(metric: str) -> str:
    """Return the current value from the replica that polled the data source last, or nothing.

    For series that disappear, such as those of a running sync. With `latest`, a sync would still be shown as running
    for ten minutes after its end.
    """
    return per_source(f"{select(metric)} and {FRESHEST}")


def recorded(rule: str) -> str:
    """Return the values of a recording rule for the selected data sources, with all their labels.

    A recorded value identifies its data source by the id alone.
    """
    return f"0 * {per_source(AS_OF)} + on (data_source_id) group_left () max by (data_source_id) ({rule})"


def age(timestamp: str) -> str:
    """Return the age of a timestamp at the last poll of its data source.

    The time of the last poll comes from a recording rule and may be older than the scraped timestamp. Then the age is
    0.
    """
    return per_source(f"clamp_min({AS_OF} - {timestamp}, 0)")


def status_of(metric: str, label: str) -> str:
    """Return 1 with the current status in the given label."""
    current = f"{last_known(metric)} == 1 and ignoring (status) {FRESHEST}"
    return per_source(f'label_replace({current}, "{label}", "$1", "status", "(.+)")', f"{SOURCE}, {label}")


def has_status(metric: str, status: str) -> str:
    """Return 1 for each data source with the status, and no series for the others."""
    return per_source(f"{last_known(metric, _is(status))} == 1 and ignoring (status) {FRESHEST}")


def status_number(metric: str) -> str:
    """Return the current status as a number, because a state timeline only draws numbers."""
    parts = [f"{number} * {last_known(metric, _is(status))}" for number, status in enumerate(STATUSES, 1)]
    parts.append(f"{UNKNOWN_STATUS} * {last_known(metric, _is_none_of(STATUSES))}")
    return per_source(f"({' or '.join(parts)}) and ignoring (status) {FRESHEST}")


def _is(status: str) -> str:
    return f'status="{status}"'


def _is_none_of(statuses: Iterable[str]) -> str:
    return f'status!~"{"|".join(statuses)}"'


def increase(counter: str, *matchers: str, by: str = "", over: str = "$__rate_interval") -> str:
    """Return the increase of a counter, rounded because Prometheus extrapolates to fractions.

    Each replica counts all syncs, so the query takes the highest increase and not the sum.
    """
    labels = f"{SOURCE}, {by}" if by else SOURCE
    return per_source(f"round(increase({select(counter, *matchers)}[{over}]))", labels)


def with_reason(failures: str) -> str:
    """Add a label `reason`: the connector's error code, or the API's error code if there is none."""
    from_api = f'label_replace({failures}, "reason", "$1", "error_code", "(.+)")'
    return f'label_replace({from_api}, "reason", "$1", "connector_error_code", "(.+)")'


def top_sources(expression: str, by: str, limit: int = 20) -> str:
    """Return only the data sources with the highest value of `by`."""
    return f"{expression} and on (data_source_id) topk({limit}, {by})"


def count(expression: str, among: str = AS_OF) -> str:
    """Return the number of series; 0 only if `among` has series, so that missing data does not look like 0."""
    return f"count({expression}) or 0 * count({among})"


def count_zeros(series: str) -> str:
    """Return the number of series with the value 0."""
    return count(f"{series} == 0", among=series)


RUNNING_TIME = age(select("qbusiness_running_sync_start_timestamp_seconds"))
"""How long the oldest running sync has been in progress."""

"""PromQL that panels share: what was last known of a data source, by the replica that read it last."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SOURCE = "application, data_source, data_source_id"
INDEX = "application, index, index_id"
CHOSEN = 'application=~"$application", data_source_id=~"$data_source"'
CHOSEN_INDEX = 'application=~"$application", index_id=~"$index"'
FRESHEST = "data_source:qbusiness_as_of_timestamp_seconds:freshest"
"""When a data source was last read, on the replica that read it last: a recording rule."""

AS_OF = f"{FRESHEST}{{{CHOSEN}}}"
"""The "now" that alerts reckon with; on the replica that read it last."""

STATUSES = ("SUCCEEDED", "INCOMPLETE", "FAILED", "ABORTED", "SYNCING", "SYNCING_INDEXING", "STOPPING")
UNKNOWN_STATUS = len(STATUSES) + 1


def select(metric: str, *matchers: str, chosen: str = CHOSEN) -> str:
    """Select the series of what is chosen at the top of the page."""
    return f"{metric}{{{', '.join((chosen, *matchers))}}}"


def known(metric: str, *matchers: str, at: str = "", chosen: str = CHOSEN) -> str:
    """Give what was last known, carried over ten minutes without a scrape, as the rules do."""
    return f"last_over_time({select(metric, *matchers, chosen=chosen)}[10m]{at})"


def of_source(expression: str, by: str = SOURCE) -> str:
    """Give one series a data source, whatever else the series of several replicas differ by."""
    return f"max by ({by}) ({expression})"


def latest(metric: str, *matchers: str, at: str = "") -> str:
    """Give what the replica knows that read a data source last."""
    return of_source(f"{known(metric, *matchers, at=at)} and {FRESHEST}{at}")


def current(metric: str) -> str:
    """Give what the replica says now that read a data source last: for what may go, as it does when a sync ends.

    Carried over, the sync that was would be told of as if it were still in progress.
    """
    return of_source(f"{select(metric)} and {FRESHEST}")


def age(timestamp: str) -> str:
    """Give how old something was when its data source was last read.

    That is recorded by a rule, so that it may be a moment behind what was scraped since: then it is 0.
    """
    return of_source(f"clamp_min({AS_OF} - {timestamp}, 0)")


def status_of(metric: str, label: str) -> str:
    """Give 1 for the current status, which the given label tells."""
    current = f"{known(metric)} == 1 and ignoring (status) {FRESHEST}"
    return of_source(f'label_replace({current}, "{label}", "$1", "status", "(.+)")', f"{SOURCE}, {label}")


def has_status(metric: str, status: str) -> str:
    """Give 1 for the data sources with a status, and nothing for the others."""
    return of_source(f"{known(metric, _is(status))} == 1 and ignoring (status) {FRESHEST}")


def status_number(metric: str) -> str:
    """Give the current status as its number: a state timeline draws numbers."""
    parts = [f"{number} * {known(metric, _is(status))}" for number, status in enumerate(STATUSES, 1)]
    parts.append(f"{UNKNOWN_STATUS} * {known(metric, _is_none_of(STATUSES))}")
    return of_source(f"({' or '.join(parts)}) and ignoring (status) {FRESHEST}")


def _is(status: str) -> str:
    return f'status="{status}"'


def _is_none_of(statuses: Iterable[str]) -> str:
    return f'status!~"{"|".join(statuses)}"'


def risen(counter: str, *matchers: str, by: str = "", over: str = "$__rate_interval") -> str:
    """Give by how much a counter rose, as a whole number: Prometheus makes a fraction of it between scrapes.

    Each replica counts all there is, so the most that one has seen is taken.
    """
    labels = f"{SOURCE}, {by}" if by else SOURCE
    return of_source(f"round(increase({select(counter, *matchers)}[{over}]))", labels)


def reason(failures: str) -> str:
    """Name the reason of failures: the connector's code where there is one, else the API's."""
    from_api = f'label_replace({failures}, "reason", "$1", "error_code", "(.+)")'
    return f'label_replace({from_api}, "reason", "$1", "connector_error_code", "(.+)")'


def worst(expression: str, by: str, most: int = 20) -> str:
    """Keep a few data sources: those for which, at the end of the time range, something is largest."""
    return f"{expression} and on (data_source_id) topk({most}, {by})"


def count(expression: str, among: str = AS_OF) -> str:
    """Count data sources, or what else is there to be seen; 0 only where some are seen at all."""
    return f"count({expression}) or 0 * count({among})"


def not_working(series: str) -> str:
    """Count those of which a series says 0."""
    return count(f"{series} == 0", among=series)


RUNNING_FOR = age(select("qbusiness_running_sync_start_timestamp_seconds"))
"""How long the oldest sync in progress has been running."""

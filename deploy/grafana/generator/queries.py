"""PromQL shared by panels: the last known values of a data source, from the replica that polled it last.

Every replica of the exporter has its own series for the same data source. A query must not add them up, and must not
prefer a replica that lags behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.metrics import container_families, container_labels, source_families, source_labels

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.domain.service import Service

STATUSES = ("SUCCEEDED", "INCOMPLETE", "FAILED", "ABORTED", "SYNCING", "SYNCING_INDEXING", "STOPPING")
UNKNOWN_STATUS = len(STATUSES) + 1


class ServiceQueries:
    """The queries for the data sources and containers of a service, with its prefix and its labels."""

    def __init__(self, service: Service) -> None:
        root, container = service.root, service.container
        self.service = service
        self.prefix = service.name
        self.container_family = f"{service.name}_{container.word}"
        """The beginning of the names of metrics about containers."""
        self.source_labels = ", ".join(source_labels(service))
        self.container_labels = ", ".join(container_labels(service))
        self.selected = f'{root.word}=~"${root.word}", data_source_id=~"$data_source"'
        self.selected_containers = f'{root.word}=~"${root.word}"'
        if container is not root:
            self.selected_containers += f', {container.key}=~"${container.word}"'
        self.freshest = f"data_source:{self.prefix}_as_of_timestamp_seconds:freshest"
        """Recording rule: the last successful poll of a data source, on the replica that polled it last."""
        self.as_of = f"{self.freshest}{{{self.selected}}}"
        """The time that alerts and ages use as "now"."""
        self._families = {family.name for family in (*source_families(service), *container_families(service))}

    def has(self, family: str) -> bool:
        """Return whether the service has a metric family."""
        return f"{self.prefix}_{family}" in self._families

    @property
    def source_legend(self) -> str:
        """The names of a data source in the legend of a panel."""
        return f"{{{{{self.service.root.word}}}}} / {{{{data_source}}}}"

    @property
    def document_kinds(self) -> tuple[str, ...]:
        """The counts of documents that a sync reports, except counts of metadata files."""
        kinds = (kind for kind, _ in self.service.members.document_counts)
        return tuple(kind for kind in kinds if not kind.startswith("metadata"))

    @property
    def running_time(self) -> str:
        """The time for which the oldest running sync has been in progress."""
        return self.age(self.select("running_sync_start_timestamp_seconds"))

    @property
    def content_age(self) -> str:
        """The time since content last reached the container."""
        return self.age(self.last_known("last_indexed_sync_timestamp_seconds"))

    @property
    def max_age(self) -> str:
        """The objective for the content age."""
        return self.latest("data_source_objective_max_success_age_seconds")

    @property
    def max_duration(self) -> str:
        """The objective for the duration of a sync."""
        return self.latest("data_source_objective_max_duration_seconds")

    def select(self, metric: str, *matchers: str, selected: str = "") -> str:
        """Return a selector for the series of a metric that the dashboard variables select."""
        return f"{self.prefix}_{metric}{{{', '.join((selected or self.selected, *matchers))}}}"

    def last_known(self, metric: str, *matchers: str, at: str = "", selected: str = "") -> str:
        """Return the last known value, up to ten minutes after the last scrape, as in the rules."""
        return f"last_over_time({self.select(metric, *matchers, selected=selected)}[10m]{at})"

    def per_source(self, expression: str, *more_labels: str) -> str:
        """Return one series for each data source, without the labels of the replicas."""
        return f"max by ({', '.join((self.source_labels, *more_labels))}) ({expression})"

    def latest(self, metric: str, *matchers: str, at: str = "") -> str:
        """Return the last known value from the replica that polled the data source last."""
        return self.per_source(f"{self.last_known(metric, *matchers, at=at)} and {self.freshest}{at}")

    def current(self, metric: str) -> str:
        """Return the current value from the replica that polled the data source last, or nothing.

        It is for series that disappear, such as those of a running sync. With `latest`, a sync would be shown as
        running for ten minutes after its end.
        """
        return self.per_source(f"{self.select(metric)} and {self.freshest}")

    def recorded(self, rule: str) -> str:
        """Return the values of a recording rule for the selected data sources, with all their labels.

        A recorded value identifies its data source only by the id.
        """
        values = f"max by (data_source_id) (data_source:{self.prefix}_{rule})"
        return f"0 * {self.per_source(self.as_of)} + on (data_source_id) group_left () {values}"

    def age(self, timestamp: str) -> str:
        """Return the age of a timestamp at the last poll of its data source.

        The time of the last poll comes from a recording rule and may be older than the scraped timestamp. Then the age
        is 0.
        """
        return self.per_source(f"clamp_min({self.as_of} - {timestamp}, 0)")

    def status_of(self, metric: str, label: str) -> str:
        """Return 1 with the current status in the given label."""
        current = f"{self.last_known(metric)} == 1 and ignoring (status) {self.freshest}"
        return self.per_source(f'label_replace({current}, "{label}", "$1", "status", "(.+)")', label)

    def has_status(self, metric: str, status: str) -> str:
        """Return 1 for each data source with the status, and no series for the others."""
        current = self.last_known(metric, _is(status))
        return self.per_source(f"{current} == 1 and ignoring (status) {self.freshest}")

    def status_number(self, metric: str) -> str:
        """Return the current status as a number, because a state timeline only draws numbers."""
        parts = [f"{number} * {self.last_known(metric, _is(status))}" for number, status in enumerate(STATUSES, 1)]
        parts.append(f"{UNKNOWN_STATUS} * {self.last_known(metric, _is_none_of(STATUSES))}")
        return self.per_source(f"({' or '.join(parts)}) and ignoring (status) {self.freshest}")

    def increase(self, counter: str, *by: str, over: str = "$__rate_interval") -> str:
        """Return the increase of a counter, rounded because Prometheus extrapolates to fractions.

        Each replica counts all syncs, so the query takes the highest increase and not the sum.
        """
        return self.per_source(f"round(increase({self.select(counter)}[{over}]))", *by)

    def failures(self, over: str) -> str:
        """Return the failed syncs with a label `reason`, the connector's code or else the API's.

        A series with a code of the connector appears with the first such failure, at 1 and not at 0, so `increase()`
        misses that failure. If the data source had series before the range, but not this one, its first value is added.
        """
        codes = ("error_code", "connector_error_code")
        series = self.select("sync_job_failures_total")
        growth = f"increase({series}[{over}])"
        existing = f"last_over_time({series}[10m] offset {over})"
        watched = self.last_known("sync_job_failures_total", 'connector_error_code=""', at=f" offset {over}")
        new = f"min_over_time({series}[{over}]) unless on (data_source_id, {', '.join(codes)}) {existing}"
        new = f"({new} and on (data_source_id) {watched})"
        reasons = self.per_source(f"round({growth} + {new} or {new} or {growth})", *codes)
        for code in codes:
            reasons = f'label_replace({reasons}, "reason", "$1", "{code}", "(.+)")'
        return reasons

    def count(self, expression: str) -> str:
        """Return the number of series; 0 only if data sources are selected."""
        return count(expression, self.as_of)


def top_sources(expression: str, by: str, limit: int = 20) -> str:
    """Return only the data sources with the highest value of `by`."""
    return f"{expression} and on (data_source_id) topk({limit}, {by})"


def count(expression: str, among: str) -> str:
    """Return the number of series; 0 only if `among` has series, so that missing data does not look like 0."""
    return f"count({expression}) or 0 * count({among})"


def count_zeros(series: str) -> str:
    """Return the number of series with the value 0."""
    return count(f"{series} == 0", among=series)


def _is(status: str) -> str:
    return f'status="{status}"'


def _is_none_of(statuses: Iterable[str]) -> str:
    return f'status!~"{"|".join(statuses)}"'

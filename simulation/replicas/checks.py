"""The invariants of each scrape of all replicas, and at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.domain.durations import parse_duration
from simulation.page import ParsedPage, parse_series
from simulation.replicas.ownership import OwnershipCheck
from simulation.scrape_checks import SourceCheck

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulation.replicas.cluster import ClusterState
    from simulation.replicas.process import ReplicaProcess

STATE_UP, OWNED = "qbusiness_exporter_state_up", "qbusiness_exporter_target_owned"
SLOW_POLL = 30.0  # seconds by which a poll may be late


class ReplicaChecker:
    """Scrapes the replicas, and checks their pages against each other and against the oracle."""

    def __init__(self, cluster: ClusterState, processes: Mapping[str, ReplicaProcess]) -> None:
        self._cluster = cluster
        self._processes = processes
        self._shared: dict[str, float] = {}
        self._own: dict[str, dict[str, float]] = {}
        self.ownership = OwnershipCheck(cluster)

    def tick(self) -> None:
        """Check the invariants that do not need a scrape."""
        late = self._cluster.database.late_writes
        assert not late, late[0]
        self.ownership.check(self._processes.values())

    def scrape(self) -> dict[str, ParsedPage]:
        """Scrape all replicas that respond, and check every invariant; return the pages by the id of the process."""
        self.tick()
        processes = [process for process in self._processes.values() if process.responds]
        pages = {process.id: process.scrape() for process in processes}
        self._cluster.trace.note("scrape", *pages)
        for process in processes:
            self._check_page(process, pages[process.id])
        self._check_shared_counters(pages)
        return pages

    def final(self) -> None:
        """Check that the replicas share the targets, and that every sync job is counted."""
        self.ownership.check_single(self._processes.values())
        pages = self.scrape().values()
        for account, source in self._cluster.sources.values():
            found = [page.by_source[source.id] for page in pages if source.id in page.by_source]
            assert len(found) == 1, f"{source.name} is on {len(found)} pages at the end"
            check = SourceCheck(account, source, found[0], None, self._cluster.clock.now)
            idle = parse_duration(self._cluster.settings["polling"]["idle_interval"])
            late = self._cluster.clock.now - check.polled - idle
            assert check.is_up, f"polls of {source.name} fail at the end"
            assert late <= SLOW_POLL, f"the poll of {source.name} is {late:.0f} s late at the end"

    def _check_page(self, process: ReplicaProcess, page: ParsedPage) -> None:
        """Assert that a page has correct totals, and that none of its counters falls."""
        owned = {labels["target"] for labels, value in page.values(OWNED) if value}
        expected = set(process.fresh_targets())
        assert not page.value(STATE_UP) or owned == expected, f"{process.id} owns {expected}, and its page has {owned}"
        own = self._own.setdefault(process.id, {})
        for text, value in page.samples.items():
            if is_counter_of_source(text):
                assert value >= own.get(text, 0.0), f"{text} fell from {own[text]:g} to {value:g} on {process.id}"
                own[text] = value
        for source_id, families in page.by_source.items():
            check = SourceCheck(*self._cluster.sources[source_id], families, None, self._cluster.clock.now)
            check.check_complete()
            if check.has_jobs:
                check.check_totals_of(self._cluster.watched, is_trusted=True)

    def _check_shared_counters(self, pages: Mapping[str, ParsedPage]) -> None:
        """Assert that no counter falls, as the maximum over the replicas whose writes the database accepts."""
        shared: dict[str, float] = {}
        for page in pages.values():
            if page.value(STATE_UP):
                for text, value in page.samples.items():
                    if is_counter_of_source(text):
                        shared[text] = max(value, shared.get(text, value))
        for text, value in shared.items():
            before = self._shared.get(text, 0.0)
            assert value >= before, f"{text} fell from {before:g} to {value:g} over all replicas"
        self._shared |= shared


def is_counter_of_source(text: str) -> bool:
    """Return whether a series is a counter of a data source."""
    series = parse_series(text)
    return series.is_counter and "data_source_id" in series.labels

"""A monitor of replicas, which scrapes all of them and checks their series like the shipped rules."""

from __future__ import annotations

import threading
import time
from functools import lru_cache
from http.client import HTTPException
from typing import TYPE_CHECKING

from tests.support.harness import Scrape

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.support.harness import Program

    Sample = tuple[str, frozenset[tuple[str, str]]]

OWNED, STATE_UP = "qbusiness_exporter_target_owned", "qbusiness_exporter_state_up"
POLLED = "qbusiness_last_successful_poll_timestamp_seconds"
COUNTERS = ("qbusiness_sync_job", "qbusiness_documents_")
SCRAPE_INTERVAL = 0.25  # seconds
ROUNDING = 1e-6  # seconds; sums of durations depend on the order in which a replica has seen the jobs


class FreshestSamples:
    """The series of each data source from the replica that polled it last, as the rules select them.

    A series that a replica no longer exposes counts with its last value, because the rules look back ten minutes.
    """

    def __init__(self) -> None:
        self._seen: dict[str, dict[str, dict[Sample, float]]] = {}
        self._polled: dict[str, dict[str, float]] = {}

    def add(self, replica: str, scrape: Scrape) -> None:
        """Record the current page of a replica."""
        found: dict[str, dict[Sample, float]] = {}
        for sample, value in scrape.samples.items():
            if source := _source_of(sample):
                found.setdefault(source, {})[sample] = value
                if sample[0] == POLLED:
                    self._polled.setdefault(source, {})[replica] = value
        for source, samples in found.items():
            self._seen.setdefault(source, {})[replica] = samples

    def scrape(self) -> Scrape:
        """Return the series of all data sources; of replicas that polled at the same time, the maximum counts."""
        samples: dict[Sample, float] = {}
        for source, polled in self._polled.items():
            latest = max(polled.values())
            for replica in (name for name, time_ in polled.items() if time_ == latest):
                for sample, value in self._seen[source][replica].items():
                    samples[sample] = max(value, samples.get(sample, value))
        return Scrape(samples)

    def polled(self) -> Mapping[str, float]:
        """Return the time of the latest successful poll of each data source."""
        return {source: max(polled.values()) for source, polled in self._polled.items()}


class ReplicaMonitor:
    """Scrapes the replicas in a thread, and records every error that a user would have seen."""

    def __init__(self, programs: dict[str, Program]) -> None:
        self._programs = programs
        self._watched: set[str] = set()
        """The replicas that can respond: neither killed nor paused."""
        self.falls: list[object] = []
        """The counters that fell, each with the values before and after."""
        self.longest_conflict = 0.0
        """Seconds for which a target had two fresh owners."""
        self.longest_gap = 0.0
        """Seconds for which a data source was not polled, since its last poll or since the last fault began."""
        self._disturbed_at = 0.0
        self._freshest = FreshestSamples()
        self._before: dict[Sample, float] = {}
        self._conflicts: dict[str, float] = {}
        self._mutex = threading.RLock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Start to scrape."""
        self._thread.start()

    def stop(self) -> None:
        """Stop to scrape."""
        self._stopping.set()
        self._thread.join()

    def watch(self, name: str) -> None:
        """Scrape a replica from now on."""
        with self._mutex:
            self._watched.add(name)

    def ignore(self, name: str) -> None:
        """Stop scraping a replica; wait for a scrape in progress."""
        with self._mutex:
            self._watched.discard(name)
        self.fault_begins()

    def fault_begins(self) -> None:
        """Record the start of a fault, from which the replicas must recover."""
        self._disturbed_at = time.time()

    def scrapes(self) -> dict[str, Scrape]:
        """Return the scrapes of all replicas that respond."""
        found = {}
        with self._mutex:
            for name in sorted(self._watched):
                try:
                    found[name] = self._programs[name].scrape()
                except (OSError, HTTPException):
                    self._watched.discard(name)
        return found

    def freshest(self) -> Scrape:
        """Scrape, and return the series of data sources as the rules select them."""
        self._observe()
        with self._mutex:
            return self._freshest.scrape()

    def _run(self) -> None:
        while not self._stopping.wait(SCRAPE_INTERVAL):
            self._observe()

    def _observe(self) -> None:
        with self._mutex:
            scrapes = self.scrapes()
            for name, scrape in scrapes.items():
                self._freshest.add(name, scrape)
            self._check_counters(self._freshest.scrape())
            self._check_owners(scrapes)
            self._check_ages(time.time())

    def _check_counters(self, scrape: Scrape) -> None:
        counters = {sample: value for sample, value in scrape.samples.items() if is_counter(sample[0])}
        self.falls += [
            (sample, self._before[sample], value)
            for sample, value in counters.items()
            if value < self._before.get(sample, value) - ROUNDING
        ]
        self._before |= counters

    def _check_owners(self, scrapes: Mapping[str, Scrape]) -> None:
        now = time.monotonic()
        owners = [target for scrape in scrapes.values() for target in fresh_targets(scrape)]
        conflicts = {target for target in owners if owners.count(target) > 1}
        self._conflicts = {target: self._conflicts.get(target, now) for target in conflicts}
        self.longest_conflict = longest(self.longest_conflict, now, self._conflicts.values())

    def _check_ages(self, now: float) -> None:
        since = (max(polled, self._disturbed_at) for polled in self._freshest.polled().values())
        self.longest_gap = longest(self.longest_gap, now, since)


def is_counter(name: str) -> bool:
    """Return whether a series is a counter of a data source."""
    return name.startswith(COUNTERS) and name.endswith(("_total", "_count", "_sum"))


def longest(before: float, now: float, since: Iterable[float]) -> float:
    """Return the longest time that has passed, at least the one before."""
    return max([before, *(now - each for each in since)])


def fresh_targets(scrape: Scrape) -> set[str]:
    """Return the targets that a replica owns, while no other one can have taken over."""
    if not scrape.value(STATE_UP):
        return set()
    return {dict(labels)["target"] for (name, labels), value in scrape.samples.items() if name == OWNED and value == 1}


@lru_cache(maxsize=10_000)
def _source_of(sample: Sample) -> str | None:
    """Return the id of the data source of a sample."""
    return next((value for label, value in sample[1] if label == "data_source_id"), None)

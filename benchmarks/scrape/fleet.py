"""A simulated fleet in a separate process that receives commands over a pipe."""

from __future__ import annotations

import multiprocessing
import time
from typing import TYPE_CHECKING, Any

from exporter.domain.units import DAY, HOUR
from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedEndpoint

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

SYNCING = 10  # one in ten sources is syncing all the time
JOBS = 20  # of each source
SOURCES_PER_INDEX, INDEXES_PER_APPLICATION = 25, 4


class FleetProcess:
    """Starts the process, and sends commands to it."""

    def __init__(self, size: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, remote_end = context.Pipe()
        self._process = context.Process(target=_serve, args=(remote_end, size), daemon=True)
        self._process.start()
        self.url: str = self._pipe.recv()

    def end_first_syncs(self) -> None:
        """End the running sync of every source, and start a long one in every tenth source."""
        self._call("end_first_syncs")

    def add_failed_jobs(self, count: int) -> list[str]:
        """Add a job that has just failed to some of the syncing sources; return the ids of the sources."""
        sources: list[str] = self._call("add_failed_jobs", count)
        return sources

    def first_responses(self, sources: list[str]) -> dict[str, float]:
        """Return when jobs of each source were first listed after `add_failed_jobs`, on the monotonic clock."""
        times: dict[str, float] = self._call("first_responses", sources)
        return times

    def stop(self) -> None:
        """Terminate the process."""
        self._process.terminate()
        self._process.join()

    def _call(self, command: str, *arguments: object) -> Any:  # noqa: ANN401 (the result of any command)
        self._pipe.send((command, arguments))
        return self._pipe.recv()


def _serve(pipe: Connection, size: int) -> None:
    """Serve the API, and execute commands, until the process is terminated."""
    with SimulatedEndpoint(_fleet(size, time.time())) as service:
        commands = _Commands(service)
        pipe.send(service.url)
        while True:
            command, arguments = pipe.recv()
            pipe.send(getattr(commands, command)(*arguments))


class _Commands:
    """The commands. Each changes the simulated service or reads its log."""

    def __init__(self, service: SimulatedEndpoint) -> None:
        self._service = service
        self._sources = [source for _, _, source in service.fleet.data_sources()]
        self._added_at = 0.0

    def end_first_syncs(self) -> None:
        for number, source in enumerate(self._sources):
            source.change(make_id(number, "first"), outcome="SUCCEEDED", crawl_seconds=HOUR - 60)
            if number % SYNCING == 0:
                documents = {"scanned": 10_000_000, "added": 5_000_000, "modified": 3_000_000}
                source.jobs.append(PlannedJob(make_id(number, "now"), time.time(), 12 * HOUR, 60, documents=documents))

    def add_failed_jobs(self, count: int) -> list[str]:
        self._added_at, now = time.monotonic(), time.time()
        sources = self._sources[::SYNCING][:count]
        for source in sources:
            source.jobs.append(PlannedJob(make_id(source.name, now), now - 60, 20, 20, "FAILED"))
        return [source.id for source in sources]

    def first_responses(self, sources: list[str]) -> dict[str, float]:
        times: dict[str, float] = {}
        for request in list(self._service.requests):
            is_poll = request.call.operation == "ListDataSourceSyncJobs" and request.call.data_source_id in sources
            if is_poll and request.monotonic >= self._added_at:
                times.setdefault(request.call.data_source_id, request.monotonic)
        return times


def _fleet(size: int, now: float) -> Fleet:
    sources = [_source(number, now) for number in range(size)]
    indexes = [
        SimulatedIndex(f"index-{number}", some) for number, some in enumerate(_batches(sources, SOURCES_PER_INDEX))
    ]
    return Fleet(
        [
            SimulatedApplication(f"department-{number}", some)
            for number, some in enumerate(_batches(indexes, INDEXES_PER_APPLICATION))
        ]
    )


def _batches(items: list[Any], size: int) -> list[list[Any]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _source(number: int, now: float) -> SimulatedDataSource:
    """Build a data source with one job a day, and one that is running until `end_first_syncs`."""
    documents = dict.fromkeys(("added", "modified", "deleted", "failed", "scanned"), 100000 + number)
    ended = [
        PlannedJob(make_id(number, day), now - day * DAY, 1800 + number % 900, 300, documents=documents)
        for day in range(1, JOBS)
    ]
    first = PlannedJob(make_id(number, "first"), now - HOUR, outcome=None, documents=documents)
    kinds = ("SHAREPOINTV2", "CONFLUENCEV2", "S3", "WEBCRAWLERV2")
    schedule = f"cron({number % 60} {number % 24} * * ? *)"
    return SimulatedDataSource(f"department-share-{number}", kinds[number % 4], schedule=schedule, jobs=[*ended, first])

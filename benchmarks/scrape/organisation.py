"""A simulated organisation in a process of its own, which answers commands over a pipe."""

from __future__ import annotations

import multiprocessing
import time
from typing import TYPE_CHECKING, Any

from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedQBusiness

if TYPE_CHECKING:
    from multiprocessing.connection import Connection as Pipe

HOUR, DAY = 3600.0, 86400.0
BUSY = 10  # one in so many is syncing throughout
PER_INDEX, PER_APPLICATION = 25, 4


class Organisation:
    """The other end of the pipe: some sources, one in ten of them syncing."""

    def __init__(self, size: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, size), daemon=True)
        self._process.start()
        self.url: str = self._pipe.recv()

    def end_first_syncs(self) -> None:
        """Let every source's first sync end, so that each has a duration that was seen."""
        self._ask("end")

    def add_jobs(self, count: int) -> list[str]:
        """Let syncs of so many syncing sources have failed just now; give the sources' ids."""
        sources: list[str] = self._ask("add", count)
        return sources

    def answered(self, sources: list[str]) -> dict[str, float]:
        """Give when each of those sources was first answered since, by the monotonic clock."""
        moments: dict[str, float] = self._ask("answered", sources)
        return moments

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.join()

    def _ask(self, *command: object) -> Any:  # noqa: ANN401 (whatever the command gives)
        self._pipe.send(command)
        return self._pipe.recv()


def _fleet(size: int, now: float) -> Fleet:
    sources = [_source(number, now) for number in range(size)]
    indexes = [
        SimulatedIndex(f"index-{at // PER_INDEX}", sources[at : at + PER_INDEX])
        for at in range(0, len(sources), PER_INDEX)
    ]
    return Fleet(
        [
            SimulatedApplication(f"department-{at // PER_APPLICATION}", indexes[at : at + PER_APPLICATION])
            for at in range(0, len(indexes), PER_APPLICATION)
        ]
    )


def _source(number: int, now: float) -> SimulatedDataSource:
    documents = dict.fromkeys(("added", "modified", "deleted", "failed", "scanned"), 100000 + number)
    past = [
        PlannedJob(make_id(number, day), now - day * DAY, 1800 + number % 900, 300, documents=documents)
        for day in range(1, 6)
    ]
    first = PlannedJob(make_id(number, "first"), now - HOUR, outcome=None, documents=documents)
    kinds = ("SHAREPOINTV2", "CONFLUENCEV2", "S3", "WEBCRAWLERV2")
    schedule = f"cron({number % 60} {number % 24} * * ? *)"
    return SimulatedDataSource(f"department-share-{number}", kinds[number % 4], schedule=schedule, jobs=[*past, first])


def _serve(pipe: Pipe, size: int) -> None:
    fleet = _fleet(size, time.time())
    sources = [source for _, _, source in fleet.data_sources()]
    added_at = 0.0
    with SimulatedQBusiness(fleet) as service:
        pipe.send(service.url)
        while True:
            command, *description = pipe.recv()
            now = time.time()
            if command == "end":
                for number, source in enumerate(sources):
                    source.change(make_id(number, "first"), outcome="SUCCEEDED", crawl_seconds=HOUR - 60)
                    if number % BUSY == 0:
                        figures = {"scanned": 10_000_000, "added": 5_000_000, "modified": 3_000_000}
                        source.jobs.append(PlannedJob(make_id(number, "now"), now, 12 * HOUR, 60, documents=figures))
                pipe.send(None)
            elif command == "add":
                added_at = time.monotonic()
                busy = sources[::BUSY][: description[0]]
                for source in busy:
                    source.jobs.append(PlannedJob(make_id(source.name, now), now - 60, 20, 20, "FAILED"))
                pipe.send([source.id for source in busy])
            else:
                firsts: dict[str, float] = {}
                for logged in service.logged("ListDataSourceSyncJobs"):
                    if logged.monotonic >= added_at and logged.call.data_source_id in description[0]:
                        firsts.setdefault(logged.call.data_source_id, logged.monotonic)
                pipe.send(firsts)

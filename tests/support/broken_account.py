"""An account with every problem, each in a separate data source or index."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Self

from exporter.domain.units import DAY, HOUR, MINUTE
from exporter.simulator.document import SimulatedDocument
from exporter.simulator.fleet import Fleet, Routine, SimulatedApplication, SimulatedDataSource, SimulatedIndex, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedEndpoint
from tests.support.sync_events import SqsServer

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from exporter.simulator.faults import Fault

STUCK_AT = 48_900
USUAL = 1000
YEARLY = "cron(0 0 1 1 ? *)"
HOURLY = "cron(0 * * * ? *)"
QUEUE = "sync-events"
ROLE = "arn:aws:iam::111122223333:role/reader"
OBJECTIVES = [
    {"match": {"data_source": "old"}, "max_success_age": "1h"},
    {"match": {"data_source": "partial"}, "max_success_age": "1h"},
    {"match": {"data_source": "overdue"}, "max_success_age": "8d"},
    {"match": {"data_source": "thin"}, "min_index_documents": 1000},
]


def job(
    name: str, ago: float, outcome: str | None = "SUCCEEDED", duration: float = MINUTE, **documents: int
) -> PlannedJob:
    """Return a job that started `ago` seconds ago."""
    counts = documents or {"scanned": USUAL}
    return PlannedJob(make_id(name, ago), time.time() - ago, duration, 0, outcome, counts)


def _source(name: str, *jobs: PlannedJob, **description: Any) -> SimulatedDataSource:
    return SimulatedDataSource(name, jobs=list(jobs), **description)


def _short_job(_: random.Random) -> PlannedJob:
    return PlannedJob("", 0, 2, 1, documents={"scanned": USUAL})


def production() -> Fleet:
    """Return the fleet. The name of a data source or an index states its problem."""
    now = time.time()
    sources = [
        _source("healthy", routine=Routine("healthy", now - 600, 6, _short_job), schedule=HOURLY),
        _source("calm", job("calm", 10 * MINUTE), schedule=YEARLY),
        _source("failed", job("failed", 2 * HOUR)),
        _source("failing", *(job("failing", hours * HOUR, "FAILED") for hours in range(1, 5))),
        _source("old", job("old", 3 * HOUR)),
        _source("partial", job("partial", 3 * HOUR), job("partial", HOUR / 2, "INCOMPLETE", failed=1, scanned=100)),
        _source("incomplete", job("incomplete", HOUR / 2, "INCOMPLETE", failed=20, scanned=100)),
        _source("overdue", job("overdue", DAY), schedule=HOURLY),
        _source("stopped", *(job("stopped", 4 * DAY + hours * HOUR) for hours in range(5))),
        _source("never", created=now - 2 * DAY, schedule=YEARLY),
        _source("long", job("long", 2 * DAY), job("long", 30 * HOUR, None, 60 * HOUR, scanned=100_000)),
        _source("stuck", job("stuck", 2 * DAY), job("stuck", 30 * HOUR, None, HOUR, scanned=STUCK_AT)),
        _source("slow", job("slow", 2 * HOUR, None)),
        _source("empty", job("empty", HOUR, scanned=0)),
        _source("aborted", *(job("aborted", hours * HOUR, "ABORTED") for hours in range(1, 7))),
        _source("unproductive", job("unproductive", HOUR, added=0, scanned=USUAL), created=now - 2 * HOUR),
        _source("dropped", job("dropped", HOUR, deleted=0, scanned=USUAL // 5)),
        _source("purged", job("purged", HOUR, deleted=300, scanned=700)),
        _source("inactive", job("inactive", HOUR), status="FAILED"),
        _source("unscheduled", job("unscheduled", HOUR), schedule="hourly"),
        _source("unreadable", job("unreadable", HOUR)),
        _source(
            "rejected", job("rejected", HOUR), documents=[SimulatedDocument("a"), SimulatedDocument("b", "FAILED")]
        ),
    ]
    indexes = [
        SimulatedIndex("main", sources),
        SimulatedIndex("sparse", [_source("thin", job("thin", HOUR))], documents=900),
        SimulatedIndex("emptied", [_source("cleared", job("cleared", HOUR))], documents=5000),
        SimulatedIndex("rebuilding", status="UPDATING"),
        SimulatedIndex("full", documents=19_500),
        SimulatedIndex("wordy", text_bytes=195_000_000),
    ]
    return Fleet([SimulatedApplication("intranet", indexes)])


def healthy_fleet(name: str, count: int) -> Fleet:
    """Return a fleet of some data sources without problems."""
    sources = [_source(f"{name}-{n}", job(f"{name}-{n}", HOUR)) for n in range(count)]
    return Fleet([SimulatedApplication(name, [SimulatedIndex(name, sources)])])


class BrokenAccount:
    """The services of eight targets, seven of them with problems. Use it as a context manager.

    One target is reachable by one replica and not by the other, `a`, which has its own endpoint. Another target's role
    may not be assumed from the start, and another one's events queue does not exist.
    """

    def __init__(self) -> None:
        self.production = SimulatedEndpoint(production())
        self.denied = SimulatedEndpoint(healthy_fleet("denied", 1))
        self.busy = SimulatedEndpoint(healthy_fleet("busy", 3))
        self.sluggish = SimulatedEndpoint(healthy_fleet("sluggish", 12))
        self.keyless = SimulatedEndpoint(healthy_fleet("keyless", 1))
        self.vacant = SimulatedEndpoint(Fleet([]))
        self.shrunk = SimulatedEndpoint(healthy_fleet("shrunk", 6))
        self.half_reachable, self.unreachable = (
            SimulatedEndpoint(healthy_fleet("half_reachable", 1)) for _ in range(2)
        )
        self.queues = SqsServer()
        self._by_name = {source.name: source for _, _, source in self.production.fleet.data_sources()}
        self._indexes = {index.name: index for index in self.production.fleet.applications[0].indexes}
        self._removed: list[SimulatedDataSource] = []
        self._repaired = threading.Event()

    def __enter__(self) -> Self:
        """Start serving."""
        self.production.sts.refuses = True  # STS of all targets
        self.queues.__enter__()
        for service in self._services():
            service.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._repaired.set()
        for service in self._services():
            service.stop()
        self.queues.__exit__()

    def config(self, state: Path) -> dict[str, Any]:
        """Return the configuration of a replica."""
        endpoints = {
            "production": ("us-east-1", self.production),
            "denied": ("eu-west-1", self.denied),
            "keyless": ("eu-north-1", self.keyless),
            "busy": ("us-west-2", self.busy),
            "sluggish": ("ap-southeast-2", self.sluggish),
            "vacant": ("eu-west-2", self.vacant),
            "shrunk": ("eu-west-3", self.shrunk),
            "half_reachable": ("ca-central-1", self.unreachable if state.parent.name == "a" else self.half_reachable),
        }
        targets = [
            {"name": name, "region": region, "endpoint_url": service.url, "discovery": {"interval": "2s"}}
            for name, (region, service) in endpoints.items()
        ]
        by_name = {str(target["name"]): target for target in targets}
        by_name["keyless"]["role_arn"] = ROLE
        by_name["production"]["events"] = {"queue_url": self.queues.url_of(QUEUE)}
        return {
            "targets": targets,
            "polling": {
                "interval": "1s",
                "idle_interval": "2s",
                "requests_per_second": 500,
                "concurrency": 2,
                "timeout": "5s",
            },
            "objectives": OBJECTIVES,
            "documents": {"interval": "2s"},
            "state": {"path": str(state)},
        }

    def inject_faults(self) -> None:
        """Start the problems that must start while the program watches."""
        unreadable = self._by_name["unreadable"].id
        self.production.faults.add("server_error", operation="ListDataSourceSyncJobs", data_source_id=unreadable)
        self._by_name["failed"].jobs.append(job("failed", MINUTE, "FAILED", MINUTE + 1))
        self._by_name["slow"].jobs += [job(f"slow-{n}", MINUTE, duration=MINUTE + 1) for n in range(5)]
        self._indexes["emptied"].documents = 2000
        self.denied.faults.add("denied")
        (index,) = self.shrunk.fleet.applications[0].indexes
        self._removed, index.data_sources = index.data_sources[2:], index.data_sources[:2]
        self.sluggish.faults.add("slow", operation="ListDataSourceSyncJobs", seconds=1.5)
        self.sluggish.faults.add("server_error", operation="GetIndex")
        throttled = self.busy.faults.add("throttled", times=1)
        threading.Thread(target=self._throttle, args=(throttled,), daemon=True).start()

    def deny_one_replica(self) -> None:
        """Deny one target to replica `a`."""
        self.unreachable.faults.add("denied")

    def end_denials(self) -> None:
        """Allow all requests again, and the role, and create the queue."""
        self.queues.create(QUEUE)
        self.production.sts.refuses = False
        for service in (self.production, self.denied, self.unreachable):
            service.faults.clear()

    def repair(self) -> None:
        """End all problems."""
        self._repaired.set()
        for service in self._services():
            service.faults.clear()
        for source in self._by_name.values():
            source.status, source.documents = "ACTIVE", []
            for stuck in source.jobs:
                if stuck.outcome is None:
                    source.change(stuck.execution_id, outcome="SUCCEEDED", crawl_seconds=time.time() - stuck.started)
            if not source.routine:
                source.jobs = [*source.jobs, job(f"{source.name} again", MINUTE / 2, duration=MINUTE / 4)]
        self.vacant.fleet.applications += healthy_fleet("vacant", 1).applications
        self.shrunk.fleet.applications[0].indexes[0].data_sources += self._removed
        unscheduled = self._by_name["unscheduled"]
        unscheduled.schedule, unscheduled.updated = "", time.time()
        for index in self._indexes.values():
            index.status, index.units, index.documents = "ACTIVE", 2, max(index.documents, 5000)

    def _throttle(self, fault: Fault) -> None:
        while not self._repaired.wait(0.3):
            fault.times = 1

    def _services(self) -> list[SimulatedEndpoint]:
        of_one_replica = [self.half_reachable, self.unreachable]
        with_problems = [self.denied, self.keyless, self.busy, self.sluggish, self.vacant, self.shrunk]
        return [self.production, *with_problems, *of_one_replica]

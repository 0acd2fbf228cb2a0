"""Several exporters that share the targets through a real PostgreSQL server, and a monitor that scrapes all of them."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from http.client import HTTPException
from typing import TYPE_CHECKING, Self

from exporter.simulator.clock import ScaledClock
from exporter.simulator.fleet import SimulatedDataSource
from exporter.simulator.server import SimulatedEndpoint
from tests.support.harness import Scrape, config_for, eventually, fleet_of, free_port, serve
from tests.support.oracle import busy_source, expected_totals, totals_match

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.harness import Program
    from tests.support.postgresql import PostgreSqlServer

OWNED, STATE_UP = "qbusiness_exporter_target_owned", "qbusiness_exporter_state_up"
COUNTERS = ("qbusiness_sync_job", "qbusiness_documents_")
SCRAPE_INTERVAL = 0.25  # seconds
MAX_JOBS = 1_000  # of each data source, all of which are listed until the end
ROUNDING = 1e-6  # seconds; sums of durations depend on the order in which a replica has seen the jobs
TAKE_OVER = 30.0  # seconds until the targets of a dead replica have a fresh owner, by the contract


def aggregate(scrapes: list[Scrape]) -> Scrape:
    """Return the maximum of each series over all replicas, as `max without (instance, pod)` does."""
    samples: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for scrape in scrapes:
        for sample, value in scrape.samples.items():
            samples[sample] = max(value, samples.get(sample, value))
    return Scrape(samples)


class ReplicaMonitor:
    """Scrapes the replicas in a thread: no aggregated counter may fall, and no target has two fresh owners for long."""

    def __init__(self, programs: dict[str, Program]) -> None:
        self._programs = programs
        self.watched: set[str] = set(programs)
        """The replicas that can respond: neither killed nor paused."""
        self.falls: list[object] = []
        self.longest_conflict = 0.0
        """Seconds for which a target had two fresh owners."""
        self._before: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
        self._conflicts: dict[str, float] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Start to scrape."""
        self._thread.start()

    def stop(self) -> None:
        """Stop to scrape."""
        self._stopping.set()
        self._thread.join()

    def scrapes(self) -> dict[str, Scrape]:
        """Return the scrapes of all replicas that respond."""
        found = {}
        for name in sorted(self.watched):
            try:
                found[name] = self._programs[name].scrape()
            except (OSError, HTTPException):
                if name in self.watched:
                    self.watched.discard(name)
        return found

    def _run(self) -> None:
        while not self._stopping.wait(SCRAPE_INTERVAL):
            scrapes = self.scrapes()
            self._check_counters(aggregate(list(scrapes.values())))
            self._check_owners(scrapes)

    def _check_counters(self, scrape: Scrape) -> None:
        counters = {
            sample: value
            for sample, value in scrape.samples.items()
            if sample[0].startswith(COUNTERS) and sample[0].endswith(("_total", "_count", "_sum"))
        }
        self.falls += [
            (sample, self._before[sample], value)
            for sample, value in counters.items()
            if value < self._before.get(sample, value) - ROUNDING
        ]
        self._before |= counters

    def _check_owners(self, scrapes: dict[str, Scrape]) -> None:
        now = time.monotonic()
        owners = [target for scrape in scrapes.values() for target in fresh_targets(scrape)]
        conflicts = {target for target in owners if owners.count(target) > 1}
        self._conflicts = {target: self._conflicts.get(target, now) for target in conflicts}
        self.longest_conflict = max([self.longest_conflict, *(now - since for since in self._conflicts.values())])


def fresh_targets(scrape: Scrape) -> set[str]:
    """Return the targets that a replica owns, while no other one can have taken over."""
    if not scrape.value(STATE_UP):
        return set()
    return {dict(labels)["target"] for (name, labels), value in scrape.samples.items() if name == OWNED and value == 1}


class ReplicaCluster:
    """Replicas and the services that they poll; a context manager that starts them, and kills them at the end."""

    def __init__(
        self,
        folder: Path,
        server: PostgreSqlServer,
        *,
        replicas: int = 3,
        targets: int = 4,
        ports: Mapping[str, int] | None = None,
    ) -> None:
        """Prepare everything; `ports` has the port of the database for the replicas that use another one."""
        self.server = server
        self.clock = ScaledClock()
        self.services = [
            SimulatedEndpoint(fleet_of(SimulatedDataSource(f"source {number}")), self.clock)
            for number in range(targets)
        ]
        self._url = server.create_database()
        self._ports = ports or {}
        self.programs = {name: self._program(folder / name) for name in "abcdef"[:replicas]}
        self.monitor = ReplicaMonitor(self.programs)
        self._running = ExitStack()

    def __enter__(self) -> Self:
        """Start everything; the first jobs start once all sources are watched."""
        with self._running:
            for service in self.services:
                self._running.enter_context(service)
            for program in self.programs.values():
                self._running.enter_context(program)
            for program in self.programs.values():
                program.until_ready()
            self.until_balanced()
            began = self.clock.now() + 2
            for source in self.sources:
                routine = busy_source(source.name, began).routine
                source.routine = routine and replace(routine, max_listed=MAX_JOBS)
            self.monitor.start()
            self._running = self._running.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Kill all replicas."""
        self.monitor.stop()
        for name in self.programs:
            self.resume(name)
        self._running.close()

    @property
    def sources(self) -> list[SimulatedDataSource]:
        """The data sources, one for each target."""
        return [source for service in self.services for _, _, source in service.fleet.data_sources()]

    def owners(self) -> dict[str, set[str]]:
        """Return the targets of each replica that is fresh."""
        return {name: fresh_targets(scrape) for name, scrape in self.monitor.scrapes().items()}

    def live_owners(self) -> list[str]:
        """Return the owner of each target that has one with a lease, from the database."""
        sql = "SELECT replica.id FROM target JOIN replica ON replica.id = target.owner"
        return [str(id_) for (id_,) in self.server.execute(sql, self._url)]

    def until_owned(self, by: str, timeout: float = 60.0) -> float:
        """Wait until some replicas, and no others, own all targets; return the seconds."""
        began = time.monotonic()

        def is_owned() -> bool:
            owners = self.owners()
            owned = [target for name in by for target in owners.get(name, ())]
            return sorted(owned) == sorted(f"t{number}" for number in range(len(self.services)))

        eventually(is_owned, timeout)
        return time.monotonic() - began

    def until_balanced(self) -> None:
        """Wait until no replica owns two targets more than another one."""

        def is_balanced() -> bool:
            loads = [len(targets) for targets in self.owners().values()]
            return sum(loads) == len(self.services) and max(loads) - min(loads) <= 1

        eventually(is_balanced)

    def kill(self, name: str) -> None:
        """Kill a replica with SIGKILL."""
        self.monitor.watched.discard(name)
        self.programs[name].kill()

    def stop(self, name: str) -> int:
        """Stop a replica with SIGTERM; return its exit code."""
        self.monitor.watched.discard(name)
        code = self.programs[name].stop()
        self.programs[name].kill()  # closes its pipes
        return code

    def restart(self, name: str) -> None:
        """Start a replica again that was killed or stopped."""
        program = self.programs[name]
        program.log.clear()
        program.start()
        self.monitor.watched.add(name)

    def pause(self, name: str) -> None:
        """Stop the process of a replica with SIGSTOP."""
        self.monitor.watched.discard(name)
        self.programs[name].process.send_signal(signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """Continue the process of a replica."""
        if self.programs[name].process.poll() is None:
            self.programs[name].process.send_signal(signal.SIGCONT)
            self.monitor.watched.add(name)

    def jobs_counted(self) -> float:
        """Return the number of completed jobs over all targets."""
        scrape = aggregate(list(self.monitor.scrapes().values()))
        return scrape.value("qbusiness_sync_jobs_completed_total") or 0.0

    def until_jobs_counted(self, number: int) -> None:
        """Wait until some more jobs are counted."""
        before = self.jobs_counted()
        eventually(lambda: self.jobs_counted() >= before + number)

    def stop_jobs(self) -> None:
        """Start no further jobs, and wait until the totals of the replicas that are not cut off are correct."""
        for source in self.sources:
            if source.routine:
                source.jobs, source.routine = source.listed_jobs(self.clock.now()), None
        until = max(job.ends for source in self.sources for job in source.jobs) + 1

        def are_correct() -> bool:
            scrape = aggregate([each for each in self.monitor.scrapes().values() if each.value(STATE_UP)])
            return all(totals_match(scrape, source, expected_totals(source, 0.0, until)) for source in self.sources)

        eventually(are_correct)

    def check_totals(self) -> None:
        """Start no further jobs, check the totals, and check what the monitor has seen."""
        self.stop_jobs()
        assert self.monitor.falls == [], self.monitor.falls
        assert self.monitor.longest_conflict < TAKE_OVER

    def _program(self, folder: Path) -> Program:
        folder.mkdir()
        config = config_for(self.services[0], ":memory:", interval="300ms", idle_interval="300ms")
        targets = []
        for number, service in enumerate(self.services):
            (target,) = config_for(service, ":memory:")["targets"]
            role = f"arn:aws:iam::{number:012}:role/qbusiness-exporter"
            targets.append({**target, "name": f"t{number}", "role_arn": role})
        port = self._ports.get(folder.name, self.server.port)
        url = self._url.replace(f":{self.server.port}/", f":{port}/")
        program = serve(folder, {**config, "targets": targets, "state": {"url": url}})
        program.listen = f"127.0.0.1:{free_port()}"
        return program

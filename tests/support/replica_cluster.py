"""Several exporters that share the targets through a real PostgreSQL server, and a monitor that scrapes all of them."""

from __future__ import annotations

import json
import signal
import time
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import yaml

from exporter.simulator.clock import ScaledClock
from exporter.simulator.fleet import SimulatedDataSource
from exporter.simulator.server import SimulatedEndpoint
from tests.support.harness import config_for, eventually, fleet_of, free_port, serve
from tests.support.oracle import busy_source, expected_totals, totals_match
from tests.support.replica_monitor import STATE_UP, ReplicaMonitor, fresh_targets
from tests.support.stalling_proxy import StallingProxy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.harness import Program
    from tests.support.postgresql import PostgreSqlServer

NAMES = "abc"
SPARE = "d"  # a replica that runs only if the test starts it
TARGETS = 4
MAX_JOBS = 1_000  # of each data source, all of which are listed until the end
TAKE_OVER = 30.0  # seconds until the targets of a dead replica have a fresh owner, by the contract


class ReplicaCluster:
    """Three replicas and the services that they poll; a context manager that starts them, and kills them at the end."""

    def __init__(self, folder: Path, server: PostgreSqlServer) -> None:
        """Prepare everything."""
        self.server = server
        self.clock = ScaledClock()
        self.services = [
            SimulatedEndpoint(fleet_of(SimulatedDataSource(f"source {number}")), self.clock)
            for number in range(TARGETS)
        ]
        self._folder = folder
        self._url = server.create_database()
        self.links = {name: StallingProxy(server.port) for name in NAMES}
        """The networks between the replicas and the database."""
        self.programs = {name: self._program(name) for name in (*NAMES, SPARE)}
        self.monitor = ReplicaMonitor(self.programs)
        self._started: set[str] = set()
        self._running = ExitStack()

    def __enter__(self) -> Self:
        """Start everything; the first jobs start once all sources are watched."""
        with self._running:
            for service in self.services:
                self._running.enter_context(service)
            for link in self.links.values():
                self._running.enter_context(link)
            for name in NAMES:
                self.start(name)
            for name in NAMES:
                self.programs[name].until_ready()
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
        for name in self._started:
            self.resume(name)
        self._running.close()

    @property
    def sources(self) -> list[SimulatedDataSource]:
        """The data sources, one for each target."""
        return [source for service in self.services for _, _, source in service.fleet.data_sources()]

    def owners(self) -> dict[str, set[str]]:
        """Return the targets of each replica that is fresh."""
        return {name: fresh_targets(scrape) for name, scrape in self.monitor.scrapes().items()}

    def shown_by(self, name: str) -> list[tuple[bool, int]]:
        """Return whether each replica in the JSON of a replica is that replica itself, and its number of targets."""
        about = json.loads(self.programs[name].get("/api/v1/data-sources")[1])["exporter"]
        return sorted((each["this"], len(each["targets"])) for each in about["replicas"])

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

    def until_written(self, name: str) -> None:
        """Wait until the database has everything that a replica has counted."""
        eventually(lambda: self.monitor.scrapes()[name].value(STATE_UP) == 1)

    def kill(self, name: str) -> None:
        """Kill a replica with SIGKILL."""
        self.monitor.ignore(name)
        self.programs[name].kill()

    def stop(self, name: str) -> int:
        """Stop a replica with SIGTERM; return its exit code."""
        self.monitor.ignore(name)
        code = self.programs[name].stop()
        self.programs[name].kill()  # closes its pipes
        return code

    def start(self, name: str) -> None:
        """Start a replica, for the first time or after it was killed or stopped."""
        program = self.programs[name]
        program.log.clear()
        if name in self._started:
            program.start()
        else:
            self._running.enter_context(program)
            self._started.add(name)
        self.monitor.watch(name)

    def pause(self, name: str) -> None:
        """Stop the process of a replica with SIGSTOP."""
        self.monitor.ignore(name)
        self.programs[name].process.send_signal(signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """Continue the process of a replica."""
        if self.programs[name].process.poll() is None:
            self.programs[name].process.send_signal(signal.SIGCONT)
            self.monitor.watch(name)

    def jobs_counted(self) -> float:
        """Return the number of completed jobs over all targets."""
        return self.monitor.freshest().value("qbusiness_sync_jobs_completed_total") or 0.0

    def until_jobs_counted(self, number: int) -> None:
        """Wait until some more jobs are counted."""
        before = self.jobs_counted()
        eventually(lambda: self.jobs_counted() >= before + number)

    def stop_jobs(self) -> None:
        """Start no further jobs, and wait until the totals are correct."""
        for source in self.sources:
            if source.routine:
                source.jobs, source.routine = source.listed_jobs(self.clock.now()), None
        until = max(job.ends for source in self.sources for job in source.jobs) + 1

        def are_correct() -> bool:
            scrape = self.monitor.freshest()
            return all(totals_match(scrape, source, expected_totals(source, 0.0, until)) for source in self.sources)

        eventually(are_correct)

    def check_totals(self) -> None:
        """Start no further jobs, and check the totals and the records of the monitor."""
        self.stop_jobs()
        assert self.monitor.falls == [], self.monitor.falls
        assert self.monitor.longest_conflict < TAKE_OVER
        assert self.monitor.longest_gap < TAKE_OVER

    def configure(self, name: str, targets: int) -> None:
        """Reload the configuration of a running replica, with the first targets only."""
        (self._folder / name / "config.yaml").write_text(yaml.safe_dump(self._config(name, targets)))
        self.programs[name].process.send_signal(signal.SIGHUP)

    def _program(self, name: str) -> Program:
        folder = self._folder / name
        folder.mkdir()
        program = serve(folder, self._config(name, TARGETS))
        program.listen = f"127.0.0.1:{free_port()}"
        return program

    def _config(self, name: str, number: int) -> dict[str, Any]:
        link = self.links.get(name)
        url = self._url.replace(f":{self.server.port}/", f":{link.port}/") if link else self._url
        config = config_for(self.services[0], ":memory:", interval="300ms", idle_interval="300ms")
        return {**config, "targets": [self._target(each) for each in range(number)], "state": {"url": url}}

    def _target(self, number: int) -> dict[str, Any]:
        (target,) = config_for(self.services[number], ":memory:")["targets"]
        return {**target, "name": f"t{number}", "role_arn": f"arn:aws:iam::{number:012}:role/qbusiness-exporter"}

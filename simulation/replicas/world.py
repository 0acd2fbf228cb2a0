"""The cluster of a seed: replicas that start, end and are replaced, a database that fails, and scrapes of all."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from exporter.domain.units import HOUR
from simulation.replicas.checks import ReplicaChecker
from simulation.replicas.cluster import ClusterState
from simulation.replicas.faults import ReplicaFaults
from simulation.replicas.process import ReplicaProcess
from simulation.world import Result

if TYPE_CHECKING:
    from collections.abc import Callable

MINUTES = 7.0  # with faults
REPLICAS = "abc"
TICK = 1.0  # seconds between two checks of the owners
SCRAPE_INTERVAL = 60.0  # seconds; the mean


class ReplicaWorld:
    """Runs a cluster: starts, kills and stops replicas, and scrapes them."""

    def __init__(
        self,
        cluster: ClusterState,
        inject: Callable[[ClusterState, ReplicaWorld], object] = ReplicaFaults,
        replicas: str = REPLICAS,
    ) -> None:
        """Prepare a cluster; `inject` schedules its faults, after the warm-up.

        `replicas` are the names of the replicas, one letter each.
        """
        self.cluster = cluster
        self._inject = inject
        self._replicas = replicas
        self.cluster.trace.listen()
        self.processes: dict[str, ReplicaProcess] = {}
        self.checker = ReplicaChecker(self.cluster, self.processes)
        self._started = 0

    def run(self) -> None:
        """Run the cluster; raise AssertionError when an invariant is violated."""
        for name in self._replicas:
            self._start(name)
        self._tick()
        self.cluster.clock.run(self.cluster.begins)
        self._inject(self.cluster, self)
        self._scrape_later()
        self.cluster.clock.run(self.cluster.faults_until)
        self.cluster.trace.note("faults ended")
        self.cluster.clock.run(self.cluster.ends)
        self.checker.final()

    def close(self) -> None:
        """Kill all replicas."""
        for process in self.processes.values():
            process.kill()

    # The methods that faults call.

    def kill(self, name: str, pause: float) -> None:
        """Kill a replica, and start it again after a pause."""
        if process := self.processes.pop(name, None):
            process.kill()
            self._start_after(pause, name)

    def stop(self, name: str, pause: float) -> None:
        """Stop a replica cleanly, and start it again after a pause."""
        if process := self.processes.get(name):
            process.stop(partial(self._stopped, process, lambda: self._start_after(pause, name)))

    def scale(self, name: str, seconds: float) -> None:
        """Start another replica, and stop it after some seconds."""
        if name in self.processes:
            return
        self._start(name)
        process = self.processes[name]
        self.cluster.clock.after(seconds, lambda: process.stop(partial(self._stopped, process, lambda: None)))

    # The course of the time.

    def _start_after(self, pause: float, name: str) -> None:
        if name in self._replicas:
            self.cluster.clock.after(pause, partial(self._start, name))

    def _start(self, name: str) -> None:
        if name not in self.processes:
            self._started += 1
            self.processes[name] = ReplicaProcess(self.cluster, name, self._started)
            self.cluster.trace.note("start", self.processes[name].id)

    def _stopped(self, process: ReplicaProcess, then: Callable[[], None]) -> None:
        if self.processes.get(process.name) is process:
            self.cluster.trace.note("stopped", process.id)
            del self.processes[process.name]
            process.kill()
            then()

    def _tick(self) -> None:
        self.cluster.clock.after(TICK, self._tick)
        self.checker.tick()

    def _scrape_later(self) -> None:
        self.cluster.clock.after(self.cluster.rng.expovariate(1 / SCRAPE_INTERVAL), self._scrape)

    def _scrape(self) -> None:
        self._scrape_later()
        self.checker.scrape()


def run(seed: int, show: Callable[[str], None] | None = None, minutes: float = MINUTES) -> Result:
    """Run one seed; raise AssertionError when an invariant is violated, with the last events as a note."""
    world = ReplicaWorld(ClusterState(seed, show, minutes))
    trace, clock = world.cluster.trace, world.cluster.clock
    try:
        world.run()
    except BaseException as error:
        command = f"python -m simulation --replicas --seed {seed} --trace"
        error.add_note("\n".join([*trace.lines(), f"repeat with: {command}"]))
        raise
    finally:
        world.close()
    return Result(seed, trace.digest, (clock.now - clock.started) / HOUR, trace.counts)

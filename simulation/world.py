"""The week of a seed: accounts, the program in one process after another, and scrapes."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.domain.units import DAY, HOUR
from simulation.absences import Absences
from simulation.crash_loops import CrashLoops
from simulation.credential_faults import CredentialFaults
from simulation.disk import CrashError
from simulation.fault_schedule import FaultSchedule
from simulation.first_contact import FirstContact
from simulation.invariants import InvariantChecker
from simulation.log_faults import LogFaults
from simulation.process import Process
from simulation.reconfigurations import Reconfigurations
from simulation.state import WeekState
from simulation.stderr import StderrMode

if TYPE_CHECKING:
    from collections import Counter, deque
    from collections.abc import Callable

SCRAPE_INTERVAL = DAY  # the mean
SCRAPE_AFTER_FAULT = HOUR  # the mean
MEMORY = Path("/dev/shm")  # noqa: S108 (the simulation creates its own directory in it)


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a week without a failure."""

    seed: int
    digest: str
    hours: float
    counts: Counter[str]


class SimulatedWorld:
    """Runs a week: starts, crashes and stops processes, and scrapes them."""

    def __init__(
        self,
        seed: int,
        directory: Path,
        show: Callable[[str], None] | None = None,
        days: float = 7.0,
        service: str | None = None,
    ) -> None:
        self.state = WeekState(seed, directory, show, days, service)
        self.state.trace.listen()
        self.process: Process | None = None
        self._crash_point: str | None = None
        self._after_next_attempt: Callable[[], None] | None = None
        self._pause = 0.0
        self._processes = 0
        self._crash_loops: CrashLoops | None = None
        self._checker = InvariantChecker(self.state)
        for account in self.state.accounts:
            account.on_attempt = self._on_attempt

    def run(self) -> None:
        """Run the week; raise AssertionError when an invariant is violated."""
        self._start()
        self.state.is_calm = FaultSchedule(self.state, self).is_calm
        CredentialFaults(self.state, self)
        LogFaults(self.state, self)
        FirstContact(self.state, self)
        Reconfigurations(self.state, self)
        Absences(self.state, self)
        self._crash_loops = CrashLoops(self.state, self)
        self._schedule_scrape()
        self._run_until(self.state.faults_until)
        self._end_faults()
        self._run_until(self.state.ends)
        self._checker.final()

    def close(self) -> None:
        """Kill the process, and close its files."""
        self._checker.close()
        if self.process:
            self.process.kill()

    # The methods that the fault schedule calls.

    def crash_at(self, point: str, pause: float) -> None:
        """Kill the process, now or when it reaches a point, and start it again after a pause."""
        self._pause = pause
        if point == "now":
            self._crash()
        elif point == "during a request":
            self._after_next_attempt = self._crash
        else:
            self._crash_point = point

    def stop(self, pause: float, *, during_request: bool = False) -> None:
        """Stop the process cleanly, now or soon after the next request, and start it again after a pause."""
        if during_request:
            self._after_next_attempt = partial(self.stop, pause)
            return
        process = self.process
        if process is None or process.is_stopping:
            return
        self.state.trace.note("stop", process.number)

        def stopped() -> None:
            if self.process is process:
                self.state.trace.note("stopped", process.number)
                self._end(process)
                self.state.clock.after(pause, self._start)

        process.stop(stopped)

    def reload(self, settings: dict[str, Any]) -> None:
        """Change the configuration. A process that is down reads it when it starts."""
        replaced, self.state.settings = self.state.settings, settings
        self.state.reloads += 1
        self.state.target_starts.append(self.state.clock.now)
        self._checker.settings_changed()
        self.state.trace.note("reload", settings["polling"], len(settings["targets"]))
        if self.process:
            before = self._checker.page(self.process)
            problems = self.process.reload(settings)
            assert not problems, f"a valid configuration was rejected: {problems}"
            self._checker.reloaded(replaced, before, self._checker.page(self.process))

    def scrape(self) -> None:
        """Scrape the process, if there is one."""
        if self.process:
            self._checker.scrape(self.process)

    def scrape_soon(self) -> None:
        """Schedule a scrape soon after the start of a fault, while its effect may be visible."""
        self.state.clock.after(self.state.rng.expovariate(1 / SCRAPE_AFTER_FAULT), self.scrape)

    def scrape_at(self, moment: float) -> None:
        """Schedule a scrape."""
        self.state.clock.at(moment, self.scrape)

    def known_unfinished(self, key: str) -> list[str]:
        """Return the jobs of a data source without an end in the state that survives a crash."""
        return self.process.known_unfinished(key) if self.process and not self.is_full() else []

    # The methods that the disk calls.

    def is_full(self) -> bool:
        """Return whether the disk rejects writes."""
        return self.state.is_disk_full()

    def at_commit(self, point: str, keys: set[str]) -> None:
        """Record a point of a commit; raise CrashError if the process must crash there."""
        self.state.trace.note(point, *sorted(keys))
        if point == "after commit":
            for key in keys:
                account, source = self.state.sources[key.rsplit("/", 1)[1]]
                account.responses.record_first_poll(source.id)
        if self._crash_point == point:
            raise CrashError

    # The course of the week.

    def _on_attempt(self, target: str, moments: deque[float]) -> None:
        self._checker.record_attempt(target, moments)
        if self._after_next_attempt:
            self.state.clock.after(self.state.rng.uniform(0.0, 2.0), self._after_next_attempt)
            self._after_next_attempt = None

    def _run_until(self, moment: float) -> None:
        while self.state.clock.now < moment:
            try:
                self.state.clock.run(moment)
            except CrashError:
                self._crash()

    def _start(self) -> None:
        if self.process is not None:
            return
        self._processes += 1
        self.state.trace.note("start", self._processes)
        self.state.target_starts.append(self.state.clock.now)
        # Changed buckets are committed at the start, but only a process that has started can be killed.
        point, self._crash_point = self._crash_point, None
        self.process = Process(self.state, self, self._processes)
        self._crash_point = point
        self._checker.process_started(self.process)
        if self._crash_loops:
            self._crash_loops.process_started()

    def _crash(self) -> None:
        process, self._crash_point = self.process, None
        if process is None:
            return
        self.state.trace.note("crash", process.number)
        self._end(process)
        self.state.clock.after(self._pause, self._start)

    def _end(self, process: Process) -> None:
        if process.has_unwritten():  # even after a clean stop, if the disk is full
            self.state.lost_writes += 1
            for account in self.state.accounts:  # the next process makes first polls of what was not written
                account.restore_correct_data()
        self.process = None
        process.kill()
        self._checker.process_ended()

    def _schedule_scrape(self) -> None:
        self.state.clock.after(self.state.rng.expovariate(1 / SCRAPE_INTERVAL), self._scrape_and_schedule)

    def _scrape_and_schedule(self) -> None:
        self._schedule_scrape()
        self.scrape()

    def _end_faults(self) -> None:
        self.state.trace.note("faults ended")
        for account in self.state.accounts:
            account.clear_faults()
        self.state.stderr.set_mode(StderrMode.WORKS)
        self.state.disk_full_until, self._crash_point, self._after_next_attempt = 0.0, None, None
        self.reload(self.state.base_settings)
        self._start()
        if self.process:
            self._checker.faults_ended(self.process)


def run(seed: int, show: Callable[[str], None] | None = None, days: float = 7.0, service: str | None = None) -> Result:
    """Run one seed; raise AssertionError when an invariant is violated, with the last events as a note.

    `service` is the name of the service; None selects that of the seed.
    """
    parent = MEMORY if MEMORY.is_dir() else None
    directory = Path(tempfile.mkdtemp(prefix="simulation-", dir=parent))
    world = SimulatedWorld(seed, directory, show, days, service)
    trace, clock = world.state.trace, world.state.clock
    try:
        world.run()
    except BaseException as error:
        repeat = f"python -m simulation --seed {seed} --service {world.state.traits.service.name} --trace"
        error.add_note("\n".join([*trace.lines(), f"repeat with: {repeat}"]))
        raise
    finally:
        world.close()
        shutil.rmtree(directory)
    return Result(seed, trace.digest, (clock.now - clock.started) / HOUR, trace.counts)

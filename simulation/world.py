"""One seed's week: the accounts, the program in one life after the other, and whoever scrapes it."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulation.disk import CrashError
from simulation.fault_schedule import FaultSchedule
from simulation.fleet import DAY, HOUR
from simulation.invariants import InvariantChecker
from simulation.process import Process
from simulation.state import WeekState

if TYPE_CHECKING:
    from collections import Counter, deque
    from collections.abc import Callable

BETWEEN_SCRAPES = DAY
AFTER_TROUBLE = HOUR
MEMORY = Path("/dev/shm")  # noqa: S108 (a directory of ours is made in it)


@dataclass(frozen=True, slots=True)
class Result:
    """What a week came to."""

    seed: int
    digest: str
    hours: float
    counts: Counter[str]


class World:
    """Everything that a seed makes."""

    def __init__(
        self, seed: int, directory: Path, show: Callable[[str], None] | None = None, days: float = 7.0
    ) -> None:
        self.state = WeekState(seed, directory, show, days)
        self.state.trace.listen()
        self.process: Process | None = None
        self._dies_at: str | None = None
        self._amid_requests: Callable[[], None] | None = None
        self._pause = 0.0
        self._lives = 0
        self.checker = InvariantChecker(self.state)
        for account in self.state.accounts:
            account.on_attempt = self._attempted

    def run(self) -> None:
        """Let the week pass; raises AssertionError for whatever must not be."""
        self._start()
        self.state.is_calm = FaultSchedule(self.state, self).is_calm
        self._scrape_later()
        self._pass(self.state.faults_until)
        self._heal()
        self._pass(self.state.ends)
        self.checker.final()

    # What the troubles do.

    def crash_at(self, point: str, pause: float) -> None:
        """Let the process die, now or when it gets to a point; it comes back after a pause."""
        self._pause = pause
        if point == "now":
            self._crash()
        elif point == "amid requests":
            self._amid_requests = self._crash
        else:
            self._dies_at = point

    def scrape_soon(self) -> None:
        """Have somebody scrape while a trouble that has just begun may show."""
        self.state.clock.at(self.state.clock.now + self.state.dice.expovariate(1 / AFTER_TROUBLE), self._look)

    def stop(self, pause: float, *, amid_requests: bool = False) -> None:
        """Stop the process as an operator does, now or soon after the next request; start it after a pause."""
        if amid_requests:
            self._amid_requests = partial(self.stop, pause)
            return
        process = self.process
        if process is None or process.is_stopping:
            return
        self.state.trace.note("stop", process.number)

        def stopped() -> None:
            if self.process is process:
                self.state.trace.note("stopped", process.number)
                self._end(process)
                self.state.clock.at(self.state.clock.now + pause, self._start)

        process.stop(stopped)

    def reload(self, settings: dict[str, Any]) -> None:
        """Change the configuration; a process that is down reads it when it starts."""
        self.state.settings = settings
        self.state.reloads += 1
        self.checker.ceiling_changed()
        self.state.trace.note("reload", settings["polling"], len(settings["targets"]))
        if self.process:
            problems = self.process.reload(settings)
            assert not problems, f"a good configuration was refused: {problems}"

    def known_running(self, key: str) -> list[str]:
        """Give the jobs of a source that the program will know, whatever comes, to have been in progress."""
        return self.process.known_running(key) if self.process and not self.is_full() else []

    # What the disk asks.

    def is_full(self) -> bool:
        """Tell whether nothing can be written."""
        return self.state.is_disk_full()

    def reach(self, point: str, keys: set[str]) -> None:
        """Take note of a commit, and let the process die there where it is to."""
        self.state.trace.note(point, *sorted(keys))
        if point == "after commit":
            for key in keys:
                account, source = self.state.sources[key.rsplit("/", 1)[1]]
                account.looked(source.id)
        if self._dies_at == point:
            raise CrashError

    # What happens.

    def _attempted(self, target: str, moments: deque[float]) -> None:
        self.checker.budget(target, moments)
        if self._amid_requests:
            self.state.clock.at(self.state.clock.now + self.state.dice.uniform(0.0, 2.0), self._amid_requests)
            self._amid_requests = None

    def _pass(self, until: float) -> None:
        while self.state.clock.now < until:
            try:
                self.state.clock.run(until)
            except CrashError:
                self._crash()

    def _start(self) -> None:
        if self.process is not None:
            return
        self._lives += 1
        self.state.trace.note("start", self._lives)
        try:
            self.process = Process(self.state, self, self._lives)
        except CrashError:
            raise RuntimeError("nothing is committed while starting") from None
        self.checker.started(self.process)

    def _crash(self) -> None:
        process, self._dies_at = self.process, None
        if process is None:
            return
        self.state.trace.note("crash", process.number)
        self._end(process)
        self.state.clock.at(self.state.clock.now + self._pause, self._start)

    def _end(self, process: Process) -> None:
        if process.has_unwritten():  # a clean stop cannot write either while the disk takes nothing
            self.state.lost_writes += 1
            for account in self.state.accounts:  # what was never written is looked at anew
                account.restore_correct_data()
        self.process = None
        process.bury()
        self.checker.ended()

    def _scrape_later(self) -> None:
        self.state.clock.at(self.state.clock.now + self.state.dice.expovariate(1 / BETWEEN_SCRAPES), self._scrape)

    def _scrape(self) -> None:
        self._scrape_later()
        self._look()

    def _look(self) -> None:
        if self.process:
            self.checker.scrape(self.process)

    def _heal(self) -> None:
        self.state.trace.note("healed")
        for account in self.state.accounts:
            account.clear()
        self.state.disk_full_until, self._dies_at, self._amid_requests = 0.0, None, None
        self.reload(self.state.base_settings)
        self._start()
        if self.process:
            self.checker.healed(self.process)


def run(seed: int, show: Callable[[str], None] | None = None, days: float = 7.0) -> Result:
    """Run one seed; raises AssertionError, with the seed's last events as a note, for whatever must not be."""
    parent = MEMORY if MEMORY.is_dir() else None
    directory = Path(tempfile.mkdtemp(prefix="virtual-", dir=parent))
    world = World(seed, directory, show, days)
    try:
        world.run()
    except BaseException as error:
        error.add_note(
            "\n".join([*world.state.trace.lines(), f"repeat with: python -m simulation --seed {seed} --trace"])
        )
        raise
    finally:
        if world.process:
            world.process.bury()
        shutil.rmtree(directory)
    hours = (world.state.clock.now - world.state.clock.started) / HOUR
    return Result(seed, world.state.trace.digest, hours, world.state.trace.counts)

"""One seed's week: the accounts, the program in one life after the other, and whoever scrapes it."""

from __future__ import annotations

import random
import shutil
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.simulator.fleet import Fleet
from simulation.disk import CrashError
from simulation.fault_schedule import FaultSchedule
from simulation.fleet import DAY, HOUR, make_fleet
from simulation.invariants import Checker
from simulation.process import Process
from simulation.settings import make_settings
from simulation.simulated_account import Account
from simulation.trace import Trace
from simulation.virtual_clock import VirtualClock

if TYPE_CHECKING:
    from collections import Counter, deque
    from collections.abc import Callable

    from simulation.fleet import PlannedSource

EPOCH = 1_795_478_400.0  # a Monday, 00:00 UTC
WEEK = 7 * DAY
SETTLING = 12 * HOUR  # every back-off runs out in it, and a full reread comes after the last lie
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
        self.dice = random.Random(seed)  # noqa: S311 (a simulation that repeats)
        self.directory = directory
        start = EPOCH + self.dice.uniform(0, WEEK)
        self.troubled_until = start + days * DAY
        self.ends = self.troubled_until + SETTLING
        self.timeline = VirtualClock(start, self.dice)
        self.trace = Trace(self.timeline, show, str(directory))
        self.trace.listen()
        self.is_lazy = self.dice.random() < 9 / 10
        self.is_calm = False
        self.host_error = 0.0
        self.disk_full_until = 0.0
        self.made = 0
        self.gone: set[str] = set()
        self.state_lost = 0
        self.reloads = 0
        self._dies_at: str | None = None
        self._amid_requests: Callable[[], None] | None = None
        self._pause = 0.0
        self._lives = 0
        self.accounts = [self._account(number) for number in range(self.dice.choice((1, 1, 1, 1, 2)))]
        self.base = self.settings = make_settings(self.dice, self.accounts, "state.db")
        self.process: Process | None = None
        self.sources: dict[str, tuple[Account, PlannedSource]] = {}
        for account in self.accounts:
            for _, _, source in account.fleet.data_sources():
                self.meet(account, source)
        self.checker = Checker(self)
        for account in self.accounts:
            account.on_attempt = self._attempted

    def run(self) -> None:
        """Let the week pass; raises AssertionError for whatever must not be."""
        self._start()
        self.is_calm = FaultSchedule(self).is_calm
        self._scrape_later()
        self._pass(self.troubled_until)
        self._heal()
        self._pass(self.ends)
        self.checker.final()

    def meet(self, account: Account, source: Any) -> None:
        """Take note of a source for good: what is gone may be shown for a while."""
        self.sources[source.id] = (account, source)

    # What the troubles do.

    def clock_error(self) -> float:
        """Give the seconds by which the host's clock of the day is wrong."""
        return self.host_error

    def crash_at(self, point: str, pause: float) -> None:
        """Let the process die, now or when it gets to a point; it comes back after a pause."""
        self._pause = pause
        if point == "now":
            self._crash()
        elif point == "amid requests":
            self._amid_requests = self._crash
        else:
            self._dies_at = point

    def look_soon(self) -> None:
        """Have somebody scrape while a trouble that has just begun may show."""
        self.timeline.at(self.timeline.now + self.dice.expovariate(1 / AFTER_TROUBLE), self._look)

    def stop(self, pause: float, *, amid_requests: bool = False) -> None:
        """Stop the process as an operator does, now or soon after the next request; start it after a pause."""
        if amid_requests:
            self._amid_requests = partial(self.stop, pause)
            return
        process = self.process
        if process is None or process.is_stopping:
            return
        self.trace.note("stop", process.number)

        def stopped() -> None:
            if self.process is process:
                self.trace.note("stopped", process.number)
                self._end(process)
                self.timeline.at(self.timeline.now + pause, self._start)

        process.stop(stopped)

    def reload(self, settings: dict[str, Any]) -> None:
        """Change the configuration; a process that is down reads it when it starts."""
        self.settings = settings
        self.reloads += 1
        self.checker.ceiling_changed()
        self.trace.note("reload", settings["polling"], len(settings["targets"]))
        if self.process:
            problems = self.process.reload(settings)
            assert not problems, f"a good configuration was refused: {problems}"

    def known_running(self, key: str) -> list[str]:
        """Give the jobs of a source that the program will know, whatever comes, to have been in progress."""
        return self.process.known_running(key) if self.process and not self.is_full() else []

    # What the disk asks.

    def is_full(self) -> bool:
        """Tell whether nothing can be written."""
        return self.timeline.now < self.disk_full_until

    def reach(self, point: str, keys: set[str]) -> None:
        """Take note of a commit, and let the process die there where it is to."""
        self.trace.note(point, *sorted(keys))
        if point == "after commit":
            for key in keys:
                account, source = self.sources[key.rsplit("/", 1)[1]]
                account.looked(source.id)
        if self._dies_at == point:
            raise CrashError

    # What happens.

    def _attempted(self, target: str, moments: deque[float]) -> None:
        self.checker.budget(target, moments)
        if self._amid_requests:
            self.timeline.at(self.timeline.now + self.dice.uniform(0.0, 2.0), self._amid_requests)
            self._amid_requests = None

    def _account(self, number: int) -> Account:
        name = f"account-{number}"
        sources = self.dice.choice((1, 1, 1, 1, 2, 3))
        fleet = make_fleet(self.dice, sources, self.timeline.now, self.ends, name)
        fleet = Fleet(fleet.applications, account=f"{number + 1}" * 12)
        return Account(name, fleet, self.timeline, self.dice, self.trace)

    def _pass(self, until: float) -> None:
        while self.timeline.now < until:
            try:
                self.timeline.run(until)
            except CrashError:
                self._crash()

    def _start(self) -> None:
        if self.process is not None:
            return
        self._lives += 1
        self.trace.note("start", self._lives)
        try:
            self.process = Process(self, self._lives)
        except CrashError:
            raise RuntimeError("nothing is committed while starting") from None
        self.checker.started()

    def _crash(self) -> None:
        process, self._dies_at = self.process, None
        if process is None:
            return
        self.trace.note("crash", process.number)
        self._end(process)
        self.timeline.at(self.timeline.now + self._pause, self._start)

    def _end(self, process: Process) -> None:
        if process.has_unwritten():  # a clean stop cannot write either while the disk takes nothing
            self.state_lost += 1
            for account in self.accounts:  # what was never written is looked at anew
                account.restore_correct_data()
        self.process = None
        process.bury()
        self.checker.ended()

    def _scrape_later(self) -> None:
        self.timeline.at(self.timeline.now + self.dice.expovariate(1 / BETWEEN_SCRAPES), self._scrape)

    def _scrape(self) -> None:
        self._scrape_later()
        self._look()

    def _look(self) -> None:
        if self.process:
            self.checker.scrape(self.process)

    def _heal(self) -> None:
        self.trace.note("healed")
        for account in self.accounts:
            account.clear()
        self.disk_full_until, self._dies_at, self._amid_requests = 0.0, None, None
        self.reload(self.base)
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
        error.add_note("\n".join([*world.trace.lines(), f"repeat with: python -m simulation --seed {seed} --trace"]))
        raise
    finally:
        if world.process:
            world.process.bury()
        shutil.rmtree(directory)
    hours = (world.timeline.now - world.timeline.started) / HOUR
    return Result(seed, world.trace.digest, hours, world.trace.counts)

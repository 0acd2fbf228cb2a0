"""Virtual time: what happens when, one thing after the other, and the greenlets that wait for it."""

from __future__ import annotations

import heapq
from itertools import count
from typing import TYPE_CHECKING

from greenlet import GreenletExit, getcurrent, greenlet

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random


TICK = 1e-5  # seconds that every wait takes at least: below, seconds since the epoch would stand still


class VirtualClock:
    """Seconds since the epoch, and what is to happen; what falls on the same moment comes in an order of chance."""

    def __init__(self, start: float, dice: Random) -> None:
        self.now = start
        self.started = start
        self._dice = dice
        self._numbers = count()
        self._to_come: list[tuple[float, float, int, Callable[[], None]]] = []
        self.hub = getcurrent()

    def at(self, moment: float, happen: Callable[[], None]) -> None:
        """Let something happen at a moment; it must not wait."""
        entry = (max(moment, self.now), self._dice.random(), next(self._numbers), happen)
        heapq.heappush(self._to_come, entry)

    def run(self, until: float) -> None:
        """Let time pass; raises what happens to raise, and goes on from there when called again."""
        self.hub = getcurrent()
        while self._to_come and self._to_come[0][0] <= until:
            self.now, _, _, happen = heapq.heappop(self._to_come)
            happen()
        self.now = until


class Waiter:
    """A greenlet that waits, until it is woken or its time is over, whichever comes first."""

    def __init__(self, host: VirtualHost) -> None:
        self._host = host
        self._greenlet = getcurrent()
        self._is_over = False

    def park(self, seconds: float | None) -> bool:
        """Wait for so many seconds at most; tell whether it was woken."""
        host = self._host
        if host.is_dead:
            raise GreenletExit
        if self._greenlet is host.timeline.hub:
            raise RuntimeError("what just happens cannot wait: let a thread do it")
        if seconds is not None:
            host.timeline.at(host.timeline.now + max(TICK, seconds), lambda: self._go_on(woken=False))
        return bool(host.timeline.hub.switch())

    def wake(self) -> None:
        """Let it go on, though others may come first."""
        self._host.timeline.at(self._host.timeline.now, lambda: self._go_on(woken=True))

    def _go_on(self, *, woken: bool) -> None:
        if not self._is_over and not self._host.is_dead:
            self._is_over = True
            self._greenlet.switch(woken)


class VirtualHost:
    """A host as one process sees it: its threads die with the process, and its clock of the day may be wrong."""

    def __init__(self, timeline: VirtualClock, clock_error: Callable[[], float] = lambda: 0.0) -> None:
        self.timeline = timeline
        self.is_dead = False
        self._clock_error = clock_error
        self._threads: list[VirtualThread] = []

    def monotonic(self) -> float:
        """Give seconds that never step."""
        return self.timeline.now - self.timeline.started + 1000.0

    def time(self) -> float:
        """Give the host's idea of seconds since the epoch."""
        return self.timeline.now + self._clock_error()

    def event(self) -> VirtualEvent:
        """Make an event."""
        return VirtualEvent(self)

    def condition(self) -> VirtualCondition:
        """Make a condition."""
        return VirtualCondition(self)

    def thread(self, name: str, work: Callable[[], None]) -> VirtualThread:
        """Make a thread."""
        thread = VirtualThread(self, name, work, len(self._threads) + 1)
        self._threads.append(thread)
        return thread

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        Waiter(self).park(seconds)

    def kill(self) -> None:
        """Make an end of every thread where it stands."""
        self.is_dead = True
        for thread in self._threads:
            thread.kill()


class VirtualThread:
    """A greenlet that can be told to begin, and waited for."""

    def __init__(self, host: VirtualHost, name: str, work: Callable[[], None], number: int) -> None:
        self.name = name
        self.ident: int | None = None
        self._host = host
        self._work = work
        self._number = number
        self._ended = VirtualEvent(host)
        self._greenlet: greenlet | None = None

    def start(self) -> None:
        """Begin as soon as those have waited who are to go on now."""
        self.ident = self._number
        self._greenlet = greenlet(self._run, parent=self._host.timeline.hub)
        self._host.timeline.at(self._host.timeline.now, self._begin)

    def is_alive(self) -> bool:
        """Tell whether it works."""
        return self._greenlet is not None and not self._greenlet.dead and not self._ended.is_set()

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end."""
        self._ended.wait(timeout)

    def kill(self) -> None:
        """Make an end of it where it stands."""
        if self._greenlet is not None and not self._greenlet.dead and self._greenlet is not getcurrent():
            self._greenlet.throw(GreenletExit)

    def _begin(self) -> None:
        if self._greenlet is not None and not self._host.is_dead:
            self._greenlet.switch()

    def _run(self) -> None:
        self._work()
        self._ended.set()


class VirtualEvent:
    """`threading.Event` on virtual time."""

    def __init__(self, host: VirtualHost) -> None:
        self._host = host
        self._is_set = False
        self._waiting: list[Waiter] = []

    def set(self) -> None:
        """Let it happen."""
        self._is_set = True
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.wake()

    def is_set(self) -> bool:
        """Tell whether it has happened."""
        return self._is_set

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it happens."""
        if not self._is_set and (timeout is None or timeout > 0):
            waiter = Waiter(self._host)
            self._waiting.append(waiter)
            waiter.park(timeout)
            if waiter in self._waiting:
                self._waiting.remove(waiter)
        return self._is_set


class VirtualCondition:
    """`threading.Condition` on virtual time; nobody else runs while its lock is held."""

    def __init__(self, host: VirtualHost) -> None:
        self._host = host
        self._waiting: list[Waiter] = []

    def __enter__(self) -> bool:
        """Take the lock."""
        return True

    def __exit__(self, *_: object) -> None:
        """Give the lock back."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until somebody notifies."""
        waiter = Waiter(self._host)
        self._waiting.append(waiter)
        woken = waiter.park(timeout)
        if waiter in self._waiting:
            self._waiting.remove(waiter)
        return woken

    def notify(self) -> None:
        """Wake one of those who wait."""
        if self._waiting:
            self._waiting.pop(0).wake()

    def notify_all(self) -> None:
        """Wake all of those who wait."""
        while self._waiting:
            self.notify()

"""A host on virtual time: its threads are greenlets that wait for the virtual clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenlet import GreenletExit, getcurrent, greenlet

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulation.virtual_clock import VirtualClock

MIN_WAIT = 1e-5  # seconds; a shorter wait is below the precision of seconds since the epoch


class Waiter:
    """A waiting greenlet, which continues when it is woken or when its timeout expires."""

    def __init__(self, host: VirtualHost) -> None:
        self._host = host
        self._greenlet = getcurrent()
        self._is_done = False

    def wait(self, timeout: float | None) -> bool:
        """Wait for at most `timeout` seconds; return whether the greenlet was woken."""
        host = self._host
        if host.is_dead:
            raise GreenletExit
        if self._greenlet is host.clock.hub:
            raise RuntimeError("a callback cannot wait, only a thread can")
        if timeout is not None:
            host.clock.after(max(MIN_WAIT, timeout), lambda: self._resume(woken=False))
        return bool(host.clock.hub.switch())

    def wake(self) -> None:
        """Resume the greenlet at the current time. Other callbacks may run first."""
        self._host.clock.after(0.0, lambda: self._resume(woken=True))

    def _resume(self, *, woken: bool) -> None:
        if self._host.is_suspended:
            self._host.clock.at(self._host.suspended_until, lambda: self._resume(woken=woken))
        elif not self._is_done and not self._host.is_dead:
            self._is_done = True
            self._greenlet.switch(woken)


class VirtualHost:
    """The host of one process. Its threads end with the process, and its wall clock may be wrong."""

    def __init__(self, clock: VirtualClock, clock_error: Callable[[], float] = lambda: 0.0) -> None:
        self.clock = clock
        self.is_dead = False
        self.suspended_until = clock.started
        self._clock_error = clock_error
        self._threads: list[VirtualThread] = []

    @property
    def is_suspended(self) -> bool:
        """Whether no thread runs at the moment."""
        return self.clock.now < self.suspended_until

    def monotonic(self) -> float:
        """Return seconds that are never adjusted."""
        return self.clock.now - self.clock.started + 1000.0

    def time(self) -> float:
        """Return the host's wall clock in seconds since the epoch."""
        return self.clock.now + self._clock_error()

    def event(self) -> VirtualEvent:
        """Return a new event."""
        return VirtualEvent(self)

    def lock(self) -> VirtualLock:
        """Return a new lock."""
        return VirtualLock(self)

    def condition(self) -> VirtualCondition:
        """Return a new condition."""
        return VirtualCondition(self)

    def thread(self, name: str, work: Callable[[], None]) -> VirtualThread:
        """Return a new thread, not yet started."""
        thread = VirtualThread(self, name, work, len(self._threads) + 1)
        self._threads.append(thread)
        return thread

    def pause(self, seconds: float) -> None:
        """Sleep for some seconds."""
        Waiter(self).wait(seconds)

    def suspend(self, until: float) -> None:
        """Run no threads until a time, as after SIGSTOP."""
        self.suspended_until = until

    def kill(self) -> None:
        """Kill every thread where it waits."""
        self.is_dead = True
        for thread in self._threads:
            thread.kill()


class VirtualThread:
    """`threading.Thread` as a greenlet on virtual time."""

    def __init__(self, host: VirtualHost, name: str, work: Callable[[], None], number: int) -> None:
        self.name = name
        self.ident: int | None = None
        self._host = host
        self._work = work
        self._number = number
        self._ended = VirtualEvent(host)
        self._greenlet: greenlet | None = None

    def start(self) -> None:
        """Schedule the start at the current time."""
        self.ident = self._number
        self._greenlet = greenlet(self._run, parent=self._host.clock.hub)
        self._host.clock.after(0.0, self._begin)

    def is_alive(self) -> bool:
        """Return whether the thread has started and has not ended."""
        return self._greenlet is not None and not self._greenlet.dead and not self._ended.is_set()

    def join(self, timeout: float | None = None) -> None:
        """Wait for the thread's end."""
        self._ended.wait(timeout)

    def kill(self) -> None:
        """Kill the thread where it waits."""
        if self._greenlet is not None and not self._greenlet.dead and self._greenlet is not getcurrent():
            self._greenlet.throw(GreenletExit)

    def _begin(self) -> None:
        if self._host.is_suspended:
            self._host.clock.at(self._host.suspended_until, self._begin)
        elif self._greenlet is not None and not self._host.is_dead:
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
        """Set the event and wake all waiting threads."""
        self._is_set = True
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.wake()

    def is_set(self) -> bool:
        """Return whether the event is set."""
        return self._is_set

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the event is set; return whether it is."""
        if not self._is_set and (timeout is None or timeout > 0):
            waiter = Waiter(self._host)
            self._waiting.append(waiter)
            waiter.wait(timeout)
            if waiter in self._waiting:
                self._waiting.remove(waiter)
        return self._is_set


class VirtualLock:
    """`threading.Lock` on virtual time, for a thread that waits while it holds the lock."""

    def __init__(self, host: VirtualHost) -> None:
        self._host = host
        self._is_held = False
        self._waiting: list[Waiter] = []

    def acquire(self, blocking: bool = True) -> bool:  # noqa: FBT001, FBT002 (the signature of threading.Lock)
        """Acquire the lock, and return whether that was possible; without `blocking`, return immediately."""
        while self._is_held:
            if not blocking:
                return False
            waiter = Waiter(self._host)
            self._waiting.append(waiter)
            waiter.wait(None)
        self._is_held = True
        return True

    def release(self) -> None:
        """Release the lock, and wake one waiting thread."""
        self._is_held = False
        if self._waiting:
            self._waiting.pop(0).wake()

    def __enter__(self) -> bool:
        """Acquire the lock."""
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        """Release the lock."""
        self.release()


class VirtualCondition:
    """`threading.Condition` on virtual time. Its lock does nothing, because no other thread runs before a wait."""

    def __init__(self, host: VirtualHost) -> None:
        self._host = host
        self._waiting: list[Waiter] = []

    def __enter__(self) -> bool:
        """Acquire the lock."""
        return True

    def __exit__(self, *_: object) -> None:
        """Release the lock."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for a notification; return whether there was one."""
        waiter = Waiter(self._host)
        self._waiting.append(waiter)
        woken = waiter.wait(timeout)
        if waiter in self._waiting:
            self._waiting.remove(waiter)
        return woken

    def notify(self) -> None:
        """Wake one waiting thread."""
        if self._waiting:
            self._waiting.pop(0).wake()

    def notify_all(self) -> None:
        """Wake all waiting threads."""
        while self._waiting:
            self.notify()

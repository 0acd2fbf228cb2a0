"""Clocks and threads of the host. They are injected, so that a simulation can replace both."""

from __future__ import annotations

import threading
import time
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from exporter.domain.clock_check import ClockReading

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


class Clock(Protocol):
    """The clocks of the host."""

    def monotonic(self) -> float:
        """Return seconds that never go back, for intervals and deadlines."""

    def time(self) -> float:
        """Return seconds since the epoch by the clock of the host, which may be wrong."""


class ServiceClock(Protocol):
    """The clock of the service from which a snapshot was read."""

    def now(self) -> float:
        """Return seconds since the epoch."""


class Event(Protocol):
    """An event, as `threading.Event`."""

    def set(self) -> None:
        """Set the event, and wake all threads that wait for it."""

    def is_set(self) -> bool:
        """Return whether the event is set."""

    def wait(self, timeout: float | None = None, /) -> bool:
        """Wait until the event is set, up to a timeout in seconds, and return whether it is set."""


class Lock(Protocol):
    """A lock, as `threading.Lock`."""

    def __enter__(self) -> bool:
        """Acquire the lock."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        """Release the lock."""


class Condition(Protocol):
    """A condition variable, as `threading.Condition`."""

    def __enter__(self) -> bool:
        """Acquire the lock."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        """Release the lock."""

    def wait(self, timeout: float | None = None, /) -> bool:
        """Release the lock until notified by another thread, up to a timeout in seconds; return whether notified."""

    def notify(self) -> None:
        """Wake one waiting thread."""

    def notify_all(self) -> None:
        """Wake all waiting threads."""


class Thread(Protocol):
    """A thread, as `threading.Thread`."""

    @property
    def ident(self) -> int | None:
        """The identifier of the thread; None before it was started."""

    def start(self) -> None:
        """Start the thread."""

    def is_alive(self) -> bool:
        """Return whether the thread is running."""

    def join(self, timeout: float | None = None, /) -> None:
        """Wait until the thread ends, up to a timeout in seconds."""


class Host(Clock, Protocol):
    """Everything that can wait or read the time.

    A lock that no thread holds while it waits may be a plain `threading.Lock`.
    """

    def event(self) -> Event:
        """Return a new event."""

    def lock(self) -> Lock:
        """Return a new lock, which a thread may hold while it waits for something else."""

    def condition(self) -> Condition:
        """Return a new condition variable."""

    def thread(self, name: str, work: Callable[[], None]) -> Thread:
        """Return a new thread, which does not keep the process alive."""


class System:
    """The real host."""

    monotonic = staticmethod(time.monotonic)
    time = staticmethod(time.time)
    event = staticmethod(threading.Event)
    lock = staticmethod(threading.Lock)
    condition = staticmethod(threading.Condition)

    def thread(self, name: str, work: Callable[[], None]) -> threading.Thread:
        """Return a new daemon thread."""
        return threading.Thread(target=work, name=name, daemon=True)


class AwsClock:
    """AWS's clock, from the Date header of its responses. Until the first response, it is the clock of the host."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._host_offset = clock.time() - clock.monotonic()
        self._offset: float | None = None

    def update(self, date: str) -> float:
        """Set the clock from a Date header, and return the time. A header that is not a date changes nothing."""
        try:
            time = _parse_date(date)
        except (TypeError, ValueError):
            return self.now()
        self._offset = time - self._clock.monotonic()
        return time

    def now(self) -> float:
        """Return seconds since the epoch. They lag by up to a second plus the duration of the last response."""
        offset = self._offset
        return self._clock.time() if offset is None else self._clock.monotonic() + offset

    def read(self) -> ClockReading:
        """Return the time, with the difference to the host's clock."""
        now = self.now()
        return ClockReading(now, now - self.host_time())

    def use_host(self) -> None:
        """Continue with the clock of the host until the next Date header, because the last one was wrong."""
        self._offset = self._host_offset

    def host_time(self) -> float:
        """Return seconds since the epoch on the host's clock, without its steps since the start."""
        return self._clock.monotonic() + self._host_offset


@lru_cache(maxsize=64)  # the date of a response is parsed more than once, and many responses have the same date
def _parse_date(date: str) -> float:
    return parsedate_to_datetime(date).timestamp()


def boot_time() -> float:
    """Return seconds since the boot of the machine, including time in suspension.

    The monotonic clock of Linux stops while a virtual machine is suspended, and a lease in a database does not.
    """
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))

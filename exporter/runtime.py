"""What the program runs on: the clocks and threads of the host, injected so that a simulation may own both."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


class Clock(Protocol):
    """Time, injected so that tests and simulations own it."""

    def monotonic(self) -> float:
        """Give seconds that never step, for intervals and deadlines."""

    def time(self) -> float:
        """Give the host's idea of seconds since the epoch, which may be wrong."""


class ServiceClock(Protocol):
    """The clock of the service that a snapshot was read from."""

    def now(self) -> float:
        """Return seconds since the epoch."""


class Event(Protocol):
    """Something that happens once, as `threading.Event` has it."""

    def set(self) -> None:
        """Let it happen."""

    def is_set(self) -> bool:
        """Tell whether it has happened."""

    def wait(self, timeout: float | None = None, /) -> bool:
        """Wait until it happens, for so many seconds at most, and tell whether it has."""


class Condition(Protocol):
    """A lock, and a way to wait for those who hold it, as `threading.Condition` has it."""

    def __enter__(self) -> bool:
        """Take the lock."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        """Give the lock back."""

    def wait(self, timeout: float | None = None, /) -> bool:
        """Give the lock back until somebody notifies, for so many seconds at most."""

    def notify(self) -> None:
        """Wake one of those who wait."""

    def notify_all(self) -> None:
        """Wake all of those who wait."""


class Thread(Protocol):
    """Work beside other work, as `threading.Thread` has it."""

    @property
    def ident(self) -> int | None:
        """Give its number; None before it was started."""

    def start(self) -> None:
        """Begin to work."""

    def is_alive(self) -> bool:
        """Tell whether it works."""

    def join(self, timeout: float | None = None, /) -> None:
        """Wait for its end, for so many seconds at most."""


class Host(Clock, Protocol):
    """Everything through which time passes. Locks that nobody holds while waiting need no part in it."""

    def event(self) -> Event:
        """Make an event."""

    def condition(self) -> Condition:
        """Make a condition."""

    def thread(self, name: str, work: Callable[[], None]) -> Thread:
        """Make a thread, which does not keep the process alive."""


class System:
    """The host itself."""

    monotonic = staticmethod(time.monotonic)
    time = staticmethod(time.time)
    event = staticmethod(threading.Event)
    condition = staticmethod(threading.Condition)

    def thread(self, name: str, work: Callable[[], None]) -> threading.Thread:
        """Make a daemon thread."""
        return threading.Thread(target=work, name=name, daemon=True)

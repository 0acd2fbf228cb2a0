"""How the main thread receives signals: by priority in `serve`, at safe points in other commands."""

from __future__ import annotations

import os
import signal
import time
from select import select
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import FrameType

SIGNAL_EXIT_BASE = 128  # the exit code of a program that a signal has ended is this plus the number of the signal
PIPE_BYTES = 65536
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def unblock_early_signals(*, is_service: bool) -> None:
    """Unblock the signals that `exporter.__main__` has blocked, now that the command is known.

    A service ends by a signal, so a stop is a success, even while it still imports its modules. The handler ends the
    process itself, because Python would ignore an exception in a callback, such as those of the import locks. Nothing
    is open yet that must be closed. SIGHUP stays blocked until the service handles it.
    """
    if is_service:
        for number in STOP_SIGNALS:
            signal.signal(number, lambda *_: os._exit(0))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS if is_service else {*STOP_SIGNALS, signal.SIGHUP})


class SignalReceiver:
    """Receives signals from its creation to the end of the process.

    A handler in Python runs only when the main thread executes the next bytecode. If the signal arrives just before the
    main thread blocks, or in another thread, this may never happen, and the signal is lost. The interpreter's wakeup
    descriptor has no such gap: the number of the signal is written to the pipe immediately, and ends the wait.
    """

    def __init__(self, *numbers: int) -> None:
        """Receive these signals. If several have arrived, the one that is named first is returned first."""
        self._numbers = numbers
        self._arrived: set[int] = set()
        self._reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in numbers:
            signal.signal(number, lambda *_: None)

    def wait(self) -> int:
        """Wait for the next signal and return its number.

        A signal that has arrived several times is returned once. Example: many SIGHUP and then SIGTERM arrive during
        the start. One reload covers all of the SIGHUP, and SIGTERM does not wait for it.
        """
        self._receive(None)
        number = min(self._arrived, key=self._numbers.index)
        self._arrived.remove(number)
        return number

    def has_received(self, *numbers: int) -> bool:
        """Return whether one of these signals has arrived; `wait` returns it later."""
        self._receive(0)
        return not self._arrived.isdisjoint(numbers)

    def _receive(self, timeout: float | None) -> None:
        """Record all signals that have arrived; wait for the first one if there is none."""
        while select([self._reader], [], [], 0 if self._arrived else timeout)[0]:
            self._arrived |= {*os.read(self._reader, PIPE_BYTES)}.intersection(self._numbers)


class DeferredSignals:
    """Keeps the signals that end a command until the main thread reaches a safe point.

    Python runs a handler between any two instructions of the main thread. A handler that raises there may leave a lock
    acquired: in `with lock:`, between the return of `acquire` and the first instruction of the block. The threads that
    the command has to stop would then wait for that lock forever. So these handlers only record the signal, and
    `pause`, which holds no lock, raises SystemExit. The end of the block raises it too. A signal that the process
    ignores stays ignored, as in a background job of a shell.
    """

    def __init__(self) -> None:
        self._received: int | None = None
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        handlers = {number: signal.getsignal(number) for number in numbers}
        self._replaced = {number: handler for number, handler in handlers.items() if handler != signal.SIG_IGN}

    def __enter__(self) -> Self:
        """Start to defer signals."""
        for number in self._replaced:
            signal.signal(number, self._remember)
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        """Restore the handlers; raise SystemExit if a signal has arrived, unless an error ends the block."""
        for number, handler in self._replaced.items():
            signal.signal(number, handler)
        if error is None:
            self._raise_received()

    def pause(self, seconds: float) -> None:
        """Sleep, then raise SystemExit if a signal has arrived."""
        time.sleep(seconds)
        self._raise_received()

    def _remember(self, number: int, _: FrameType | None) -> None:
        self._received = number

    def _raise_received(self) -> None:
        if self._received is not None:
            raise SystemExit(SIGNAL_EXIT_BASE + self._received)

"""The stderr of the processes of a week, and the log that one process writes to it.

The log uses the program's LogSink with its real thread. That thread really blocks while stderr is blocked, but the
thread of the simulation never does. To be reproducible, the simulation waits until the sink's thread has written or
dropped all lines before stderr changes, before a scrape, and before the queue can be full.
"""

from __future__ import annotations

import errno
import threading
import time
from enum import Enum, auto
from io import RawIOBase
from typing import TYPE_CHECKING, Protocol

from exporter.cli.log_sink import LogSink

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from simulation.page import ParsedPage

MAX_QUEUED = 2000  # characters, much less than in the program, so that blocked lines are dropped soon
MAX_COUNTING = 5.0  # real seconds
REAL_TIMEOUT = 20.0  # the longest time that the sink's thread may take for a line, in real seconds


class StderrMode(Enum):
    """The result of a write."""

    WORKS = auto()
    BLOCKED = auto()  # a pipe that is full and has no reader
    FULL = auto()  # a file on a full disk
    BROKEN = auto()  # a pipe without a reader any more


class StderrUser(Protocol):
    """A log that must know when stderr changes."""

    def drain(self) -> None:
        """Wait until all lines were written or dropped."""

    def stderr_changed(self, room: int) -> None:
        """Continue after a change; `room` is the number of bytes that a full disk still accepts."""


class SimulatedStderr(RawIOBase):
    """A stream that works, blocks, is full or is broken. The sink's thread writes to it."""

    def __init__(self) -> None:
        self.mode = StderrMode.WORKS
        self.room = 0
        """The bytes that a full disk still accepts."""
        self.received = b""
        self.writes_in_program = 0
        self._user: StderrUser | None = None
        self._handled = 0
        self._is_waiting = False
        self._changed = threading.Condition()
        self._program = threading.get_ident()

    def write(self, data: ReadableBuffer, /) -> int:
        """Write a line or a part of it, wait while stderr is blocked, or raise OSError."""
        line = bytes(data)
        with self._changed:
            if threading.get_ident() == self._program:
                self.writes_in_program += 1
            else:
                self._wait_while_blocked()
            written = self._accepted(line)
            self.received += written
            if len(written) == len(line):
                self._handled += 1
                self._changed.notify_all()
        return len(written)

    def set_mode(self, mode: StderrMode, room: int = 0) -> None:
        """Change the result of writes from now on."""
        if self._user:
            self._user.drain()
        with self._changed:
            self.mode, self.room = mode, room
            self._changed.notify_all()
        if self._user:
            self._user.stderr_changed(room)

    def begin(self, user: StderrUser | None) -> None:
        """Start the log of another process, or of none."""
        self.received, self.room, self._handled, self._user = b"", 0, 0, user

    def wait_for(self, lines: int) -> bool:
        """Wait until the thread of the sink has written or dropped some lines; return whether it has."""
        with self._changed:
            return self._changed.wait_for(lambda: self._handled >= lines, REAL_TIMEOUT)

    def wait_until_blocked(self) -> bool:
        """Wait until the thread of the sink waits for stderr; return whether it does."""
        with self._changed:
            return self._changed.wait_for(lambda: self._is_waiting, REAL_TIMEOUT)

    def _wait_while_blocked(self) -> None:
        self._is_waiting = self.mode is StderrMode.BLOCKED
        self._changed.notify_all()
        self._changed.wait_for(lambda: self.mode is not StderrMode.BLOCKED)
        self._is_waiting = False

    def _accepted(self, line: bytes) -> bytes:
        if self.mode is StderrMode.WORKS:
            return line
        accepted, self.room = line[: self.room], 0
        if not accepted:
            self._handled += 1
            self._changed.notify_all()
            code = errno.ENOSPC if self.mode is StderrMode.FULL else errno.EPIPE
            raise OSError(code, "simulated")
        return accepted


class ProcessLog:
    """The log of a process, with the text that stderr must receive and the number of dropped lines."""

    def __init__(self, stderr: SimulatedStderr) -> None:
        stderr.begin(self)
        self._stderr = stderr
        self._sink = LogSink(stderr, MAX_QUEUED)
        self._expected = b""
        self._is_torn = False
        self._room = 0
        self._has_ended = False
        self._handled = self._dropped = 0
        self._undrained = 0  # characters that may be in the queue
        self._waiting: list[str] = []  # the first one is being written, and the others are in the queue

    def dropped(self) -> int:
        """Return the lines that the program counts as dropped."""
        return self._sink.dropped()

    def write(self, line: str) -> None:
        """Log a line as the program does."""
        if self._stderr.mode is not StderrMode.BLOCKED:
            self._write_at_once(line)
        elif not self._waiting:
            self._waiting.append(line)
            self._sink.write(line)
            self._has_ended = self._has_ended or not self._stderr.wait_until_blocked()
        else:
            is_full = sum(map(len, self._waiting[1:])) + len(line) > MAX_QUEUED
            self._dropped += is_full
            self._waiting += () if is_full else (line,)
            self._sink.write(line)

    def _write_at_once(self, line: str) -> None:
        if self._undrained + len(line) > MAX_QUEUED:
            self._wait()
        self._undrained += len(line)
        self._expect(line)
        self._sink.write(line)

    def check(self, page: ParsedPage) -> None:
        """Assert that stderr has every line that it could accept, and that all others are counted."""
        assert not self._stderr.writes_in_program, "the program waits for stderr itself"
        assert not self._has_ended, "the thread of the log no longer writes"
        assert self._stderr.received == self._expected, f"stderr has {self._stderr.received[-500:]!r} at its end"
        counted = page.value("qbusiness_exporter_log_lines_dropped_total")
        assert counted == self._dropped, f"{self._dropped} log lines were dropped, and {counted} were counted"

    def close(self) -> None:
        """End the log, as the end of the process does."""
        mode = self._stderr.mode
        self._stderr.begin(None)
        self._stderr.set_mode(StderrMode.BROKEN)  # ends a write that waits
        self._sink.close(REAL_TIMEOUT)
        self._stderr.set_mode(mode)

    def drain(self) -> None:
        """Wait until the sink's thread has written or counted all lines that do not wait for stderr."""
        self._wait()
        until = time.monotonic() + MAX_COUNTING
        while self._sink.dropped() < self._dropped and time.monotonic() < until:
            time.sleep(0.0)  # let the thread run

    def stderr_changed(self, room: int) -> None:
        """Determine the expected results of the lines that have waited."""
        self._room = room
        if self._stderr.mode is not StderrMode.BLOCKED:
            waiting, self._waiting = self._waiting, []
            for line in waiting:
                self._expect(line)
            self._wait()

    def _wait(self) -> None:
        """Wait for the thread of the sink."""
        self._has_ended = self._has_ended or not self._stderr.wait_for(self._handled)
        self._undrained = 0

    def _expect(self, line: str) -> None:
        """Expect that a line is written or dropped. The line after a partial one begins with a line feed."""
        data = b"\n" * self._is_torn + line.encode()
        is_written = self._stderr.mode is StderrMode.WORKS
        accepted, self._room = (data if is_written else data[: self._room]), 0
        self._handled += 1
        self._dropped += not is_written
        self._expected += accepted
        if accepted:
            self._is_torn = not accepted.endswith(b"\n")

"""The stream for log lines. It neither blocks nor fails, in any state of stderr."""

from __future__ import annotations

import select
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from io import BufferedIOBase, RawIOBase

MAX_QUEUED = 1 << 20  # characters; no lines are lost if the reader pauses for seconds
CLOSE_TIMEOUT = 1.0  # seconds


class LogSink:
    """A text stream that passes its lines, in order, to a thread that writes them to another stream.

    A line that does not fit into the queue, or that cannot be written, is dropped and counted. The thread still tries
    to write later lines, so logging resumes when the disk has space, or the pipe has a reader.
    """

    encoding = "utf-8"

    def __init__(self, stream: RawIOBase | BufferedIOBase, max_queued: int = MAX_QUEUED) -> None:
        """Start to write to a stream. It should be unbuffered: a buffer would keep lines that cannot be written."""
        self._stream = stream
        self._max_queued = max_queued
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        # No thread waits while it holds this lock, or the one in the queue. Code that interrupts the holder, for
        # example a destructor, may log too, so this lock and put() are reentrant.
        self._counting = threading.RLock()
        self._queued = 0
        self._dropped = 0
        self._is_torn = False
        self._is_closed = False
        # A daemon thread, because write(2) to a full pipe without a reader blocks forever, and the process must exit.
        self._thread = threading.Thread(target=self._write_lines, name="log", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def dropped(self) -> int:
        """Return the number of lines that were dropped."""
        return self._dropped

    def write(self, text: str) -> int:
        """Add a line, or a part of one, to the queue. Never wait."""
        with self._counting:
            if self._is_closed or self._queued + len(text) > self._max_queued:
                self._dropped += 1
            else:
                self._queued += len(text)
                self._lines.put(text)
        return len(text)

    def flush(self) -> None:
        """Do nothing: the thread writes each line immediately."""

    def isatty(self) -> bool:
        """Return whether the lines go to a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Return the descriptor of the stream, from which a progress bar reads the width of the terminal."""
        return self._stream.fileno()

    def close(self, timeout: float = CLOSE_TIMEOUT) -> None:
        """Write the lines in the queue, for at most `timeout` seconds, and drop all later lines."""
        if not self._is_closed:
            self._is_closed = True
            self._lines.put(None)
            self._thread.join(timeout)

    def _write_lines(self) -> None:
        while (text := self._lines.get()) is not None:
            with self._counting:
                self._queued -= len(text)
            self._write(text.encode(self.encoding, "backslashreplace"))

    def _write(self, data: bytes) -> None:
        """Write a line, or count it as dropped.

        If only a part of the last line was written, a new line begins, so that the next event has its own line.
        """
        line = b"\n" + data if self._is_torn else data
        written = 0
        try:
            while written < len(line):
                written += self._write_some(line[written:])
            self._is_torn = False
        except (OSError, ValueError):  # ValueError: the stream is closed
            with self._counting:
                self._dropped += 1
            if written:
                self._is_torn = not line[:written].endswith(b"\n")

    def _write_some(self, data: bytes) -> int:
        """Write the beginning of the data, and return its length."""
        written = self._stream.write(data)
        if written is None:  # another process that shares the stream has made it non-blocking, and it is full
            poll = select.poll()
            poll.register(self._stream.fileno(), select.POLLOUT)
            poll.poll()
        return written or 0

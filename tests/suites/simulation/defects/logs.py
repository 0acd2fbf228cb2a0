"""Defects of logging."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.cli.log_sink import LogSink

if TYPE_CHECKING:
    import pytest


def waits_for_stderr(patch: pytest.MonkeyPatch) -> None:
    """Write each line in the thread that logs it."""

    def write(self: Any, text: str) -> int:
        self._write(text.encode())
        return len(text)

    patch.setattr(LogSink, "write", write)


def ends_the_log_with_an_error(patch: pytest.MonkeyPatch) -> None:
    """Write no line after one that could not be written."""
    original: Any = LogSink._write

    def write(self: Any, data: bytes) -> None:
        original(self, data)
        if self._dropped:
            raise SystemExit

    patch.setattr(LogSink, "_write", write)


def continues_a_torn_line(patch: pytest.MonkeyPatch) -> None:
    """Write the next line directly after a partial line."""
    original: Any = LogSink._write

    def write(self: Any, data: bytes) -> None:
        self._is_torn = False
        original(self, data)

    patch.setattr(LogSink, "_write", write)


def counts_no_line_that_the_queue_cannot_take(patch: pytest.MonkeyPatch) -> None:
    """Drop lines silently while stderr is blocked."""
    original: Any = LogSink.write

    def write(self: Any, text: str) -> int:
        if self._queued + len(text) > self._max_queued:
            return len(text)
        return int(original(self, text))

    patch.setattr(LogSink, "write", write)


DEFECTS = (
    waits_for_stderr,
    ends_the_log_with_an_error,
    continues_a_torn_line,
    counts_no_line_that_the_queue_cannot_take,
)

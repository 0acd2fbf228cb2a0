"""The trace of a simulation: a digest of all events in order, and the last events for debugging."""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulation.virtual_clock import VirtualClock

LAST_EVENTS = 60  # the number of events that a failure prints


class DefectError(AssertionError):
    """The program logged an exception that it did not expect."""


class Trace:
    """The events of a simulation. Two runs have the same digest only if all their events and pages are equal."""

    def __init__(
        self, clock: VirtualClock, show: Callable[[str], None] | None = None, directory: str = "no directory"
    ) -> None:
        """Create an empty trace. `directory` differs between runs, so the digest omits it."""
        self._directory = directory
        self._clock = clock
        self._show = show
        self._digest = hashlib.blake2b(digest_size=16)
        self.last: deque[tuple[float, str, tuple[object, ...]]] = deque(maxlen=LAST_EVENTS)
        self.counts: Counter[str] = Counter()
        self.write_log: Callable[[str], None] = lambda _line: None
        self.on_log: Callable[[str, structlog.typing.EventDict], None] = lambda _message, _fields: None

    def note(self, kind: str, *details: object) -> None:
        """Record an event."""
        self.counts[kind] += 1
        now = self._clock.now
        self._digest.update(repr((now, kind, details)).encode())
        self.last.append((now, kind, details))
        if self._show:
            self._show(_line(now, kind, details))

    def add(self, text: str) -> None:
        """Add the text of a page to the digest."""
        self._digest.update(text.encode())

    @property
    def digest(self) -> str:
        """Return the digest of everything so far."""
        return self._digest.hexdigest()

    def lines(self) -> list[str]:
        """Return the last events, one to a line."""
        return [_line(*event) for event in self.last]

    def listen(self) -> None:
        """Record the program's log as events. A line with a traceback is a defect, and ends the run."""
        structlog.configure(
            processors=[structlog.processors.format_exc_info, self._record_log],
            wrapper_class=structlog.make_filtering_bound_logger(0),
            cache_logger_on_first_use=False,
        )

    def _record_log(self, _logger: object, level: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        message = str(event.pop("event"))
        if "exception" in event:
            raise DefectError(f"{message}: {event}")
        self.on_log(message, event)
        fields = sorted((name, str(value).replace(self._directory, "")) for name, value in event.items())
        self.note(f"log {level}", message, *fields)
        self.write_log(f"{level} {message} {fields}\n")
        raise structlog.DropEvent


def _line(now: float, kind: str, details: tuple[object, ...]) -> str:
    time = datetime.fromtimestamp(now, UTC).strftime("%a %d %H:%M:%S.%f")[:-3]
    return f"{time} {kind}: {' '.join(map(str, details))}"

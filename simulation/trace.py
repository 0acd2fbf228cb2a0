"""What happened, in order: a digest of all of it, and the end of it for whoever has to find out why."""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulation.virtual_clock import VirtualClock

KEPT = 60  # events that are shown with a failure
_DEFECT = "defect of this program"


class DefectError(AssertionError):
    """The program itself says that it has a defect."""


class Trace:
    """Takes note of events; the digest of two runs is the same only where everything was."""

    def __init__(
        self, timeline: VirtualClock, show: Callable[[str], None] | None = None, directory: str = "no directory"
    ) -> None:
        """`directory` is where the state file is: each run's is another, and the same to the digest."""
        self._directory = directory
        self._timeline = timeline
        self._show = show
        self._digest = hashlib.blake2b(digest_size=16)
        self.last: deque[tuple[float, str, tuple[object, ...]]] = deque(maxlen=KEPT)
        self.counts: Counter[str] = Counter()

    def note(self, kind: str, *details: object) -> None:
        """Take note of an event."""
        self.counts[kind] += 1
        now = self._timeline.now
        self._digest.update(repr((now, kind, details)).encode())
        self.last.append((now, kind, details))
        if self._show:
            self._show(_line(now, kind, details))

    def add(self, text: str) -> None:
        """Take a page into the digest."""
        self._digest.update(text.encode())

    @property
    def digest(self) -> str:
        """Give the digest of everything so far."""
        return self._digest.hexdigest()

    def lines(self) -> list[str]:
        """Give the latest events."""
        return [_line(*event) for event in self.last]

    def listen(self) -> None:
        """Take the program's log as events too; a line that tells of a defect ends the run."""
        structlog.configure(
            processors=[structlog.processors.format_exc_info, self._hear],
            wrapper_class=structlog.make_filtering_bound_logger(0),
            cache_logger_on_first_use=False,
        )

    def _hear(self, _logger: object, level: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        said = str(event.pop("event"))
        if _DEFECT in said:
            raise DefectError(f"{said}: {event}")
        told = ((name, str(value).replace(self._directory, "")) for name, value in event.items())
        self.note(f"log {level}", said, *sorted(told))
        raise structlog.DropEvent


def _line(now: float, kind: str, details: tuple[object, ...]) -> str:
    when = datetime.fromtimestamp(now, UTC).strftime("%a %d %H:%M:%S.%f")[:-3]
    return f"{when} {kind}: {' '.join(map(str, details))}"

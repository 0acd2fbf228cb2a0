"""Receives the messages of one target's events queue in a thread, and passes each on as a hint.

Events are hints: they only make a data source due for a poll. So a lost, late, repeated or forged message has no effect
on any count, and the receiver deletes every message, valid or not.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import structlog

from exporter.errors import ProviderError, StoppedError
from exporter.events.message import EventScope, InvalidMessageError, synced_source

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from exporter.domain.model import SourceId
    from exporter.runtime import Event, Host

LONG_POLL = 20  # seconds for which a request waits for a message: the most that SQS allows
FIRST_RETRY, LAST_RETRY = 1.0, 60.0  # seconds until the receiver retries after a failure

logger = structlog.get_logger()


class EventResult(StrEnum):
    """The results of messages; `used` means that the message made a data source due."""

    USED = "used"
    IGNORED = "ignored"
    INVALID = "invalid"


class Message(Protocol):
    """A message of the queue."""

    @property
    def body(self) -> str:
        """The text."""

    @property
    def receipt(self) -> str:
        """The handle to delete the message with."""


class MessageQueue(Protocol):
    """The queue; both methods raise ProviderError."""

    def receive(self, wait: int) -> Sequence[Message]:
        """Return the next messages, or none after `wait` seconds."""

    def delete(self, receipts: Sequence[str]) -> None:
        """Delete messages that were received together."""


class EventObserver(Protocol):
    """Records what the receiver does."""

    def received(self, result: EventResult) -> None:
        """Record a message."""

    def queue_up(self) -> None:
        """Record that the queue was read."""

    def queue_down(self, error: ProviderError) -> None:
        """Record that the queue could not be read."""


class EventReceiver:
    """Receives messages until it is stopped.

    Messages that arrive after that are neither used nor deleted, and SQS delivers them again to the successor.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (what it connects)
        self,
        target: str,
        queue: MessageQueue,
        scope: Callable[[], EventScope],
        hint: Callable[[SourceId], bool],
        observer: EventObserver,
        host: Host,
        random: Random,
        stopping: Event,
    ) -> None:
        """Create the receiver; `hint` makes a data source due, and returns False if it is not watched."""
        self._queue = queue
        self._scope = scope
        self._hint = hint
        self._observer = observer
        self._random = random
        self._stopping = stopping
        self._failures = 0
        self._is_known_readable = False
        self._undeleted: list[str] = []
        self._has_warned = False
        self._logger = logger.bind(target=target)
        self._thread = host.thread("events", self._run)

    def start(self) -> None:
        """Start to receive."""
        self._thread.start()

    def unhealthy(self) -> str | None:
        """Return that the thread has died; None if it has not."""
        died = self._thread.ident is not None and not self._thread.is_alive()
        return "the receiver of events has died" if died and not self._stopping.is_set() else None

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self.step()
        except StoppedError:
            return

    def step(self) -> None:
        """Receive and delete messages once; after a failure, wait before the next attempt.

        Messages that could not be deleted are deleted before others are received. Otherwise, a queue from which the
        receiver may read but not delete would deliver the same messages again and again.
        """
        try:
            self._delete()
            # While the state of the queue is unknown, the request returns immediately, so that its health is known
            # soon.
            messages = self._queue.receive(LONG_POLL if self._is_known_readable else 0)
            if self._stopping.is_set():
                return
            for message in messages:
                self._observer.received(self._use(message.body))
            self._undeleted = [message.receipt for message in messages]
            self._delete()
        except ProviderError as error:
            self._is_known_readable = False
            self._observer.queue_down(error)
            self._stopping.wait(self._next_delay())
        else:
            self._is_known_readable, self._failures = True, 0
            self._observer.queue_up()

    def _delete(self) -> None:
        if self._undeleted:
            self._queue.delete(self._undeleted)
            self._undeleted = []

    def _use(self, body: str) -> EventResult:
        try:
            source = synced_source(body, self._scope())
        except InvalidMessageError as error:
            self._warn_once(error)
            return EventResult.INVALID
        return EventResult.USED if source is not None and self._hint(source) else EventResult.IGNORED

    def _warn_once(self, error: InvalidMessageError) -> None:
        """Log the first invalid message; a metric counts all of them."""
        log = self._logger.debug if self._has_warned else self._logger.warning
        log("invalid message in the events queue", error=str(error))
        self._has_warned = True

    def _next_delay(self) -> float:
        """Count a failure, and return the seconds until the next attempt."""
        self._failures += 1
        delay: float = min(LAST_RETRY, FIRST_RETRY * 2.0 ** min(self._failures - 1, 30))
        return delay * self._random.uniform(0.5, 1.0)

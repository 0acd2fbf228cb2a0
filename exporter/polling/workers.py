"""The workers that poll one target's sources, and whether they are alive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from exporter.errors import StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.domain.model import DataSource
    from exporter.polling.poller import PollOutcome
    from exporter.polling.queue import PollQueue, QueueEntry
    from exporter.runtime import Clock, Host

STALLED = 60.0  # seconds beyond one request's longest life after which a silent poll loop counts as dead

logger = structlog.get_logger()


class Heartbeat:
    """The last sign of life of a target's polls: a worker that looked for work, or a request that ended."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = clock.monotonic()

    def beat(self) -> None:
        """Record a sign of life."""
        self._last = self._clock.monotonic()

    def silence(self) -> float:
        """Return the seconds since the last sign of life."""
        return self._clock.monotonic() - self._last


class PollWorkers:
    """Polls the sources of one target with a fixed number of workers until stopped."""

    def __init__(  # noqa: PLR0913 (each a part of its own, made once)
        self,
        queue: PollQueue,
        poll: Callable[[DataSource], PollOutcome],
        workers: int,
        max_request_seconds: float,
        host: Host,
        *,
        heartbeat: Heartbeat | None = None,
        passed: Callable[[], None] = lambda: None,
    ) -> None:
        """`max_request_seconds` is the longest that one request may take; `passed` is called after each pass."""
        self._queue = queue
        self._poll = poll
        self._stall_timeout = max_request_seconds + STALLED
        self._host = host
        self._passed = passed
        self._changed = host.condition()
        self._stopping = False
        self._heartbeat = heartbeat or Heartbeat(host)
        self._threads = [host.thread(f"poll-{n}", self._run) for n in range(workers)]

    def add(self, source: DataSource, entry: QueueEntry | None = None, *, is_syncing: bool = False) -> None:
        """Take on a source, due when it was where it was polled before, and soon where it is known to be syncing."""
        with self._changed:
            self._queue.add(source, self._host.monotonic(), entry, is_syncing=is_syncing)
            self._changed.notify()

    def remove(self, source: DataSource) -> None:
        """Poll a source no more."""
        with self._changed:
            self._queue.remove(source)

    def entries(self) -> dict[str, QueueEntry]:
        """Give where each source that was polled stands."""
        with self._changed:
            return self._queue.entries(self._host.monotonic())

    def polled(self) -> tuple[int, int]:
        """Count the sources that have been polled, and all."""
        with self._changed:
            return len(self._queue) - self._queue.unpolled, len(self._queue)

    def watched(self) -> int:
        """Count the sources."""
        with self._changed:
            return len(self._queue)

    def start(self) -> None:
        """Begin to poll."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let no further poll begin; returns at once."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def join(self, deadline: float) -> bool:
        """Wait for the polls in flight until a moment of the monotonic clock; False when some are still at it."""
        started = [thread for thread in self._threads if thread.ident is not None]
        for thread in started:
            thread.join(max(0.0, deadline - self._host.monotonic()))
        return not any(thread.is_alive() for thread in started)

    def lag(self) -> float:
        """Give how late the most overdue source is, in seconds."""
        with self._changed:
            return self._queue.lag(self._host.monotonic())

    def unhealthy(self) -> str | None:
        """Say why polling has stalled or died; None when it has not."""
        dead = sum(thread.ident is not None and not thread.is_alive() for thread in self._threads)
        if dead and not self._stopping:
            return f"{dead} of {len(self._threads)} poll workers have died"
        silent = self._heartbeat.silence()
        with self._changed:
            busy = bool(self._queue.in_flight) or self._queue.lag(self._host.monotonic()) > self._stall_timeout
        if busy and silent > self._stall_timeout:
            return f"polling has stalled: no sign of life for {silent:.0f} seconds"
        return None

    def unready(self) -> str | None:
        """Say why the first pass has not ended; None when it has."""
        with self._changed:
            return self._queue.unready

    def has_succeeded(self) -> bool:
        """Tell whether any poll ever worked."""
        with self._changed:
            return self._queue.has_succeeded

    def _run(self) -> None:
        try:
            self._work()
        except StoppedError:
            self.stop()

    def _work(self) -> None:
        while (source := self._next()) is not None:
            outcome = self._poll(source)
            with self._changed:
                self._queue.complete(source, outcome, self._host.monotonic())
                is_end = self._queue.end_pass()
                self._changed.notify()
            if is_end:
                self._passed()

    def _next(self) -> DataSource | None:
        with self._changed:
            while not self._stopping:
                now = self._host.monotonic()
                source = self._queue.pop(now)
                self._heartbeat.beat()
                if source is not None:
                    return source
                self._changed.wait(self._queue.wait(now))
            return None

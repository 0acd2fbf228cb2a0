"""The threads that poll the data sources of one target, and the check that polling has not stalled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import structlog

from exporter.errors import StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.domain.model import DataSource
    from exporter.polling.poller import PollOutcome
    from exporter.polling.queue import PollQueue
    from exporter.polling.queue_entry import QueueEntry
    from exporter.runtime import Clock, Host

STALL_GRACE = 60.0  # polling has stalled after this many seconds without activity, plus the longest possible request

logger = structlog.get_logger()


class Poll(Protocol):
    """The type of a function that polls one source, like `Poller.poll`."""

    def __call__(self, source: DataSource, *, catch_up: bool) -> PollOutcome:
        """Poll the source; with `catch_up`, also read the next part of the unread jobs."""


class Heartbeat:
    """The time of the last activity of a target.

    A target is active when a worker asks the queue for work, when a request ends, or when a request waits for the rate
    limiter.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = clock.monotonic()

    def beat(self) -> None:
        """Record activity."""
        self._last = self._clock.monotonic()

    def silence(self) -> float:
        """Return the seconds since the last activity."""
        return self._clock.monotonic() - self._last


class PollWorkers:
    """Polls the sources of one target with a fixed number of threads until it is stopped."""

    def __init__(  # noqa: PLR0913 (what it connects)
        self,
        queue: PollQueue,
        poll: Poll,
        workers: int,
        max_request_seconds: float,
        host: Host,
        *,
        heartbeat: Heartbeat | None = None,
        on_pass_end: Callable[[], None] = lambda: None,
    ) -> None:
        """Create the threads; `max_request_seconds` is the longest duration of one request."""
        self._queue = queue
        self._poll = poll
        self._stall_timeout = max_request_seconds + STALL_GRACE
        self._host = host
        self._on_pass_end = on_pass_end
        self._changed = host.condition()
        self._stopping = False
        self._heartbeat = heartbeat or Heartbeat(host)
        self._threads = [host.thread(f"poll-{n}", self._run) for n in range(workers)]

    def add(
        self,
        source: DataSource,
        entry: QueueEntry | None = None,
        *,
        is_syncing: bool = False,
        poll_age: float | None = None,
    ) -> None:
        """Add a source, with its entry from the queue of another target if there is one."""
        with self._changed:
            self._queue.add(source, self._host.monotonic(), entry, is_syncing=is_syncing, poll_age=poll_age)
            self._changed.notify()

    def poll_all(self, spacing: float) -> None:
        """Poll every source soon, `spacing` seconds apart, after a change that affects all of them."""
        with self._changed:
            self._queue.make_due(self._host.monotonic(), spacing)
            self._changed.notify_all()

    def poll_another(self) -> bool:
        """Poll a source that is not failing soon; return False if none waits."""
        with self._changed:
            found = self._queue.make_one_due(self._host.monotonic())
            self._changed.notify()
        return found

    def hint(self, source: DataSource) -> None:
        """Poll a source soon, because its sync may have been started or stopped."""
        with self._changed:
            self._queue.hint(source, self._host.monotonic())
            self._changed.notify()

    def use_idle_interval(self, seconds: float) -> None:
        """Poll idle sources at another interval."""
        with self._changed:
            self._queue.use_idle_interval(seconds, self._host.monotonic())
            self._changed.notify_all()

    def remove(self, source: DataSource) -> None:
        """Stop polling a source; a poll in flight is not interrupted."""
        with self._changed:
            self._queue.remove(source)

    def entries(self) -> dict[str, QueueEntry]:
        """Return the queue entries of all polled sources, for the queue of another target."""
        with self._changed:
            return self._queue.entries(self._host.monotonic())

    def polled(self) -> tuple[int, int]:
        """Return the number of sources that have been polled, and the number of all sources."""
        with self._changed:
            return len(self._queue.progress.polled()), len(self._queue.progress)

    def watched(self) -> int:
        """Return the number of sources."""
        with self._changed:
            return len(self._queue.progress)

    def start(self) -> None:
        """Start polling."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Start no further polls; return immediately."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def join(self, deadline: float) -> bool:
        """Wait for the polls in flight until `deadline` on the monotonic clock; return whether all have ended."""
        started = [thread for thread in self._threads if thread.ident is not None]
        for thread in started:
            thread.join(max(0.0, deadline - self._host.monotonic()))
        return not any(thread.is_alive() for thread in started)

    def lag(self) -> float:
        """Return the seconds by which the most overdue source is late."""
        with self._changed:
            return self._queue.lag(self._host.monotonic())

    def unhealthy(self) -> str | None:
        """Return why polling does not work; None if it does.

        Without activity, polling has stalled if a poll is in flight or a source is long overdue. A slow request is
        healthy, and so is a target whose next poll is due in an hour.
        """
        dead = sum(thread.ident is not None and not thread.is_alive() for thread in self._threads)
        if dead and not self._stopping:
            return f"{dead} of {len(self._threads)} poll workers have died"
        silence = self._heartbeat.silence()
        with self._changed:
            has_work = bool(self._queue.in_flight) or self._queue.lag(self._host.monotonic()) > self._stall_timeout
        if has_work and silence > self._stall_timeout:
            return f"polling has stalled: no activity for {silence:.0f} seconds"
        return None

    def unready(self) -> str | None:
        """Return why the first pass has not ended; None once it has."""
        with self._changed:
            return self._queue.progress.unready

    def has_succeeded(self) -> bool:
        """Return whether any poll has succeeded."""
        with self._changed:
            return self._queue.progress.has_succeeded

    def _run(self) -> None:
        try:
            self._poll_until_stopped()
        except StoppedError:
            self.stop()

    def _poll_until_stopped(self) -> None:
        while (poll := self._next()) is not None:
            source, is_step = poll
            outcome = self._poll(source, catch_up=is_step)
            with self._changed:
                self._queue.complete(source, outcome, self._host.monotonic())
                is_pass_end = self._queue.progress.end()
                self._changed.notify()
            if is_pass_end:
                self._on_pass_end()

    def _next(self) -> tuple[DataSource, bool] | None:
        """Wait until a source is due; return the source and whether to catch up, or None when stopped."""
        with self._changed:
            while not self._stopping:
                now = self._host.monotonic()
                source = self._queue.pop(now)
                self._heartbeat.beat()
                if source is not None:
                    return source, self._queue.is_step(source)
                self._changed.wait(self._queue.next_delay(now))
            return None

"""When each source is polled, and how much at once."""

from __future__ import annotations

import heapq
import threading
import time
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from exporter.model import Clock, DataSource
    from exporter.poller import Outcome

BACKOFF_CAP = 900.0
STALLED = 60.0  # seconds beyond one request's longest life after which a silent poll loop counts as dead

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Intervals:
    """Seconds between the starts of two polls: of a source with a sync in progress, and of a quiet one."""

    active: float
    idle: float


class SystemClock:
    """The host's clocks."""

    monotonic = staticmethod(time.monotonic)
    time = staticmethod(time.time)


class Agenda:
    """Which source is due next; a source in flight is on nobody's list. Pure: told the time, it never asks."""

    def __init__(self, intervals: Intervals, spacing: float, random: Random) -> None:
        """`spacing` are the seconds between the first polls of sources that are added together."""
        self._intervals = intervals
        self._spacing = spacing
        self._random = random
        self._due: list[tuple[float, int, DataSource]] = []
        self._order = count()
        self._members: set[str] = set()
        self._failures: dict[str, int] = {}
        self._first_pass: set[str] = set()
        self._next_first = 0.0
        self._succeeded = False
        self.in_flight: dict[str, float] = {}

    def __len__(self) -> int:
        """Count the sources."""
        return len(self._members)

    def add(self, source: DataSource, now: float) -> None:
        """Take on a source, due as soon as those added before it leave room."""
        key = str(source.id)
        self._members.add(key)
        self._first_pass.add(key)
        due = max(now, self._next_first)
        self._next_first = due + self._spacing
        if key not in self.in_flight:
            self._put(due, source)

    def remove(self, source: DataSource) -> None:
        """Let go of a source, though it may be in flight."""
        key = str(source.id)
        self._members.discard(key)
        self._first_pass.discard(key)
        self._failures.pop(key, None)
        self._due = [entry for entry in self._due if entry[2].id != source.id]
        heapq.heapify(self._due)

    def take(self, now: float) -> DataSource | None:
        """Hand out the most overdue source, or None when none is due yet."""
        if not self._due or self._due[0][0] > now:
            return None
        _, _, source = heapq.heappop(self._due)
        self.in_flight[str(source.id)] = now
        return source

    def done(self, source: DataSource, outcome: Outcome, now: float) -> None:
        """Take a source back and decide when it is due again."""
        key = str(source.id)
        started = self.in_flight.pop(key)
        if key not in self._members:
            return
        self._first_pass.discard(key)
        self._succeeded |= outcome.succeeded
        interval = self._intervals.active if outcome.in_progress else self._intervals.idle
        if outcome.succeeded:
            self._failures.pop(key, None)
            self._put(max(now, started + interval), source)
        else:
            self._failures[key] = self._failures.get(key, 0) + 1
            self._put(now + self._backoff(self._failures[key]), source)

    def wait(self, now: float) -> float | None:
        """Give the seconds until a source is due; None when none is waiting."""
        return max(0.0, self._due[0][0] - now) if self._due else None

    def lag(self, now: float) -> float:
        """Give how late the most overdue source is, in seconds."""
        return max(0.0, now - self._due[0][0]) if self._due else 0.0

    @property
    def unready(self) -> str | None:
        """Say why the first pass has not ended; None when it has."""
        return f"{len(self._first_pass)} data sources not polled yet" if self._first_pass else None

    @property
    def has_succeeded(self) -> bool:
        """Tell whether any poll ever worked."""
        return self._succeeded

    def _backoff(self, failures: int) -> float:
        # The first retry comes well before the next regular poll; later ones leave a struggling service alone.
        delay = min(BACKOFF_CAP, self._intervals.active / 4 * 2.0 ** min(failures - 1, 30))
        return delay * self._random.uniform(0.5, 1.0)

    def _put(self, due: float, source: DataSource) -> None:
        heapq.heappush(self._due, (due, next(self._order), source))


class Budget:
    """A ceiling on requests per second, kept by giving each its own moment."""

    def __init__(self, rate: float, clock: Clock, stop: threading.Event) -> None:
        self._gap = 1.0 / rate
        self._clock = clock
        self._stop = stop
        self._mutex = threading.Lock()
        self._next = clock.monotonic()

    def admit(self) -> None:
        """Wait for the next free moment; returns at once when the program is stopping."""
        with self._mutex:
            now = self._clock.monotonic()
            moment = max(now, self._next)
            self._next = moment + self._gap
        self._stop.wait(moment - now)


class Scheduler:
    """Polls the sources of one target with a fixed number of workers until stopped."""

    def __init__(
        self,
        agenda: Agenda,
        poll: Callable[[DataSource], Outcome],
        workers: int,
        patience: float,
        clock: Clock,
    ) -> None:
        """`patience` is the longest that a single request may take, in seconds."""
        self._agenda = agenda
        self._poll = poll
        self._patience = patience + STALLED
        self._clock = clock
        self._changed = threading.Condition()
        self._stopping = False
        self._alive_at = clock.monotonic()
        self._threads = [threading.Thread(target=self._work, name=f"poll-{n}", daemon=True) for n in range(workers)]

    def add(self, source: DataSource) -> None:
        """Take on a source."""
        with self._changed:
            self._agenda.add(source, self._clock.monotonic())
            self._changed.notify()

    def remove(self, source: DataSource) -> None:
        """Poll a source no more."""
        with self._changed:
            self._agenda.remove(source)

    def watched(self) -> int:
        """Count the sources."""
        with self._changed:
            return len(self._agenda)

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
            thread.join(max(0.0, deadline - self._clock.monotonic()))
        return not any(thread.is_alive() for thread in started)

    def progress(self) -> None:
        """Note a sign of life from within a poll."""
        self._alive_at = self._clock.monotonic()

    def lag(self) -> float:
        """Give how late the most overdue source is, in seconds."""
        with self._changed:
            return self._agenda.lag(self._clock.monotonic())

    def unhealthy(self) -> str | None:
        """Say why polling has stalled or died; None when it has not."""
        dead = sum(thread.ident is not None and not thread.is_alive() for thread in self._threads)
        if dead and not self._stopping:
            return f"{dead} of {len(self._threads)} poll workers have died"
        silent = self._clock.monotonic() - self._alive_at
        with self._changed:
            busy = bool(self._agenda.in_flight) or self._agenda.lag(self._clock.monotonic()) > self._patience
        if busy and silent > self._patience:
            return f"polling has stalled: no sign of life for {silent:.0f} seconds"
        return None

    def unready(self) -> str | None:
        """Say why the first pass has not ended; None when it has."""
        with self._changed:
            return self._agenda.unready

    def has_succeeded(self) -> bool:
        """Tell whether any poll ever worked."""
        with self._changed:
            return self._agenda.has_succeeded

    def _work(self) -> None:
        while (source := self._next()) is not None:
            outcome = self._poll(source)
            with self._changed:
                self._agenda.done(source, outcome, self._clock.monotonic())
                self._changed.notify()

    def _next(self) -> DataSource | None:
        with self._changed:
            while not self._stopping:
                now = self._clock.monotonic()
                source = self._agenda.take(now)
                self._alive_at = now
                if source is not None:
                    return source
                self._changed.wait(self._agenda.wait(now))
            return None

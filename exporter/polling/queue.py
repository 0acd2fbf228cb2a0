"""The poll queue, which decides when each data source is polled.

It is pure: the caller passes the time, and the queue never waits.

A source is active if a sync is in progress or due, and idle otherwise. As long as the rate limit allows all polls in
time, the order hardly matters. If it does not, sources with a hint that a sync was started or stopped come first, then
the other active ones, then idle ones (`Priorities`). The metrics of active sources are about to change, and an operator
probably waits for a sync with a hint. Within a kind, the most overdue source comes first.

Example: one poll per second, 240 active sources and 600 idle ones, which is too much for intervals of 60 and 300
seconds. Of five polls, four are of active sources and one is of an idle source. So each active source is polled every
5 minutes, and each idle one every 50 minutes.

An idle source with a schedule waits in two queues. Its entry among the idle sources is due after the idle interval, and
its entry among the active ones when its schedule has fired. Without the second entry, the poller would see a scheduled
sync late whenever polls of idle sources are late. Both entries have the same ticket, which is valid once: popping one
of them invalidates the other.

A source that this process has not polled yet waits for its initial poll (`InitialQueue`).

A hint adds an entry in the queue of hinted sources (`Hints`). The poll finds out whether the hint is true: the source
stays hinted while it is active, and is idle afterwards.

A source that is behind has a further entry, for the next step of its catch-up (`StepQueue`). It is polled at its usual
intervals meanwhile.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

from exporter.polling.backoff import BACKOFF_CAP, Backoff
from exporter.polling.hints import Hints
from exporter.polling.initial_queue import InitialQueue
from exporter.polling.pass_progress import PassProgress
from exporter.polling.priorities import Priorities
from exporter.polling.queue_entry import QueueEntry
from exporter.polling.ticket_queue import StepQueue, TicketQueue

if TYPE_CHECKING:
    from random import Random

    from exporter.domain.model import DataSource
    from exporter.polling.poller import PollOutcome
    from exporter.polling.queue_entry import Intervals


class PollQueue:
    """The data sources of a target by due time; each either waits or is in flight."""

    def __init__(self, intervals: Intervals, spacing: float, random: Random, workers: int = 1) -> None:
        """Start empty; `spacing` is the seconds between the initial polls of sources that are added together."""
        self._intervals = intervals
        self._ticket_numbers = count()
        self._tickets: dict[str, int] = {}
        self._hinted, self._active, self._idle = (TicketQueue(self._tickets) for _ in range(3))
        self._steps = StepQueue(self._tickets, workers)
        self._priorities = Priorities()
        self._backoff = Backoff(intervals.active / 4, random)
        self._initial = InitialQueue(self._tickets, spacing)
        self._late_since: dict[str, float] = {}
        self._hints = Hints(intervals.active)
        self._due_again: set[str] = set()  # sources that became due again during their poll
        self.progress = PassProgress()
        """The sources, and which of them were polled."""
        self.in_flight: dict[str, float] = {}
        """The start of the poll of each source in flight."""

    def add(
        self,
        source: DataSource,
        now: float,
        entry: QueueEntry | None = None,
        *,
        is_syncing: bool = False,
        poll_age: float | None = None,
    ) -> None:
        """Add a source.

        With the entry of another queue, it is due as it was there. Otherwise it gets an initial poll. `poll_age` is the
        seconds since another process polled it; None if no process has. If it is negative, the host's clock was set
        back since then, and only the order of the ages is meaningful.
        """
        key = str(source.id)
        self.progress.add(key, is_polled=entry is not None)
        if key not in self.in_flight:  # else it was removed during its poll, and is queued when that completes
            self._tickets[key] = next(self._ticket_numbers)
        if entry is None:
            self._add_initial(source, now, poll_age, is_syncing=is_syncing)
        else:
            self._add_entry(source, now, entry)

    def _add_initial(self, source: DataSource, now: float, poll_age: float | None, *, is_syncing: bool) -> None:
        key = str(source.id)
        if poll_age is None:
            self._late_since[key] = self._initial.reserve_time(now)
        else:
            interval = self._intervals.active if is_syncing else self._intervals.idle
            self._late_since[key] = now - max(0.0, poll_age) + interval
        if key not in self.in_flight:
            self._initial.add(source, now, poll_age, is_syncing=is_syncing)

    def _add_entry(self, source: DataSource, now: float, entry: QueueEntry) -> None:
        key = str(source.id)
        self._backoff.restore(key, entry.failures)
        if entry.is_hinted:
            self._hints.restore(key)
        # The other queue may have had longer intervals. The time at which a schedule fires does not depend on them.
        idle, active = entry.idle, entry.active
        if idle is not None:
            idle = min(idle, now + (BACKOFF_CAP if entry.failures else self._intervals.idle))
        elif active is not None:
            active = min(active, now + self._intervals.active)
        self._late_since[key] = min((due for due in (active, idle) if due is not None), default=now)
        if key in self.in_flight:
            return
        if idle is not None:
            self._idle.put(idle, source)
        if active is not None:
            (self._hinted if entry.is_hinted else self._active).put(active, source)

    def entries(self, now: float) -> dict[str, QueueEntry]:
        """Return the entries of all sources that were polled, for another queue; sources in flight are due now."""
        active, idle = self._active.due_times() | self._hinted.due_times(), self._idle.due_times()
        active |= dict.fromkeys(self.in_flight, now)
        return {
            key: QueueEntry(
                active.get(key), idle.get(key), self._backoff.failures(key), is_hinted=self._hints.is_followed(key)
            )
            for key in self.progress.polled()
        }

    def remove(self, source: DataSource) -> None:
        """Remove a source; if it is in flight, it is not queued again."""
        key = str(source.id)
        self.progress.remove(key)
        self._backoff.reset(key)
        self._tickets.pop(key, None)
        self._late_since.pop(key, None)
        self._hints.remove(key)

    def make_due(self, now: float, spacing: float) -> None:
        """Make all sources due, `spacing` seconds apart, unless they are due earlier, and forget their failures.

        A source in flight is due when its poll completes, because that poll may not have seen what has changed.
        """
        self._backoff.clear()
        self._due_again.update(self.in_flight)
        start = now
        for queue in (self._hinted, self._active, self._idle):
            start = queue.make_due(start, spacing)

    def make_one_due(self, now: float) -> bool:
        """Make a waiting source due whose last poll did not fail; return False if there is none."""
        queues = (self._hinted, self._active, self._initial, self._idle)
        return any(queue.make_first_due(now, self._backoff.failing) for queue in queues)

    def hint(self, source: DataSource, now: float) -> None:
        """Make a source due as a hinted one, unless it is in back-off."""
        key = str(source.id)
        if key not in self.progress or self._backoff.failures(key):
            return
        due = self._hints.add(key, now)
        if due is not None and key not in self.in_flight:
            self._hinted.put(due, source)
            self._late_since[key] = min(self._late_since[key], due)

    def use_idle_interval(self, seconds: float, now: float) -> None:
        """Poll idle sources at another interval; if it is shorter, the rest of the current one shrinks in proportion.

        So the polls stay spread out. No two polls of a source are closer together than the shorter interval, even if
        the interval changes every minute.
        """
        share = seconds / self._intervals.idle
        self._intervals = replace(self._intervals, idle=seconds)
        if share < 1.0:
            due_times = self._idle.bring_forward(
                now, share, lambda key: self._hints.last_start(key) + seconds, self._backoff.failing
            )
            for key, due in due_times.items():
                self._late_since[key] = min(self._late_since[key], due)

    def pop(self, now: float) -> DataSource | None:
        """Return the source to poll next, which is in flight from then on; None if no source is due."""
        due: list[TicketQueue] = [queue for queue in (self._hinted, self._active) if queue.due <= now]
        if self._initial.due <= now:
            due.append(self._initial)
        elif self._idle.due <= now:
            due.append(self._idle)
        is_step = self._steps.is_next(now, other_polls=bool(due))
        if not due and not is_step:
            return None
        queue = self._steps if is_step else self._priorities.select(due)
        if queue is self._initial:
            self._initial.delay_next(now)
        source = queue.pop()
        del self._tickets[str(source.id)]
        self.in_flight[str(source.id)] = now
        self._hints.poll_started(str(source.id), now)
        return source

    def is_step(self, source: DataSource) -> bool:
        """Return whether the poll in flight of a source is a step of its catch-up."""
        return str(source.id) in self._steps.in_flight

    def complete(self, source: DataSource, outcome: PollOutcome, now: float) -> None:
        """Queue a source after its poll. The interval runs from the start of the poll, a back-off from its end."""
        key = str(source.id)
        started, is_due_again = self.in_flight.pop(key), key in self._due_again
        self._due_again.discard(key)
        self._steps.in_flight.discard(key)
        if key not in self.progress:
            return
        self._tickets[key] = next(self._ticket_numbers)
        self.progress.complete(key, succeeded=outcome.succeeded)
        is_hinted = self._hints.poll_ended(key, is_active=outcome.active)
        queue = self._hinted if is_hinted else self._active if outcome.active else self._idle
        if outcome.succeeded:
            self._backoff.reset(key)
            due = max(now, started + (self._intervals.idle if queue is self._idle else self._intervals.active))
        else:
            due = now + self._backoff.next_delay(key)
        due = now if is_due_again else due
        queue.put(due, source)
        self._late_since[key] = due
        if outcome.succeeded and not outcome.active and outcome.fires_in is not None:
            fires = now + outcome.fires_in + self._intervals.active
            self._active.put(fires, source)
            self._late_since[key] = min(due, fires)
        if outcome.succeeded and outcome.is_behind:
            self._steps.put(now, source)

    def next_delay(self, now: float) -> float | None:
        """Return the seconds until a source is due; None if no source waits."""
        due = min(self._hinted.due, self._active.due, self._idle.due, self._initial.due, self._steps.due)
        return None if due == math.inf else max(0.0, due - now)

    def lag(self, now: float) -> float:
        """Return the seconds by which the most overdue source is late.

        A source is late from the time at which its poll was due until that poll completes. After a restart, its poll
        was due one interval after the last poll by the previous process.
        """
        return max(0.0, now - min(self._late_since.values(), default=now))

"""A simulated account: its fleet, its service, what is wrong with either, and what was really asked and answered."""

from __future__ import annotations

import json
from bisect import bisect_left, insort
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.simulator.api import Api
from exporter.simulator.service import Service
from exporter.simulator.wire import Call, Request, Response, ServiceError, answer

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from exporter.simulator.fleet import Fleet
    from virtual.timeline import Timeline
    from virtual.trace import Trace

SYNC_JOBS = "ListDataSourceSyncJobs"


@dataclass(frozen=True, slots=True)
class TimelineClock:
    """The service's clock: the only one that is always right."""

    timeline: Timeline

    def now(self) -> float:
        """Give seconds since the epoch."""
        return self.timeline.now


class LaggingApi(Api):
    """The API as replicas have it: now and then an answer is older than the one before, or has a job in two states."""

    lag = 0.0
    is_double = False

    def handle(self, request: Request, now: float) -> Response:
        """Answer a request as it would have been a while ago."""
        if self.is_double and self.understand(request).operation == SYNC_JOBS:
            return self._twice(request, now)
        return super().handle(request, now - self.lag)

    def _twice(self, request: Request, now: float) -> Response:
        fresh = super().handle(request, now)
        try:
            stale = json.loads(super().handle(request, now - 900.0).body)["history"]
        except ServiceError:
            return fresh
        data = json.loads(fresh.body)
        return answer({**data, "history": [*stale, *data["history"]]})


@dataclass(slots=True)
class Witness:
    """What was really answered about one data source."""

    usable: list[float] = field(default_factory=list)
    looked: float | None = None
    lied_until: float = float("-inf")
    durations_lost: bool = False
    documents_lost: bool = False

    def near(self, moment: float, tolerance: float) -> bool:
        """Tell whether an answer that could be used was made about then."""
        at = bisect_left(self.usable, moment - tolerance)
        return at < len(self.usable) and self.usable[at] <= moment + tolerance


class Account:
    """What a target is connected to."""

    def __init__(self, name: str, fleet: Fleet, timeline: Timeline, dice: Random, trace: Trace) -> None:
        self.name = name
        self.endpoint = f"http://{name}.example"
        self.fleet = fleet
        self.timeline = timeline
        self.dice = dice
        self.trace = trace
        unpromised = {
            "order": dice.choice(("newest", "newest", "oldest", "shuffled")),
            "reading": dice.choice(("start", "overlap")),
            "pages": dice.choice(("shifting", "stable")),
        }
        self.service = Service(fleet, TimelineClock(timeline), **unpromised)
        self.service.api = self.api = LaggingApi(fleet, **unpromised)
        self.cut_until = 0.0
        self.sts_works = True
        self.usual = dice.choice((0.02, 0.08, 0.3))
        self.witnesses: dict[str, Witness] = defaultdict(Witness)
        self.attempts: dict[str, deque[float]] = defaultdict(deque)
        self.on_attempt: Callable[[str, deque[float]], None] = lambda _target, _moments: None
        trace.note("account", name, sorted(unpromised.items()))

    def is_cut(self) -> bool:
        """Tell whether nothing gets through."""
        return self.timeline.now < self.cut_until

    def latency(self) -> float:
        """Give the seconds that an answer takes."""
        return self.usual * self.dice.uniform(0.5, 2.0)

    def account(self) -> str | None:
        """Give what STS says."""
        return self.fleet.account if self.sts_works and not self.is_cut() else None

    def sent(self, target: str) -> None:
        """Take note of an attempt, for the budget."""
        moments = self.attempts[target]
        moments.append(self.timeline.now)
        while moments[0] <= self.timeline.now - 10.0:
            moments.popleft()
        self.on_attempt(target, moments)

    def answered(self, target: str, call: Call, code: str, *, is_usable: bool) -> None:
        """Take note of what an attempt came to."""
        self.trace.note("request", target, call.operation, call.data_source_id, call.page, code, is_usable)
        if is_usable and call.operation == SYNC_JOBS:
            insort(self.witnesses[call.data_source_id].usable, self.timeline.now)

    def lie(self, source: str | None, until: float, *, about_ends: bool = False, about_figures: bool = False) -> None:
        """Take note that answers about a source, or all, are not to be trusted until a moment."""
        names = [source] if source else [source.id for _, _, source in self.fleet.data_sources()]
        for name in names:
            witness = self.witnesses[name]
            witness.lied_until = max(witness.lied_until, until)
            # A job is read again for hours and not for ever: what it told wrong until then is not made good.
            witness.durations_lost |= about_ends
            witness.documents_lost |= about_figures

    def all_seen(self) -> bool:
        """Tell whether every source has been looked at once: before, a lie would be taken for history."""
        return all(self.witnesses[source.id].looked is not None for _, _, source in self.fleet.data_sources())

    def clear(self) -> None:
        """Let everything work again."""
        self.service.faults.clear()
        self.cut_until, self.sts_works = 0.0, True
        self.api.lag, self.api.is_double = 0.0, False

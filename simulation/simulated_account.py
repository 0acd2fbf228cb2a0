"""A simulated account: its fleet, its service, what is wrong with either, and what was really asked and answered."""

from __future__ import annotations

import json
from bisect import bisect_left, insort
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.simulator.api import Api
from exporter.simulator.service import SimulatedService
from exporter.simulator.wire import ApiCall, Request, Response, ServiceError, json_response

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from exporter.simulator.faults import Fault
    from exporter.simulator.fleet import Fleet
    from simulation.trace import Trace
    from simulation.virtual_clock import VirtualClock

SYNC_JOBS = "ListDataSourceSyncJobs"
_TRACE_NAMES = {"time_filter": "reading", "paging": "pages"}
MINUTES = 900.0  # seconds by which an answer may be old where something is looked at for the first time
LONGEST_LOOK = 3600.0  # seconds that a first look may take
ON_ITS_WAY = 30.0  # seconds that an answer may take
IndexFigures = tuple[int, int, int]  # documents, bytes of text, units of capacity


@dataclass(frozen=True, slots=True)
class TimelineClock:
    """The service's clock: the only one that is always right."""

    timeline: VirtualClock

    def now(self) -> float:
        """Give seconds since the epoch."""
        return self.timeline.now


class LaggingApi(Api):
    """The API as replicas have it: answers are `lag` seconds old, or have jobs as now and as `twice` seconds ago.

    Where a replica stands still, all is as it was at that moment.
    """

    lag = 0.0
    twice = 0.0
    frozen_at: float | None = None

    def handle(self, request: Request, now: float) -> Response:
        """Answer a request as it would have been a while ago."""
        if self.twice and self.parse_call(request).operation == SYNC_JOBS:
            return self._twice(request, now)
        return super().handle(request, now - self.lag if self.frozen_at is None else self.frozen_at)

    def _twice(self, request: Request, now: float) -> Response:
        fresh = super().handle(request, now)
        try:
            stale = json.loads(super().handle(request, now - self.twice).body)["history"]
        except ServiceError:
            return fresh
        data = json.loads(fresh.body)
        return json_response({**data, "history": [*stale, *data["history"]]})


@dataclass(slots=True)
class Witness:
    """What was really answered about one data source; `stale` is how old the first look at it may have been."""

    usable: list[float] = field(default_factory=list)
    looked: float | None = None
    stale: float = 0.0
    lied_until: float = float("-inf")
    durations_lost: bool = False
    documents_lost: bool = False

    def near(self, moment: float, tolerance: float) -> bool:
        """Tell whether an answer that could be used was made about then."""
        at = bisect_left(self.usable, moment - tolerance)
        return at < len(self.usable) and self.usable[at] <= moment + tolerance


class Account:
    """What a target is connected to."""

    def __init__(self, name: str, fleet: Fleet, timeline: VirtualClock, dice: Random, trace: Trace) -> None:
        self.name = name
        self.endpoint = f"http://{name}.example"
        self.fleet = fleet
        self.timeline = timeline
        self.dice = dice
        self.trace = trace
        unpromised = {
            "order": dice.choice(("newest", "newest", "oldest", "shuffled")),
            "time_filter": dice.choice(("start", "overlap")),
            "paging": dice.choice(("shifting", "stable")),
        }
        self.service = SimulatedService(fleet, TimelineClock(timeline), **unpromised)
        self.service.api = self.api = LaggingApi(fleet, **unpromised)
        self.cut_until = 0.0
        self.sts_works = True
        self._lies: list[Fault] = []
        self._stale: list[tuple[float, float]] = []
        self._figures: dict[str, list[tuple[float, IndexFigures]]] = defaultdict(list)
        self._described: dict[str, list[float]] = defaultdict(list)
        self.usual = dice.choice((0.02, 0.08, 0.3))
        self.witnesses: dict[str, Witness] = defaultdict(Witness)
        self.attempts: dict[str, deque[float]] = defaultdict(deque)
        self.on_attempt: Callable[[str, deque[float]], None] = lambda _target, _moments: None
        self.note_figures()
        trace.note("account", name, sorted((_TRACE_NAMES.get(name, name), value) for name, value in unpromised.items()))

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

    def answered(self, target: str, call: ApiCall, code: str, *, is_usable: bool) -> None:
        """Take note of what an attempt came to."""
        self.trace.note("request", target, call.operation, call.data_source_id, call.page, code, is_usable)
        if is_usable and call.operation == SYNC_JOBS:
            insort(self.witnesses[call.data_source_id].usable, self.timeline.now)
        elif is_usable and call.operation == "GetIndex":
            self._described[call.index_id].append(self.timeline.now)

    def note_figures(self) -> None:
        """Take note of what the indexes hold from now on."""
        for application in self.fleet.applications:
            for index in application.indexes:
                figures = (index.documents, index.text_bytes, index.units)
                self._figures[index.id].append((self.timeline.now, figures))

    def has_index(self, index_id: str) -> bool:
        """Tell whether an index is one of this account's."""
        return index_id in self._figures

    def figures_said(self, index_id: str, since: float) -> set[tuple[int, ...]]:
        """Give what was said of an index by the last answer before a moment, and by any after it: its limits too."""
        described = self._described[index_id]
        first = max(0, bisect_left(described, since) - 1)
        said: set[tuple[int, ...]] = set()
        for answered in described[first:]:
            held = self._figures[index_id]
            ends = [moment for moment, _ in held[1:]] + [float("inf")]
            said |= {
                (*figures, figures[2] * 20_000, figures[2] * 200_000_000)
                for (begins, figures), end in zip(held, ends, strict=True)
                if begins <= answered and end >= answered - ON_ITS_WAY
            }
        return said

    def looked(self, source: str) -> None:
        """Take note that a data source has been looked at for the first time."""
        witness, now = self.witnesses[source], self.timeline.now
        witness.looked = now
        witness.stale = max((seconds for until, seconds in self._stale if now < until + LONGEST_LOOK), default=0.0)

    def lie(self, source: str | None, until: float, *, about_ends: bool = False, about_figures: bool = False) -> None:
        """Take note that answers about a source, or all, are not to be trusted until a moment."""
        names = [source] if source else [source.id for _, _, source in self.fleet.data_sources()]
        for name in names:
            witness = self.witnesses[name]
            witness.lied_until = max(witness.lied_until, until)
            # A job is read again for hours and not for ever: what it told wrong until then is not made good.
            witness.durations_lost |= about_ends
            witness.documents_lost |= about_figures

    def all_seen(self) -> float | None:
        """Give by when every source has been looked at once: before, a lie would be taken for history."""
        looked = [self.witnesses[source.id].looked for _, _, source in self.fleet.data_sources()]
        return None if None in looked else max((moment for moment in looked if moment), default=self.timeline.started)

    def answer_twice(self, seconds: float, until: float) -> None:
        """List jobs also as they were so long ago, until a moment."""
        self.api.twice = seconds
        self._stale.append((until, seconds))

    def add_lie(self, kind: str, source: str | None, until: float) -> None:
        """Have what is said of the jobs of a source, or of all, changed until a moment."""
        fault = self.service.faults.add(kind, operation=SYNC_JOBS, data_source_id=source, until=until)
        self._lies.append(fault)

    def be_current(self) -> None:
        """Have every answer say how things are."""
        self.api.lag, self.api.twice, self.api.frozen_at = 0.0, 0.0, None

    @property
    def is_believable(self) -> bool:
        """Tell whether a first look would be told how things are, but for minutes."""
        now = self.timeline.now
        lies = any(fault.until is not None and now < fault.until for fault in self._lies)
        return not (lies or self.api.lag or self.api.frozen_at or self.api.twice > MINUTES)

    def restore_correct_data(self) -> None:
        """Lie no more: somebody has to look at everything as if for the first time."""
        for fault in self._lies:
            self.service.faults.remove(fault)
        self._lies.clear()
        self.be_current()

    def clear(self) -> None:
        """Let everything work again."""
        self.restore_correct_data()
        self.service.faults.clear()
        self.cut_until, self.sts_works = 0.0, True

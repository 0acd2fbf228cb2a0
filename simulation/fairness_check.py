"""The invariant of crash loops: even a process that crashes again and again polls every data source.

A life is too short to poll all data sources. So each life must first poll the data sources whose last attempt is the
longest time ago. A data source is overtaken if a life does not begin its poll, but polls another one that was already
polled while the first one waited.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from exporter.polling.priorities import LOWER_SHARE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from simulation.process import Process
    from simulation.state import WeekState

# A source with a sync in progress is polled this much more often, and several workers may change the order of polls.
MAX_OVERTAKEN = LOWER_SHARE + 2


class FairnessCheck:
    """Counts how often data sources are polled while others wait."""

    def __init__(self, state: WeekState) -> None:
        self._state = state
        self._process: Process | None = None
        self._logged: list[int] = []
        self._polled: Mapping[str, float] = {}
        self._attempted: Mapping[str, float] = {}
        # For each waiting data source: how often each other one was polled meanwhile.
        self._waiting: dict[str, Counter[str]] = {}

    def reset(self) -> None:
        """Start over, after a change of the configuration."""
        self._waiting.clear()

    def process_started(self, process: Process) -> None:
        """Record the start of a life."""
        self._process = process
        self._logged = [len(account.service.requests) for account in self._state.accounts]

    def process_ended(self, polled: Mapping[str, float], attempted: Mapping[str, float]) -> None:
        """Check a life; `polled` and `attempted` are the last polls and attempts in the state file at its end.

        A poll that is not in the state file does not count, because the next life does not know it.
        """
        process = self._process
        if process is None:
            return
        if self._was_impaired(process):
            self.reset()
        fresh = {source for source, moment in polled.items() if moment > self._polled.get(source, 0.0)}
        begun = self._requested() | {source for source in attempted if attempted[source] != self._attempted.get(source)}
        self._polled, self._attempted = polled, attempted
        watched = process.watched()
        self._waiting = {source: self._waiting.get(source, Counter()) for ids in watched.values() for source in ids}
        for source in begun & self._waiting.keys():
            self._waiting[source].clear()
        for target, sources in sorted(watched.items()):
            for source in sorted(sources - begun):
                self._wait(target, source, fresh & sources)

    def _was_impaired(self, process: Process) -> bool:
        """Return whether requests did not reach the service, or polls did not reach the state file."""
        accounts = self._state.accounts
        is_cut = any(max(each.cut_until, each.credentials.works_since) > process.started for each in accounts)
        return is_cut or process.has_unwritten() or self._state.disk_full_until > process.started

    def _requested(self) -> set[str]:
        """Return the data sources with a request in this life."""
        return {
            logged.call.data_source_id
            for account, first in zip(self._state.accounts, self._logged, strict=True)
            for logged in account.service.requests[first:]
            if logged.call.data_source_id
        }

    def _wait(self, target: str, source: str, fresh: AbstractSet[str]) -> None:
        meanwhile = self._waiting[source]
        meanwhile.update(fresh)
        overtaken = max(meanwhile.values(), default=0) - 1
        assert overtaken < MAX_OVERTAKEN, f"{target} does not poll {source} in a crash loop, and others again and again"

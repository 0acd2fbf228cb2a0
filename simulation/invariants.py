"""What must hold at every scrape, and what must be true at the end when everything has healed."""

from __future__ import annotations

import sqlite3
from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from exporter.config.durations import parse_duration
from exporter.polling.lookback import FULL_REREAD_INTERVAL
from exporter.store import codec
from simulation import oracle
from simulation.page import OPENMETRICS, Scrape, parse_strictly, read_series, say_the_same, scrape
from simulation.scrape_checks import ALONE, UP, WINDOW, SourceCheck

if TYPE_CHECKING:
    from exporter.domain.source_history import SourceHistory
    from simulation.fleet import PlannedSource
    from simulation.process import Process
    from simulation.simulated_account import Account
    from simulation.state import WeekState

BOTH_EACH, STRICTLY_EACH = 3, 18  # scrapes: the real parsers take longer than all the rest
SECOND_THOUGHTS = 600.0  # seconds that a reread may take to begin and to end
LATE = 2400.0  # seconds by which a poll may be late under troubles that do not make it fail
LATE_TURN = 1200.0  # seconds by which a poll may be late where nothing is wrong, for want of budget
LONGEST_ROUND = 600.0  # seconds that a round of discovery may take
DISCOVERED = "qbusiness_exporter_last_successful_discovery_timestamp_seconds"
INDEX_FIGURES = tuple(
    f"qbusiness_index_{name}"
    for name in ("documents", "text_bytes", "capacity_units", "documents_limit", "text_bytes_limit")
)
UNREAD = ("qbusiness_data_source_", UP)  # what may change without a poll that works, as may what is in the window


@dataclass(slots=True)
class Before:
    """What the last scrape of the same process saw."""

    reloads: int
    sources: set[str] = field(default_factory=set)
    indexes: set[str] = field(default_factory=set)
    jobs: dict[str, tuple[float, Any]] = field(default_factory=dict)


class InvariantChecker:
    """Looks at every scrape of a world."""

    def __init__(self, state: WeekState) -> None:
        self._state = state
        self._process: Process | None = None
        self._highest: dict[str, float] = {}
        self._names: dict[str, tuple[str, str]] = {}
        self._lost = 0
        self._before: Before | None = None
        self._state_file: sqlite3.Connection | None = None
        self._ceilings: deque[tuple[float, float]] = deque()
        self._starts: deque[float] = deque()
        self._scrapes = 0
        self._widened_at = 0.0
        self._overspent = ""
        self._watched: set[str] = set()
        self.ceiling_changed()

    # What the world tells.

    def healed(self, process: Process) -> None:
        """Take note of the sources that the program knows of when everything has begun to work again."""
        targets = process.exporter.targets
        self._watched = {key.rsplit("/", 1)[1] for target in targets for key in target.poller.watched()}

    def started(self, process: Process) -> None:
        """Take note that a process has started."""
        self._process = process
        self._before = None
        self._starts.append(self._state.clock.now)

    def ended(self) -> None:
        """Take note that a process has ended."""
        if self._state_file:
            self._state_file.close()
        self._state_file = self._process = None
        for account in self._state.accounts:
            account.attempts.clear()

    def ceiling_changed(self) -> None:
        """Take note of another configuration."""
        rate = float(self._state.settings["polling"]["requests_per_second"])
        self._ceilings.append((self._state.clock.now, rate))
        self._widened_at = self._state.clock.now

    def budget(self, target: str, moments: deque[float]) -> None:
        """Take note of an attempt: no ten seconds have more than ten times the ceiling, and one for each process."""
        # What is wrong is told later, where it is not taken for the failure of a poll.
        if self._process and self._process.is_stopping:
            self._overspent = f"{target} was asked while the program stopped"
        now = self._state.clock.now
        while len(self._ceilings) > 1 and self._ceilings[1][0] < now - 10.0:
            self._ceilings.popleft()
        while self._starts and self._starts[0] < now - 10.0:
            self._starts.popleft()
        most = 10.0 * max(rate for _, rate in self._ceilings) + 1.0 + len(self._starts)
        if len(moments) > most:
            self._overspent = f"{len(moments)} requests of {target} in ten seconds, and {most:g} are allowed"

    # What every scrape is held to.

    def scrape(self, process: Process) -> Scrape:
        """Scrape a process, check everything, and give the page."""
        text = scrape(process.exporter.page)
        page = Scrape.of(text)
        self._state.trace.add(text)
        self._state.trace.note("scrape", len(page.samples))
        self._scrapes += 1
        if self._scrapes % BOTH_EACH == 0:
            openmetrics = scrape(process.exporter.page, OPENMETRICS)
            assert say_the_same(text, openmetrics), "the two formats of the page differ"
            if self._scrapes % STRICTLY_EACH == 0:
                parse_strictly(text, openmetrics)
        assert not self._overspent, self._overspent
        self._check_health(process)
        self._check_series(page)
        before = self._before or Before(self._state.reloads)
        after = Before(self._state.reloads, set(page.by_source), set(page.by_index))
        if before.reloads == after.reloads:
            gone = before.sources - after.sources - self._state.removed_sources
            gone |= before.indexes - after.indexes
            assert not gone, f"{sorted(gone)} are not shown any more, and nobody took them away"
        self._check_sources(process, page, before, after)
        self._check_indexes(process, page)
        self._before = after
        return page

    def final(self) -> None:
        """Check, where everything has healed and settled, that all is seen and all is counted."""
        process, now = self._process, self._state.clock.now
        assert process is not None
        page = self.scrape(process)
        for account, source in self._expected():
            assert source.id in page.by_source, f"{source.name} is not shown at the end"
            sight = SourceCheck(account, source, page.by_source[source.id], None, now)
            assert sight.is_up, f"{source.name} is not polled at the end"
            assert now - sight.polled <= self._idle() + 600, f"{source.name} was last polled at {sight.polled}"
            assert self._is_trusted(sight), "the end comes too soon after the last lie"
            self._check_turns(account, source)
        for target in self._state.settings["targets"]:
            name = target["name"]
            named = {source["data_source_id"] for source in target.get("data_sources", ())}
            whole = () if named & self._state.removed_sources else ("qbusiness_exporter_discovery_success",)
            for family in ("qbusiness_target_up", *whole):
                assert page.value(family, target=name) == 1, f"{family} of {name} is not 1 at the end"
            lag = page.value("qbusiness_exporter_poll_lag_seconds", target=name) or 0.0
            assert lag < 120, f"the polls of {name} are {lag:.0f} seconds late at the end"

    def _check_health(self, process: Process) -> None:
        reason = process.exporter.unhealthy()
        assert reason is None, f"not healthy: {reason}"
        is_ready = process.exporter.unready() is None
        assert is_ready or not process.was_ready, "readiness was taken back"
        process.was_ready = is_ready

    def _check_series(self, page: Scrape) -> None:
        """Let no counter of a source fall and no name change, over crashes too, unless it could not be written."""
        if self._lost != self._state.lost_writes:
            self._highest, self._names, self._lost = {}, {}, self._state.lost_writes
        for text, value in page.samples.items():
            series = read_series(text)
            if "data_source_id" not in series.labels:
                continue
            names = (series.labels["application"], series.labels["data_source"])
            settled = self._names.setdefault(series.labels["data_source_id"], names)
            assert names == settled, f"{text} was called {settled} before"
            if series.is_counter:
                before = self._highest.get(text, 0.0)
                assert value >= before, f"{text} fell from {before:g} to {value:g}"
                self._highest[text] = value

    def _check_sources(self, process: Process, page: Scrape, before: Before, after: Before) -> None:
        now, (histories, watched) = self._state.clock.now, self._committed(process)
        for source_id, families in page.by_source.items():
            history = histories.get(source_id)
            sight = SourceCheck(*self._state.sources[source_id], families, history, now)
            sight.check_whole()
            if not sight.is_read:
                continue
            jobs = {
                name: samples for name, samples in families.items() if name != WINDOW and not name.startswith(UNREAD)
            }
            after.jobs[source_id] = (sight.polled, jobs)
            polled, known = before.jobs.get(source_id, (None, None))
            assert polled != sight.polled or known == jobs, f"{sight.source.name} changed without a poll that worked"
            if not self._state.is_disk_full() and not process.has_unwritten():
                sight.check_committed()
            sight.check_freshness(self._patience(process))
            is_trusted = self._is_trusted(sight)
            is_whole = history is not None and history.watched_since in watched
            sight.check_totals(is_whole=is_whole, is_trusted=is_trusted)
            if is_trusted and sight.is_up:
                sight.check_gauges(self._window())

    def _check_indexes(self, process: Process, page: Scrape) -> None:
        """Have an index show what was said of it in the last round of discovery, or since."""
        for index_id, families in page.by_index.items():
            account = next(account for account in self._state.accounts if account.has_index(index_id))
            rounds = [
                page.value(DISCOVERED, target=target["name"]) or process.started
                for target in self._state.settings["targets"]
                if target["endpoint_url"] == account.endpoint
            ]
            shown = tuple(int(families[name][ALONE]) for name in INDEX_FIGURES)
            said = account.figures_said(index_id, min(rounds, default=process.started) - LONGEST_ROUND)
            assert shown in said, f"index {index_id} is shown with {shown}, and {said} was said"

    def _check_turns(self, account: Account, source: PlannedSource) -> None:
        """Let nobody starve, where nothing is in the way: each is polled about as often as its interval says."""
        witness, now = account.witnesses[source.id], self._state.clock.now
        healed = self._state.faults_until + LATE
        since = witness.looked if self._state.is_calm and witness.looked else healed
        unfound = 0.0 if source.id in self._watched else self._longest_unfound(account)
        trusted = witness.lied_until + FULL_REREAD_INTERVAL + SECOND_THOUGHTS
        moments = [since, *(moment for moment in witness.usable if moment > since), now]
        for before, after in pairwise(moments):
            is_active = before > max(since, trusted) and oracle.was_running(source, before)
            allowed = (self._active() if is_active else self._idle()) + LATE_TURN
            allowed += unfound if before == since else 0.0
            assert after - before <= allowed, (
                f"{source.name} was not polled for {after - before:.0f} seconds, and {allowed:.0f} are allowed"
            )

    # What is known.

    def _committed(self, process: Process) -> tuple[dict[str, SourceHistory], set[float]]:
        """Read what another process would find in the state file, and from when on targets are watched."""
        if self._state_file is None:
            self._state_file = sqlite3.connect(f"file:{process.state_file}?mode=ro", uri=True, isolation_level=None)
        rows = self._state_file.execute("SELECT key, totals FROM source").fetchall()
        since = self._state_file.execute("SELECT value FROM target WHERE key LIKE 'watched since/%'").fetchall()
        histories = {key.rsplit("/", 1)[1]: codec.load_history(totals, {}) for key, totals in rows}
        return histories, {float(text) for (text,) in since}

    def _expected(self) -> list[tuple[Account, PlannedSource]]:
        targets, expected = self._state.settings["targets"], []
        for account in self._state.accounts:
            mine = [target for target in targets if target["endpoint_url"] == account.endpoint]
            named = {source["data_source_id"] for target in mine for source in target.get("data_sources", ())}
            is_found = any("discovery" in target for target in mine)
            for _, _, source in account.fleet.data_sources():
                if is_found or source.id in named:
                    expected.append(self._state.sources[source.id])
        return expected

    def _patience(self, process: Process) -> float | None:
        """Give the seconds within which a source that is up was surely answered; None where it is too soon to tell."""
        patience, now = 2 * self._idle() + LATE, self._state.clock.now
        return patience if min(now - process.started, now - self._widened_at) > patience else None

    def _longest_unfound(self, account: Account) -> float:
        """Give the seconds for which discovery may not know of a source."""
        mine = [target for target in self._state.settings["targets"] if target["endpoint_url"] == account.endpoint]
        return max((parse_duration(each["discovery"]["interval"]) for each in mine if "discovery" in each), default=0.0)

    def _window(self) -> float | None:
        """Give polling.window, where all have been polled since it was changed."""
        is_settled = self._state.clock.now - self._widened_at > 2 * self._idle() + LATE
        return parse_duration(self._state.settings["polling"]["window"]) if is_settled else None

    def _active(self) -> float:
        return parse_duration(self._state.settings["polling"]["interval"])

    def _idle(self) -> float:
        polling = self._state.settings["polling"]
        return max(parse_duration(polling["idle_interval"]), parse_duration(polling["interval"]))

    def _is_trusted(self, sight: SourceCheck) -> bool:
        """Tell whether a full reread has worked since the last lie about a source."""
        return sight.polled > sight.witness.lied_until + FULL_REREAD_INTERVAL + SECOND_THOUGHTS

"""The invariants of every scrape, and of the end of a week, after all faults have ended."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from exporter.config.durations import parse_duration
from exporter.polling.watermark import FULL_REREAD_INTERVAL
from exporter.store import codec
from simulation import oracle
from simulation.credential_check import CredentialCheck
from simulation.page import OPENMETRICS, ParsedPage, have_same_samples, parse_series, parse_strictly, render
from simulation.rate_check import RateCheck
from simulation.scrape_checks import NO_LABELS, POLL_SUCCESS, WINDOW, SourceCheck

if TYPE_CHECKING:
    from collections import deque

    from exporter.domain.source_history import SourceHistory
    from simulation.fleet import PlannedSource
    from simulation.process import Process
    from simulation.simulated_account import SimulatedAccount
    from simulation.state import WeekState

OPENMETRICS_EVERY, PARSERS_EVERY = 3, 18  # scrapes; prometheus_client's parsers take longer than all other checks
REREAD_MARGIN = 600.0  # seconds that a full reread may take to begin and to end
SLOW_POLLS = 2400.0  # seconds by which faults that do not fail a poll may delay it
TURN_MARGIN = 1200.0  # seconds by which a low rate limit may delay a poll without any fault
MAX_DISCOVERY_RUN = 600.0  # seconds that a discovery run may take
LAST_DISCOVERY = "qbusiness_exporter_last_successful_discovery_timestamp_seconds"
INDEX_SIZES = tuple(
    f"qbusiness_index_{name}"
    for name in ("documents", "text_bytes", "capacity_units", "documents_limit", "text_bytes_limit")
)
# The families that may change without a successful poll. The window is another one: jobs leave it as time passes.
INDEPENDENT_OF_POLLS = ("qbusiness_data_source_", POLL_SUCCESS)


@dataclass(slots=True)
class PreviousScrape:
    """The content of the previous scrape of the same process."""

    reloads: int
    sources: set[str] = field(default_factory=set)
    indexes: set[str] = field(default_factory=set)
    jobs: dict[str, tuple[float, Any]] = field(default_factory=dict)


class InvariantChecker:
    """Scrapes the program and checks every page against the state of the week."""

    def __init__(self, state: WeekState) -> None:
        self._state = state
        self._process: Process | None = None
        self._max_values: dict[str, float] = {}
        self._names: dict[str, tuple[str, str]] = {}
        self._lost_writes = 0
        self._previous: PreviousScrape | None = None
        self._state_file: sqlite3.Connection | None = None
        self._rates = RateCheck(state.clock)
        self._credentials = CredentialCheck(state)
        self._scrapes = 0
        self._settings_changed_at = 0.0
        self._known_sources: set[str] = set()
        self.settings_changed()

    # Events that the world reports.

    def process_started(self, process: Process) -> None:
        """Record the start of a process."""
        self._process = process
        self._previous = None
        self._rates.process_started()
        self._credentials.process_started()

    def process_ended(self) -> None:
        """Record the end of the process."""
        if self._state_file:
            self._state_file.close()
        self._state_file = self._process = None
        for account in self._state.accounts:
            account.attempts.clear()

    def settings_changed(self) -> None:
        """Record a change of the configuration."""
        self._rates.rate_changed(float(self._state.settings["polling"]["requests_per_second"]))
        self._settings_changed_at = self._state.clock.now
        self._credentials.settings_changed()

    def faults_ended(self, process: Process) -> None:
        """Record which data sources the program knows at the end of all faults."""
        targets = process.exporter.targets
        self._known_sources = {key.rsplit("/", 1)[1] for target in targets for key in target.sources.ids()}

    def record_attempt(self, target: str, moments: deque[float]) -> None:
        """Check a request of a target against the rate limit."""
        is_stopping = self._process is not None and self._process.is_stopping
        self._rates.record(target, len(moments), is_stopping=is_stopping)

    # Invariants of every scrape.

    def scrape(self, process: Process) -> ParsedPage:
        """Scrape the process, check all invariants, and return the page."""
        process.log.settle()
        text = render(process.exporter.page)
        page = ParsedPage.parse(text)
        self._state.trace.add(text)
        self._state.trace.note("scrape", len(page.samples))
        self._scrapes += 1
        if self._scrapes % OPENMETRICS_EVERY == 0:
            openmetrics = render(process.exporter.page, OPENMETRICS)
            assert have_same_samples(text, openmetrics), "the two formats of the page differ"
            if self._scrapes % PARSERS_EVERY == 0:
                parse_strictly(text, openmetrics)
        self._rates.check()
        self._credentials.check(page)
        process.log.check(page)
        self._check_health(process)
        self._check_series(page)
        before = self._previous or PreviousScrape(self._state.reloads)
        after = PreviousScrape(self._state.reloads, set(page.by_source), set(page.by_index))
        if before.reloads == after.reloads:
            missing = before.sources - after.sources - self._state.removed_sources
            missing |= before.indexes - after.indexes
            assert not missing, f"{sorted(missing)} left the page without a deletion or a reload"
        self._check_sources(process, page, before, after)
        self._check_indexes(process, page)
        self._previous = after
        return page

    def final(self) -> None:
        """Check the end of the week: every data source is exposed, up and fresh, and all totals are complete."""
        process, now = self._process, self._state.clock.now
        assert process is not None
        page = self.scrape(process)
        for account, source in self._expected_sources():
            assert source.id in page.by_source, f"{source.name} is not on the page at the end"
            check = SourceCheck(account, source, page.by_source[source.id], None, now)
            assert check.is_up, f"polls of {source.name} fail at the end"
            assert now - check.polled <= self._idle_interval() + 600, f"{source.name} was last polled at {check.polled}"
            assert self._is_trusted(check), "the week ends too soon after the last wrong data"
            self._check_poll_intervals(account, source)
        for target in self._state.settings["targets"]:
            name = target["name"]
            named = {source["data_source_id"] for source in target.get("data_sources", ())}
            discovery = () if named & self._state.removed_sources else ("qbusiness_exporter_discovery_success",)
            for family in ("qbusiness_exporter_target_up", *discovery):
                assert page.value(family, target=name) == 1, f"{family} of {name} is not 1 at the end"
            lag = page.value("qbusiness_exporter_poll_lag_seconds", target=name) or 0.0
            assert lag < 120, f"the polls of {name} are {lag:.0f} s late at the end"

    def _check_health(self, process: Process) -> None:
        reason = process.exporter.unhealthy()
        assert reason is None, f"not healthy: {reason}"
        is_ready = process.exporter.unready() is None
        assert is_ready or not process.was_ready, "no longer ready"
        process.was_ready = is_ready

    def _check_series(self, page: ParsedPage) -> None:
        """Assert that no counter decreases and no name changes, also across crashes, unless state was not written."""
        if self._lost_writes != self._state.lost_writes:
            self._max_values, self._names, self._lost_writes = {}, {}, self._state.lost_writes
        for text, value in page.samples.items():
            series = parse_series(text)
            if "data_source_id" not in series.labels:
                continue
            names = (series.labels["application"], series.labels["data_source"])
            known = self._names.setdefault(series.labels["data_source_id"], names)
            assert names == known, f"{text} had the names {known} before"
            if series.is_counter:
                before = self._max_values.get(text, 0.0)
                assert value >= before, f"{text} decreased from {before:g} to {value:g}"
                self._max_values[text] = value

    def _check_sources(self, process: Process, page: ParsedPage, before: PreviousScrape, after: PreviousScrape) -> None:
        now, (histories, watch_starts) = self._state.clock.now, self._committed(process)
        for source_id, families in page.by_source.items():
            history = histories.get(source_id)
            check = SourceCheck(*self._state.sources[source_id], families, history, now)
            check.check_complete()
            if not check.has_jobs:
                continue
            jobs = {
                name: samples
                for name, samples in families.items()
                if name != WINDOW and not name.startswith(INDEPENDENT_OF_POLLS)
            }
            after.jobs[source_id] = (check.polled, jobs)
            polled, known = before.jobs.get(source_id, (None, None))
            assert polled != check.polled or known == jobs, f"{check.source.name} changed without a successful poll"
            if not self._state.is_disk_full() and not process.has_unwritten():
                check.check_committed()
            check.check_freshness(self._success_deadline(process))
            is_trusted = self._is_trusted(check)
            counts_from_zero = history is not None and history.watched_since in {*watch_starts, check.source.created}
            check.check_totals(counts_from_zero=counts_from_zero, is_trusted=is_trusted)
            if is_trusted and check.is_up:
                check.check_gauges(self._window())

    def _check_indexes(self, process: Process, page: ParsedPage) -> None:
        """Assert that an index has the sizes from the last discovery run, or from a later response."""
        for index_id, families in page.by_index.items():
            account = next(each for each in self._state.accounts if each.responses.has_index(index_id))
            runs = [
                page.value(LAST_DISCOVERY, target=target["name"]) or process.started
                for target in self._state.settings["targets"]
                if target["endpoint_url"] == account.endpoint
            ]
            shown = tuple(int(families[name][NO_LABELS]) for name in INDEX_SIZES)
            since = min(runs, default=process.started) - MAX_DISCOVERY_RUN
            returned = account.responses.returned_index_sizes(index_id, since)
            assert shown in returned, f"index {index_id} has {shown}, and the service returned {returned}"

    def _check_poll_intervals(self, account: SimulatedAccount, source: PlannedSource) -> None:
        """Assert that a data source is polled about as often as its interval demands, in time without faults."""
        record, now = account.responses.sources[source.id], self._state.clock.now
        all_fixed = self._state.faults_until + SLOW_POLLS
        since = record.first_poll if self._state.is_calm and record.first_poll else all_fixed
        discovery = 0.0 if source.id in self._known_sources else self._discovery_interval(account)
        trusted = record.wrong_until + FULL_REREAD_INTERVAL + REREAD_MARGIN
        moments = [since, *(moment for moment in record.usable if moment > since), now]
        for before, after in pairwise(moments):
            is_active = before > max(since, trusted) and oracle.was_running(source, before)
            allowed = (self._active_interval() if is_active else self._idle_interval()) + TURN_MARGIN
            allowed += discovery if before == since else 0.0
            assert after - before <= allowed, (
                f"{source.name} was not polled for {after - before:.0f} s, and {allowed:.0f} s are allowed"
            )

    # Values that the checks need.

    def _committed(self, process: Process) -> tuple[dict[str, SourceHistory], set[float]]:
        """Return the histories in the state file, and the times since when targets are watched."""
        if self._state_file is None:
            self._state_file = sqlite3.connect(f"file:{process.state_file}?mode=ro", uri=True, isolation_level=None)
        rows = self._state_file.execute("SELECT key, totals FROM source").fetchall()
        since = self._state_file.execute("SELECT value FROM target WHERE key LIKE 'watched since/%'").fetchall()
        histories = {key.rsplit("/", 1)[1]: codec.load_history(totals, {}) for key, totals in rows}
        return histories, {float(text) for (text,) in since}

    def _expected_sources(self) -> list[tuple[SimulatedAccount, PlannedSource]]:
        targets, expected = self._state.settings["targets"], []
        for account in self._state.accounts:
            mine = [target for target in targets if target["endpoint_url"] == account.endpoint]
            named = {source["data_source_id"] for target in mine for source in target.get("data_sources", ())}
            has_discovery = any("discovery" in target for target in mine)
            for _, _, source in account.fleet.data_sources():
                if has_discovery or source.id in named:
                    expected.append(self._state.sources[source.id])
        return expected

    def _success_deadline(self, process: Process) -> float | None:
        """Return the seconds within which a data source that is up had a response, or None after a recent change."""
        deadline, now = 2 * self._idle_interval() + SLOW_POLLS, self._state.clock.now
        return deadline if min(now - process.started, now - self._settings_changed_at) > deadline else None

    def _discovery_interval(self, account: SimulatedAccount) -> float:
        """Return the longest discovery interval of an account's targets, in seconds."""
        mine = [target for target in self._state.settings["targets"] if target["endpoint_url"] == account.endpoint]
        return max((parse_duration(each["discovery"]["interval"]) for each in mine if "discovery" in each), default=0.0)

    def _window(self) -> float | None:
        """Return polling.window in seconds, or None until all data sources were polled since its last change."""
        age = self._state.clock.now - self._settings_changed_at
        is_applied = age > 2 * self._idle_interval() + SLOW_POLLS
        return parse_duration(self._state.settings["polling"]["window"]) if is_applied else None

    def _active_interval(self) -> float:
        return parse_duration(self._state.settings["polling"]["interval"])

    def _idle_interval(self) -> float:
        polling = self._state.settings["polling"]
        return max(parse_duration(polling["idle_interval"]), parse_duration(polling["interval"]))

    def _is_trusted(self, check: SourceCheck) -> bool:
        """Return whether a full reread has succeeded since the last wrong data about a data source."""
        return check.polled > check.record.wrong_until + FULL_REREAD_INTERVAL + REREAD_MARGIN

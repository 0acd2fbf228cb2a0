"""The invariants of every scrape, and at the end of a week, after all faults have ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from exporter.domain.durations import parse_duration
from simulation.committed_state import CommittedState
from simulation.credential_check import CredentialCheck
from simulation.fairness_check import FairnessCheck
from simulation.final_check import SLOW_POLLS, FinalCheck
from simulation.page import OPENMETRICS, ParsedPage, have_same_samples, parse_series, parse_strictly, render
from simulation.rate_check import RateCheck
from simulation.reload_check import check_reload
from simulation.scrape_checks import DURATIONS, NO_LABELS, POLL_SUCCESS, WINDOW, SourceCheck
from simulation.settings import idle_interval, targets_of

if TYPE_CHECKING:
    from collections import deque

    from simulation.process import Process
    from simulation.state import WeekState

OPENMETRICS_EVERY, PARSERS_EVERY = 3, 18  # one in this many scrapes, because the parsers are slow
MAX_DISCOVERY_RUN = 600.0  # seconds that a discovery run may take
LAST_DISCOVERY = "qbusiness_exporter_last_successful_discovery_timestamp_seconds"
INDEX_SIZES = ("documents", "text_bytes", "capacity_units", "documents_limit", "text_bytes_limit")
# The families that may change without a successful poll. The window also changes, because jobs leave it as time passes.
INDEPENDENT_OF_POLLS = ("data_source_", POLL_SUCCESS)


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
        self._committed = CommittedState()
        self._rates = RateCheck(state.clock)
        self._credentials = CredentialCheck(state)
        self._fairness = FairnessCheck(state)
        self._final: FinalCheck | None = None
        self._scrapes = 0
        self._settings_changed_at = 0.0
        self._metrics = state.settings.get("metrics")
        self.settings_changed()

    # Events that the world reports.

    def process_started(self, process: Process) -> None:
        """Record the start of a process."""
        self._process = process
        self._previous = None
        self._fairness.process_started(process)
        self._rates.process_started()
        self._credentials.process_started()

    def process_ended(self) -> None:
        """Record the end of the process."""
        self._committed.close()
        if self._process:
            histories, _ = self._committed.read(self._process.state_file)
            polled = {source_id: history.as_of for source_id, history in histories.items()}
            self._fairness.process_ended(polled, self._committed.attempted(self._process.state_file))
            self._committed.close()
        self._process = None
        for account in self._state.accounts:
            account.attempts.clear()

    def close(self) -> None:
        """Close the state file of the last process."""
        self._committed.close()

    def settings_changed(self) -> None:
        """Record a change of the configuration."""
        self._rates.rate_changed(float(self._state.settings["polling"]["requests_per_second"]))
        self._settings_changed_at = self._state.clock.now
        self._credentials.settings_changed()
        self._fairness.reset()
        if self._state.settings.get("metrics") != self._metrics:
            self._metrics = self._state.settings.get("metrics")
            self._forget_histograms()

    def _forget_histograms(self) -> None:
        """Expect histograms to start over, because their buckets have changed."""
        self._max_values = {
            text: value
            for text, value in self._max_values.items()
            if not parse_series(text).family.startswith(DURATIONS)
        }
        for account in self._state.accounts:
            for record in account.responses.sources.values():
                record.durations_lost = True

    def faults_ended(self, process: Process) -> None:
        """Record the state of the process at the end of all faults."""
        self._final = FinalCheck(self._state, process)

    def record_attempt(self, target: str, moments: deque[float]) -> None:
        """Check a request of a target against the rate limit."""
        is_stopping = self._process is not None and self._process.is_stopping
        self._rates.record(target, len(moments), is_stopping=is_stopping)

    # Invariants of reloads and crash loops.

    @staticmethod
    def page(process: Process) -> ParsedPage:
        """Return the page without a check."""
        return ParsedPage.parse(render(process.exporter.page))

    def reloaded(self, replaced: dict[str, Any], before: ParsedPage, after: ParsedPage) -> None:
        """Check a reload, and expect that all series after it stay; `replaced` are the previous settings."""
        check_reload(self._state, replaced, before, after)
        self._previous = PreviousScrape(self._state.reloads, set(after.by_source), set(after.by_index))

    # Invariants of every scrape, and of the end of the week.

    def final(self) -> None:
        """Check the end of the week."""
        assert self._process is not None
        assert self._final is not None
        self._final.check(self._process, self.scrape(self._process))

    def scrape(self, process: Process) -> ParsedPage:
        """Scrape the process, check all invariants, and return the page."""
        process.log.drain()
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

    def _check_health(self, process: Process) -> None:
        reason = process.exporter.unhealthy()
        assert reason is None, f"not healthy: {reason}"
        is_ready = process.exporter.unready() is None
        assert is_ready or not process.was_ready, "no longer ready"
        process.was_ready = is_ready

    def _check_series(self, page: ParsedPage) -> None:
        """Assert that no counter decreases and no name changes, even after a crash, if the state was written."""
        if self._lost_writes != self._state.lost_writes:
            self._max_values, self._names, self._lost_writes = {}, {}, self._state.lost_writes
        for text, value in page.samples.items():
            series = parse_series(text)
            if "data_source_id" not in series.labels:
                continue
            names = (series.labels[self._state.traits.service.root.word], series.labels["data_source"])
            known = self._names.setdefault(series.labels["data_source_id"], names)
            assert names == known, f"{text} had the names {known} before"
            if series.is_counter:
                before = self._max_values.get(text, 0.0)
                assert value >= before, f"{text} decreased from {before:g} to {value:g}"
                self._max_values[text] = value

    def _check_sources(self, process: Process, page: ParsedPage, before: PreviousScrape, after: PreviousScrape) -> None:
        now, (histories, watch_starts) = self._state.clock.now, self._committed.read(process.state_file)
        kept = process.histories()
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
            if not check.has_correct_times:
                continue
            if not self._state.lost_writes:  # the corrected counters may be among these
                check.check_first_contact(self._state.target_starts)
            check.check_freshness(self._success_deadline(process))
            known = kept.get(source_id)
            is_behind = known is not None and (known.unread is not None or check.waits_for_outcomes(known))
            is_trusted = check.is_trusted and not is_behind
            counts_from_zero = history is not None and history.watched_since in {*watch_starts, check.source.created}
            check.check_totals(counts_from_zero=counts_from_zero, is_trusted=is_trusted)
            if is_trusted and check.is_up:
                if known is None or check.has_outcomes(known):
                    check.check_gauges(self._window())
                else:
                    check.check_starts()

    def _check_indexes(self, process: Process, page: ParsedPage) -> None:
        """Assert that an index has the status and the sizes from the last discovery run or from a later response."""
        word = self._state.traits.service.container.word
        for index_id, families in page.by_index.items():
            account = next(each for each in self._state.accounts if each.responses.has_index(index_id))
            runs = [
                page.value(LAST_DISCOVERY, target=target["name"]) or process.started
                for target in targets_of(self._state.settings, account)
            ]
            status = next(labels[0][1] for labels, value in families[f"{word}_status"].items() if value)
            sizes = (families.get(f"{word}_{name}") for name in INDEX_SIZES)
            shown = (status, *(int(samples[NO_LABELS]) for samples in sizes if samples))
            since = min(runs, default=process.started) - MAX_DISCOVERY_RUN
            returned = account.responses.returned_index_facts(index_id, since)
            assert shown in returned, f"index {index_id} has {shown}, and the service returned {returned}"

    # Values for the checks.

    def _success_deadline(self, process: Process) -> float | None:
        """Return the seconds in which a data source that is up must have a response; None after a change."""
        deadline, now = 2 * idle_interval(self._state.settings) + SLOW_POLLS, self._state.clock.now
        return deadline if min(now - process.started, now - self._settings_changed_at) > deadline else None

    def _window(self) -> float | None:
        """Return polling.window in seconds; None until all data sources were polled since its last change."""
        age = self._state.clock.now - self._settings_changed_at
        is_applied = age > 2 * idle_interval(self._state.settings) + SLOW_POLLS
        return parse_duration(self._state.settings["polling"]["window"]) if is_applied else None

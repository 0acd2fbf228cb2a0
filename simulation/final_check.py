"""The invariants at the end of a week, after all faults have ended."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from exporter.domain.durations import parse_duration
from simulation import oracle
from simulation.scrape_checks import REREAD_TIME, SourceCheck
from simulation.settings import active_interval, idle_interval, targets_of

if TYPE_CHECKING:
    from simulation.fleet import PlannedSource
    from simulation.page import ParsedPage
    from simulation.process import Process
    from simulation.simulated_account import SimulatedAccount
    from simulation.state import WeekState

SLOW_POLLS = 2400.0  # seconds by which faults that do not fail a poll may delay it
TURN_MARGIN = 1200.0  # seconds by which a low rate limit may delay a poll without any fault
MAX_LAG = 120.0  # seconds


class FinalCheck:
    """Checks that every data source is exposed, up and fresh, and that all totals are complete."""

    def __init__(self, state: WeekState, process: Process) -> None:
        """Record the data sources that the process knows at the end of all faults."""
        self._state = state
        self._known_sources = {source for sources in process.watched().values() for source in sources}

    def check(self, process: Process, page: ParsedPage) -> None:
        """Assert the invariants of the last scrape."""
        kept = process.histories()
        for account, source in self._expected_sources():
            assert source.id in page.by_source, f"{source.name} is not on the page at the end"
            families, now = page.by_source[source.id], self._state.clock.now
            self._check_source(SourceCheck(account, source, families, kept.get(source.id), now))
            self._check_poll_intervals(account, source)
        assert not process.catching_up(), f"catch-ups of {process.catching_up()} have not ended"
        self._check_targets(page)

    def _expected_sources(self) -> list[tuple[SimulatedAccount, PlannedSource]]:
        expected = []
        for account in self._state.accounts:
            mine = targets_of(self._state.settings, account)
            named = {source["data_source_id"] for target in mine for source in target.get("data_sources", ())}
            has_discovery = any("discovery" in target for target in mine)
            for _, _, source in account.fleet.data_sources():
                if has_discovery or source.id in named:
                    expected.append(self._state.sources[source.id])
        return expected

    def _check_source(self, check: SourceCheck) -> None:
        name, longest = check.source.name, idle_interval(self._state.settings) + 600
        assert check.is_up, f"polls of {name} fail at the end"
        assert check.now - check.polled <= longest, f"{name} was last polled at {check.polled}"
        is_waiting = check.history is not None and check.waits_for_outcomes(check.history)
        assert not is_waiting, f"{name} has ended jobs whose outcomes were not asked for"
        assert check.is_trusted, "the week ends too soon after the last wrong data"

    def _check_targets(self, page: ParsedPage) -> None:
        for target in self._state.settings["targets"]:
            name = target["name"]
            named = {source["data_source_id"] for source in target.get("data_sources", ())}
            discovery = () if named & self._state.removed_sources else ("qbusiness_exporter_discovery_success",)
            for family in ("qbusiness_exporter_target_up", *discovery):
                assert page.value(family, target=name) == 1, f"{family} of {name} is not 1 at the end"
            lag = page.value("qbusiness_exporter_poll_lag_seconds", target=name) or 0.0
            assert lag < MAX_LAG, f"the polls of {name} are {lag:.0f} s late at the end"

    def _check_poll_intervals(self, account: SimulatedAccount, source: PlannedSource) -> None:
        """Assert that a data source is polled about as often as its interval requires, at times without faults."""
        record, now, settings = account.responses.sources[source.id], self._state.clock.now, self._state.settings
        all_fixed = self._state.faults_until + SLOW_POLLS
        since = record.first_poll if self._state.is_calm and record.first_poll else all_fixed
        discovery = 0.0 if source.id in self._known_sources else self._discovery_interval(account)
        moments = [since, *(moment for moment in record.usable if moment > since), now]
        for before, after in pairwise(moments):
            is_active = before > max(since, record.wrong_until + REREAD_TIME) and oracle.was_running(source, before)
            allowed = (active_interval(settings) if is_active else idle_interval(settings)) + TURN_MARGIN
            allowed += discovery if before == since else 0.0
            assert after - before <= allowed, (
                f"{source.name} was not polled for {after - before:.0f} s, and {allowed:.0f} s are allowed"
            )

    def _discovery_interval(self, account: SimulatedAccount) -> float:
        """Return the longest discovery interval of an account's targets, in seconds."""
        mine = targets_of(self._state.settings, account)
        return max((parse_duration(each["discovery"]["interval"]) for each in mine if "discovery" in each), default=0.0)

"""The invariants of credentials: without valid ones, a target and all of its data sources are down."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from exporter.aws.credential_cache import LAST_RETRY
from exporter.aws.rate_limiter import MIN_RATE
from exporter.domain.durations import parse_duration
from exporter.domain.units import HOUR
from simulation.scrape_checks import NO_LABELS, POLL_SUCCESS
from simulation.settings import targets_of

if TYPE_CHECKING:
    from structlog.typing import EventDict

    from simulation.credential_source import HeldCredentials
    from simulation.page import ParsedPage
    from simulation.simulated_account import SimulatedAccount
    from simulation.state import WeekState

FAILING, WORKING = "credentials failing", "credentials work again"
IN_FLIGHT = 60.0  # the longest duration of a request that was signed before the credentials were lost, in seconds
REPLACED_IN = 120.0  # seconds after a refusal by AWS in which the program must request other credentials
USED_IN = 60.0  # seconds after the replacement in which a request must use it, unless it waits for the rate limiter
MOST_ISSUED = 15  # credentials of a target within an hour, because each replacement has all data sources polled
REFUSED = 2400.0  # seconds in which AWS refuses a request of every data source, whose polls the rate limiter may delay


class CredentialCheck:
    """Checks the metrics and the log lines about credentials."""

    def __init__(self, state: WeekState) -> None:
        self._state = state
        self._failing: dict[str, int] = {}  # the number of reloads before the line with the report, by target
        self._changed_at = 0.0
        self._has_reloaded = False
        self._other_failures: dict[tuple[str, float], float] = {}  # by target and the time of the loss
        self._violation = ""
        state.trace.on_log = self._logged

    def process_started(self) -> None:
        """Record the start of a process, which has no credentials."""
        self.settings_changed()
        self._has_reloaded = False
        self._failing.clear()
        for account in self._state.accounts:
            account.credentials.held.clear()

    def settings_changed(self) -> None:
        """Record a reload, which replaces the targets that it changes."""
        self._other_failures.clear()
        self._changed_at, self._has_reloaded = self._state.clock.now, True

    def check(self, page: ParsedPage) -> None:
        """Assert the invariants of a scrape."""
        assert not self._violation, self._violation
        for account in self._state.accounts:
            mine = targets_of(self._state.settings, account)
            down = [self._check_target(account, each["name"], page) for each in mine]
            if all(down):
                self._check_sources(account, page)

    def _check_target(self, account: SimulatedAccount, name: str, page: ParsedPage) -> bool:
        """Check one target; return whether all of its data sources must be down."""
        held = account.credentials.held[name]
        self._check_attempts(account, name, held)
        if not self._has_reloaded:
            failures = page.value("qbusiness_exporter_credential_failures_total", target=name) or 0.0
            assert failures >= held.failures, f"{name}: {held.failures} attempts failed, and {failures:g} were counted"
        is_lost = self._state.clock.now > max(held.usable_until, self._changed_at) + self._deadline()
        if is_lost:
            self._check_reasons(name, held, page)
        is_down = is_lost or self._state.clock.now > (held.refused_since or math.inf) + REFUSED
        is_up = page.value("qbusiness_exporter_target_up", target=name)
        assert not (is_down and is_up), f"{name} is up without valid credentials: {held}"
        return is_down

    def _check_attempts(self, account: SimulatedAccount, name: str, held: HeldCredentials) -> None:
        """Assert that expired or refused credentials are replaced soon, if the source of credentials works."""
        source, now = account.credentials, self._state.clock.now
        since = max(source.works_since, self._changed_at)
        if now > max(since, held.usable_until) + LAST_RETRY + self._deadline():
            assert held.usable_until > now, f"{name} has no credentials, and they can be obtained: {held}"
        if held.refused_since and now > max(since, held.refused_since) + REPLACED_IN:
            assert held.requested_at > held.refused_since - REPLACED_IN, f"{name} keeps refused credentials: {held}"
        if held.replaced_at and held.replaced_at > account.cut_until:  # requests back off during an outage
            slowest = MIN_RATE * self._state.settings["polling"]["requests_per_second"]
            unused = min(now, held.used_at) - max(held.replaced_at, self._changed_at)
            assert unused < USED_IN + 1 / slowest, f"{name} does not use what replaced refused credentials: {held}"
        issued = sum(issued_at > now - HOUR for issued_at in held.issued_at)
        assert issued <= MOST_ISSUED, f"{name} has replaced its credentials {issued} times within an hour"

    def _check_reasons(self, name: str, held: HeldCredentials, page: ParsedPage) -> None:
        """Assert that polls without credentials fail for no other reason."""
        others = page.values("qbusiness_exporter_poll_failures_total", target=name)
        failures = sum(value for labels, value in others if labels["reason"] != "credentials")
        before = self._other_failures.setdefault((name, held.usable_until), failures)
        assert failures == before, f"a poll of {name} without credentials failed for another reason"

    def _check_sources(self, account: SimulatedAccount, page: ParsedPage) -> None:
        """Assert that the data sources of an account are down, except those with a request that has just ended."""
        now = self._state.clock.now
        for source_id, families in page.by_source.items():
            owner, source = self._state.sources[source_id]
            if owner is not account or not families.get(POLL_SUCCESS, {}).get(NO_LABELS):
                continue
            ended = account.responses.sources[source_id].usable[-1:]
            assert ended > [now - IN_FLIGHT], f"{source.name} reports success without valid credentials"

    def _deadline(self) -> float:
        """Return the seconds in which a target must learn that it has no credentials."""
        return parse_duration(self._state.settings["polling"]["timeout"]) + IN_FLIGHT

    def _logged(self, message: str, fields: EventDict) -> None:
        """Record a line that should not be there, for the next scrape. An exception here would only fail a poll.

        After a reload, a target may report again that its credentials fail, or that another target's work again.
        """
        if message not in {FAILING, WORKING}:
            return
        target, reloads = str(fields["target"]), self._state.reloads
        reported = self._failing.pop(target, None)
        if message == FAILING:
            self._failing[target] = reloads
        is_expected = reported != reloads if message == FAILING else reported is not None or self._has_reloaded
        if not is_expected:
            self._violation = f"logged without a change: {message}, {target}"

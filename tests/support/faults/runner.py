"""A cell of the matrix in its environment: a fault of one request, and of an hour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.domain.service import Use
from exporter.domain.units import HOUR, MINUTE
from exporter.errors import Reason
from exporter.polling.watermark import FULL_REREAD_INTERVAL
from tests.support.faults.environment import BEGIN
from tests.support.faults.page import changed_families

if TYPE_CHECKING:
    from exporter.simulator.fleet import SimulatedDataSource
    from tests.support.faults.environment import Environment
    from tests.support.faults.matrix import Cell
    from tests.support.faults.page import ScrapedPage

POLL_RECOVERY = 16 * MINUTE  # the longest back-off of a poll, and a minute for the poll
DISCOVERY_RECOVERY = 31 * MINUTE  # the interval of discovery, and a minute for the run
POLL_MARGIN = MINUTE
THROTTLED_MARGIN = 5 * MINUTE  # throttling slows down all requests
MAX_JOB = 5 * MINUTE
_DISCOVERED_FAMILIES = ("data_source_", "index_", "knowledge_base_")
_COUNTED_AT = "data_source_documents_counted_timestamp_seconds"
_LEARNED = "data_source_expected_sync_gap_seconds"  # from the starts of jobs
_UPDATED = "data_source_updated_timestamp_seconds"  # a cell updates its data sources


class CellRun:
    """A cell in an environment."""

    def __init__(self, cell: Cell, environment: Environment) -> None:
        self.cell = cell
        self.environment = environment
        hr, it, wiki = (environment.sources[name] for name in ("hr", "it", "wiki"))
        is_one = cell.scope == "one"
        self.affected: list[SimulatedDataSource] = [hr, it, wiki]
        self._where: dict[str, Any] = {"operation": cell.operation.name}
        self._where["page"] = cell.page if cell.operation.is_paged and not cell.fault.of_tokens else None
        if is_one and cell.operation.scope == "data_source":
            self._where["data_source_id"], self.affected = hr.id, [hr]
        elif is_one and len(cell.operation.service.containers) == 1:
            self._where["index_id"], self.affected = environment.indexes[0].id, [hr, it]
        elif is_one:
            self._where["application_id"], self.affected = environment.fleet.applications[0].id, [hr, it]

    @property
    def unaffected(self) -> list[SimulatedDataSource]:
        """Return the data sources that the fault does not affect."""
        return [source for source in self.environment.sources.values() if source not in self.affected]

    def run(self) -> None:
        """Inject the fault into one request, and then for an hour, while jobs start and end."""
        self.environment.start_jobs()
        self.environment.run(5 * MINUTE)
        self.inject_once()
        self.inject_for_an_hour()
        self.end()

    def inject(self, **limit: float) -> Any:
        """Activate the fault, and touch the data sources so that discovery requests their descriptions again."""
        for source in self.environment.sources.values():
            source.updated += 1
        for index in self.environment.indexes:
            index.updated += 1
        return self.environment.service.faults.add(self.cell.fault.kind, **self._where, **limit, seconds=0.1)

    def total(self, family: str, *words: str) -> float:
        """Return the sum of series on the last page."""
        return self.environment.pages[-1].total(family, *words)

    def attempts(self) -> float:
        """Return the number of attempts with the fault's code."""
        labels = (f'operation="{self.cell.operation.name}"', f'code="{self.cell.code}"')
        return self.total("exporter_api_requests_total", *labels)

    def failures(self) -> float:
        """Return the number of polls that failed for the fault's reason."""
        words = (f'reason="{self.cell.reason}"',) if self.cell.reason else ()
        return self.total("exporter_poll_failures_total", *words)

    def all_failures(self) -> float:
        """Return the number of polls that failed for any reason."""
        return self.total("exporter_poll_failures_total")

    # One request.

    def inject_once(self) -> None:
        """Inject the fault into a single request, and assert what fails."""
        effect = self.cell.operation.effect
        began = self.environment.clock.now
        before, attempts, polls = self.failures(), self.attempts(), self.all_failures()
        fault = self.inject(times=1)
        while fault.times:
            assert self.environment.clock.now < began + HOUR, "no request within an hour"
            self.environment.run(MINUTE)
        self.environment.run(MINUTE / 2)  # a discovery run in progress ends
        assert self.attempts() >= attempts + 1
        failed = self.failures() - before if self.cell.reason else self.all_failures() - polls
        assert failed == (1 if effect in {"poll", "outcomes"} and self._fails_once else 0)
        # A failed request may be repeated before this page: by discovery as soon as credentials work again, and the
        # description of a data source by its next poll.
        is_repeated = self.cell.reason is Reason.CREDENTIALS or self.cell.operation.use is Use.SOURCE
        if effect == "discovery" and not is_repeated:
            assert self.total("exporter_discovery_success") == (not self._fails_once)
        self._run_until_healthy()

    @property
    def _fails_once(self) -> bool:
        fault = self.cell.fault
        is_failure = self.cell.reason is not None and not self._leaves_outcome_unknown
        return is_failure and not fault.is_retried and not fault.is_absorbed_once

    @property
    def _leaves_outcome_unknown(self) -> bool:
        """Return whether the outcome of a job stays unknown, and no poll fails."""
        return self.cell.operation.effect == "outcomes" and self.cell.fault.is_refusal

    # From the start of the program.

    def run_from_start(self, **limit: float) -> None:
        """Start the program with an active fault; check its page after an hour, and that it recovers."""
        environment, fault = self.environment, self.inject(**limit)
        environment.start()
        environment.run(MINUTE)
        while fault.times:
            assert environment.clock.now < BEGIN + HOUR, "no request within an hour"
            environment.run(MINUTE)
        if fault.until:
            environment.run(fault.until - environment.clock.now - 1)
            self._check_from_start()
            environment.run(1)
        assert self.attempts() > 0
        self._run_until_healthy()
        environment.start_jobs()
        environment.run(15 * MINUTE)
        self.end()

    def _check_from_start(self) -> None:
        page, fault = self.environment.pages[-1], self.cell.fault
        if self.cell.operation.effect == "account":
            is_unknown = self.cell.operation.is_only_source and self.cell.reason is not None
            assert page.total("exporter_target_info", 'aws_account_id=""') == is_unknown
            assert self.total("exporter_discovery_success") == (not is_unknown)
            if is_unknown:  # the tags of the data sources are unknown too
                assert not page.select("poll_success")
                return
        elif self.cell.reason is None:
            assert not self.environment.problems()
        elif fault.is_refusal:  # then the id is the name: it is in the labels twice
            named_by_id = [page.total("poll_success", source.id, source.id) for source in self.affected]
            assert named_by_id == [1] * len(self.affected)
        else:
            assert self.failures() == 0
            assert self.total("exporter_discovery_success") == 0
            assert [page.of_source(source) for source in self.affected] == [{}] * len(self.affected)
        self._check_unaffected()

    # An hour.

    def inject_for_an_hour(self) -> None:
        """Inject the fault into every request for an hour; check its effects, and that the program recovers."""
        environment = self.environment
        before, failures, attempts = environment.scrape(), self.failures(), self.attempts()
        self.inject(until=environment.clock.now + HOUR)
        environment.run(HOUR * 2 / 3)
        if self.cell.operation.effect == "credentials":
            before = environment.scrape()  # the first credentials were valid until now
        environment.run(HOUR / 3 - 1)
        assert self.attempts() > attempts
        if self.cell.reason is None or self._leaves_outcome_unknown:
            now = environment.clock.now
            problems = environment.problems(now - POLL_RECOVERY, now - DISCOVERY_RECOVERY)
            assert not problems, problems
        else:
            self._check_reported(before, failures)
        self._check_unaffected()
        environment.run(1)
        self._run_until_healthy()

    def _run_until_healthy(self) -> None:
        effect = self.cell.operation.effect
        timeout = POLL_RECOVERY if effect in {"poll", "outcomes", "names", "documents"} else DISCOVERY_RECOVERY
        self.environment.run_until_healthy(timeout, discovered=effect in {"discovery", "account"})

    def _check_reported(self, before: ScrapedPage, failures: float) -> None:
        """Assert that metrics report the fault, and that all other values are unchanged."""
        page, effect = self.environment.pages[-1], self.cell.operation.effect
        if effect in {"poll", "outcomes", "credentials"}:
            assert self.failures() > failures
            for source in self.affected:
                assert page.total("poll_success", source.id) == 0
                changed = changed_families(before.of_source(source), page.of_source(source))
                assert changed - {"poll_success", _UPDATED} == set(), changed
        if effect == "documents":
            assert len(self.environment.uncounted()) == len(self.affected)
            for source in self.affected:
                assert page.total(_COUNTED_AT, source.id) == before.total(_COUNTED_AT, source.id)
        if effect == "discovery":
            assert self.total("exporter_discovery_success") == 0
            assert self.failures() == failures
            found, known = _discovered(page), _discovered(before)
            changed_series = sorted(dict(found.items() ^ known.items()))
            assert found == known, changed_series

    def _check_unaffected(self) -> None:
        """Assert that data sources which the fault does not affect are polled on time."""
        page, now = self.environment.pages[-1], self.environment.clock.now
        effect = self.cell.operation.effect
        all_polled = effect in {"discovery", "account", "documents"} or self.cell.reason is None
        margin = THROTTLED_MARGIN if self.cell.reason is Reason.THROTTLED else POLL_MARGIN
        for source in self.environment.sources.values() if all_polled else self.unaffected:
            assert page.total("poll_success", source.id) == 1
            at = page.total("last_successful_poll_timestamp_seconds", source.id)
            assert now - at <= 15 * MINUTE + margin

    def end(self) -> None:
        """End every job, and assert that the totals are correct."""
        self.environment.end_jobs()
        self.environment.run(FULL_REREAD_INTERVAL if self.cell.fault.needs_reread else MAX_JOB + POLL_MARGIN)
        self.environment.run_until_healthy(POLL_RECOVERY)
        wrong = self.environment.wrong_totals(
            with_durations=not self.cell.fault.loses_durations, with_outcomes=not self._leaves_outcome_unknown
        )
        assert not wrong, wrong


def _discovered(page: ScrapedPage) -> dict[str, float]:
    return {
        series: value
        for series, value in page.series.items()
        if series.startswith(_DISCOVERED_FAMILIES) and not series.startswith((_UPDATED, _LEARNED))
    }

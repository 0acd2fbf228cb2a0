"""The checks of one data source in one scrape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporter.domain.service import Use
from exporter.polling.job_accumulator import MAX_STREAK_LOOKBACK
from exporter.polling.watermark import FULL_REREAD_INTERVAL
from exporter.simulator.job import DOCUMENT_KINDS
from simulation import oracle

if TYPE_CHECKING:
    from exporter.domain.counting.source_history import SourceHistory
    from simulation.fleet import PlannedSource
    from simulation.response_log import SourceRecord
    from simulation.simulated_account import SimulatedAccount

LAST_POLL, POLL_SUCCESS = "last_successful_poll_timestamp_seconds", "poll_success"
COMPLETED, FAILURES = "sync_jobs_completed_total", "sync_job_failures_total"
WINDOW, RUNNING = "sync_jobs", "sync_running"
DURATIONS = "sync_job_duration_seconds"
SECONDS = f"{DURATIONS}_sum"
CONSECUTIVE_FAILURES = "consecutive_failed_syncs"
CONSECUTIVE_WITHOUT_CONTENT = "consecutive_syncs_without_content"
DOCUMENTS = {kind: f"documents_{kind}_total" for kind in DOCUMENT_KINDS}  # error codes that a simulated job may have
# A data source has all of these families or none of them, with at least these numbers of samples.
REQUIRED_SAMPLES = {
    COMPLETED: 4,
    WINDOW: 7,
    RUNNING: 1,
    CONSECUTIVE_FAILURES: 1,
    **dict.fromkeys(DOCUMENTS.values(), 1),
}
REREAD_TIME = FULL_REREAD_INTERVAL + 600.0  # seconds until the end of a full reread that other polls may delay
NO_LABELS: tuple[tuple[str, str], ...] = ()  # the other labels of a family with one sample


@dataclass(frozen=True, slots=True)
class SourceCheck:
    """A data source in a scrape, with its samples by family and labels, and its history in the state file."""

    account: SimulatedAccount
    source: PlannedSource
    families: dict[str, Any]
    history: SourceHistory | None
    now: float

    @property
    def record(self) -> SourceRecord:
        """Return the responses about the data source."""
        return self.account.responses.sources[self.source.id]

    @property
    def polled(self) -> float:
        """Return the time of the last successful poll according to the page."""
        return float(self.families[LAST_POLL][NO_LABELS])

    @property
    def is_up(self) -> bool:
        """Return whether the last poll succeeded according to the page."""
        return self._sample(POLL_SUCCESS) == 1

    @property
    def is_trusted(self) -> bool:
        """Return whether a full reread has succeeded since the last wrong data."""
        return self.polled > self.record.wrong_until + REREAD_TIME

    @property
    def has_correct_times(self) -> bool:
        """Return whether a poll has succeeded since the clock of the service was wrong."""
        return self.polled > self.account.responses.times_wrong_until

    @property
    def has_jobs(self) -> bool:
        """Return whether the page has the data source's sync jobs."""
        return COMPLETED in self.families

    def check_complete(self) -> None:
        """Assert that the page has all of the data source's families or none."""
        required = {**REQUIRED_SAMPLES, FAILURES: len(self.account.traits.service.error_codes)}
        samples = {name: len(self.families.get(name, ())) for name in required}
        missing = [name for name, least in required.items() if any(samples.values()) and samples[name] < least]
        assert not missing, f"{self.source.name} has no complete {missing}"

    def check_committed(self) -> None:
        """Assert that the totals on the page are in the state file."""
        assert self.history, f"{self.source.name} is on the page and not in the state file"
        shown: dict[str, Any] = {labels[0][1]: value for labels, value in self.families[COMPLETED].items()}
        shown |= {kind: self.families[name][NO_LABELS] for kind, name in DOCUMENTS.items()}
        committed = {**self.history.completed, **self.history.documents}
        for name, value in shown.items():
            assert committed.get(name, 0) == value, (
                f"{self.source.name}: {name} is {value:g} on the page, {committed.get(name, 0)} in the state file"
            )
        failures = {
            (dict(labels)["error_code"], dict(labels)["connector_error_code"]): value
            for labels, value in self.families[FAILURES].items()
            if value
        }
        assert failures == self.history.failures, (
            f"{self.source.name}: failures are {failures} on the page, {self.history.failures} in the state file"
        )

    def check_freshness(self, deadline: float | None) -> None:
        """Assert that the last poll had a response at its time, and after a success one within `deadline` seconds."""
        assert self.polled <= self.now, f"{self.source.name} was polled {self.polled - self.now:g} s in the future"
        assert self.record.has_usable_near(self.polled + 30.0, 32.0), (
            f"{self.source.name} had no usable response at {self.polled}, the time of its last poll"
        )
        if self.is_up and deadline is not None:
            assert self.record.has_usable_near(self.now - deadline / 2, deadline / 2), (
                f"{self.source.name} reports success, and had no usable response in {deadline:g} s"
            )

    def check_first_contact(self, target_starts: list[float]) -> None:
        """Assert that a wrong clock at first contact does not determine since when jobs count.

        A target that has started since then cannot know whether the clock of the host was set meanwhile. It can correct
        only a time that is still in the future. `target_starts` are the times at which targets may have started.
        """
        if self.history is None or self.record.first_poll is None:
            return
        read = self.record.read_by(self.account.dates_wrong_until)
        if any(self.record.first_poll < start <= read for start in target_starts):
            return
        late = self.history.watched_since - self.record.first_poll
        assert late <= oracle.SLACK, f"{self.source.name} is watched since {late:g} s after its first poll"

    def check_totals(self, *, counts_from_zero: bool, is_trusted: bool) -> None:
        """Assert that totals are within their bounds. If the data is not trusted, check only the upper bounds."""
        if self.history is None or self.record.first_poll is None:
            return
        # If the clock was behind, an earlier time may be recorded, but jobs from before the week must not count.
        since = max(self.history.watched_since, self.account.clock.started)
        self.check_totals_of(
            oracle.WatchPeriod(since, self.record.first_poll, counts_from_zero, self.record.stale),
            is_trusted=is_trusted,
        )

    def check_totals_of(self, period: oracle.WatchPeriod, *, is_trusted: bool) -> None:
        """Assert that the totals of a period are within their bounds."""
        is_lost = {"seconds": self.record.durations_lost, "documents": self.record.documents_lost}
        expected = oracle.totals(self.source, period, self.polled, self.now)
        if self.record.outcomes_lost:
            expected = oracle.with_unknown_outcomes(expected)
        for (total, label), bounds in expected.items():
            value = self._total(total, label)
            low = bounds.low if is_trusted and not is_lost.get(total) else 0.0
            assert low - 0.01 <= value <= bounds.high + 0.01, (
                f"{self.source.name}: {total} {label} is {value:g}, and {bounds} is correct"
            )

    def waits_for_outcomes(self, history: SourceHistory) -> bool:
        """Return whether the program treats ended jobs as in progress, because it must request their outcomes first."""
        if not self.account.traits.service.has(Use.SYNC_JOB):
            return False
        ended = {job.execution_id for job in self.source.jobs if job.ends < self.polled - oracle.SLACK}
        return any(job.execution_id in ended for job in history.jobs_in_progress())

    def has_outcomes(self, history: SourceHistory) -> bool:
        """Return whether the program knows the outcomes of all jobs. It requests those of old jobs one by one."""
        is_asked = not any(tracked.job.needs_explanation for tracked in history.jobs.values())
        return is_asked and not self.record.outcomes_lost

    def check_starts(self) -> None:
        """Assert that all values that do not depend on the outcomes of jobs match the last responses."""
        moments = (self.polled - oracle.SLACK, self.record.usable[-1])
        first_poll = self.record.first_poll or moments[0]
        first, last = (oracle.gauges(self.source, moment, first_poll).starts for moment in moments)
        shown = self._gauges().starts
        assert first != last or shown == first, f"{self.source.name} has {shown}, and {first} is correct"

    def check_gauges(self, window: float | None) -> None:
        """Assert that gauges match the last responses; `window` is polling.window, or None after a recent change."""
        moments = (self.polled - oracle.SLACK, self.record.usable[-1])
        first_poll = self.record.first_poll or moments[0]
        first, last = (oracle.gauges(self.source, moment, first_poll) for moment in moments)
        if first == last:  # otherwise the jobs changed during the poll
            assert self._gauges() == first, f"{self.source.name} has {self._gauges()}, and {first} is correct"
        if window is not None:
            shown = {labels[0][1]: value for labels, value in self.families[WINDOW].items()}
            for status, bounds in oracle.started_by_status(self.source, self.now - window, moments).items():
                assert bounds.contains(shown[status]), (
                    f"{self.source.name} has {shown[status]:g} {status} jobs in the window, and {bounds} is correct"
                )

    def _gauges(self) -> oracle.ExpectedGauges:
        statuses = self.families.get("last_completed_sync_status", {})
        return oracle.ExpectedGauges(
            running=int(self.families[RUNNING][NO_LABELS]),
            oldest_start=self._sample("running_sync_start_timestamp_seconds"),
            last_status=next((labels[0][1] for labels, value in statuses.items() if value), None),
            last_start=self._sample("last_completed_sync_start_timestamp_seconds"),
            last_success=self._sample("last_successful_sync_timestamp_seconds"),
            last_indexed=self._sample("last_indexed_sync_timestamp_seconds"),
            consecutive_failures=self._streak(CONSECUTIVE_FAILURES),
            consecutive_without_content=self._streak(CONSECUTIVE_WITHOUT_CONTENT),
        )

    def _streak(self, name: str) -> int:
        """Return the length of a streak, limited by how far the first poll of a data source reads back."""
        return min(MAX_STREAK_LOOKBACK, int(self.families[name][NO_LABELS]))

    def _total(self, total: str, label: str) -> float:
        if total == "documents":
            return float(self.families[DOCUMENTS[label]][NO_LABELS])
        name = COMPLETED if total == "completed" else SECONDS
        samples = self.families.get(name, {})
        return float(sum(samples.get((("status", status),), 0.0) for status in label.split(" or ")))

    def _sample(self, name: str) -> float | None:
        value: float | None = self.families.get(name, {}).get(NO_LABELS)
        return value

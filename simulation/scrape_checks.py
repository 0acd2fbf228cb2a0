"""What one scrape shows of one data source, held against what is true of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporter.domain.model import DOCUMENT_KINDS
from exporter.polling.lookback import MAX_FAILURE_LOOKBACK
from simulation import oracle

if TYPE_CHECKING:
    from exporter.domain.source_history import SourceHistory
    from simulation.fleet import PlannedSource
    from simulation.simulated_account import Account, Witness

FRESH, UP = "qbusiness_last_successful_poll_timestamp_seconds", "qbusiness_poll_success"
COMPLETED, FAILURES = "qbusiness_sync_jobs_completed_total", "qbusiness_sync_job_failures_total"
WINDOW, RUNNING = "qbusiness_sync_jobs", "qbusiness_sync_running"
SECONDS = "qbusiness_sync_job_duration_seconds_sum"
DOCUMENTS = {kind: f"qbusiness_documents_{kind}_total" for kind in DOCUMENT_KINDS}
# Families that a source has as soon as it has one of them, with the least number of samples.
WHOLE = {
    COMPLETED: 4,
    FAILURES: 4,
    WINDOW: 7,
    RUNNING: 1,
    "qbusiness_consecutive_failed_syncs": 1,
    **dict.fromkeys(DOCUMENTS.values(), 1),
}
ALONE: tuple[tuple[str, str], ...] = ()  # the labels of a family's only sample


@dataclass(frozen=True, slots=True)
class SourceCheck:
    """A data source on a page: its samples by family and labels, and what the state file has of it."""

    account: Account
    source: PlannedSource
    families: dict[str, Any]
    history: SourceHistory | None
    now: float

    @property
    def witness(self) -> Witness:
        """Give what was really answered."""
        return self.account.witnesses[self.source.id]

    @property
    def polled(self) -> float:
        """Give when the last poll that worked was made, as the page has it."""
        return float(self.families[FRESH][ALONE])

    @property
    def is_up(self) -> bool:
        """Tell whether the last poll worked, as the page has it."""
        return self._alone(UP) == 1

    @property
    def is_read(self) -> bool:
        """Tell whether its jobs are shown."""
        return COMPLETED in self.families

    def check_whole(self) -> None:
        """Have a source's series there as a whole or not at all."""
        has = {name: len(self.families.get(name, ())) for name in WHOLE}
        short = [name for name, least in WHOLE.items() if any(has.values()) and has[name] < least]
        assert not short, f"{self.source.name} is shown without all of {short}"

    def check_committed(self) -> None:
        """Have the state file say what is shown of totals."""
        assert self.history, f"{self.source.name} is shown and was never written"
        shown: dict[str, Any] = {labels[0][1]: value for labels, value in self.families[COMPLETED].items()}
        shown |= {kind: self.families[name][ALONE] for kind, name in DOCUMENTS.items()}
        written = {**self.history.completed, **self.history.documents}
        for name, value in shown.items():
            assert written.get(name, 0) == value, (
                f"{self.source.name}: {name} is shown as {value:g}, and {written.get(name, 0)} is written"
            )
        failures = {
            (dict(labels)["error_code"], dict(labels)["connector_error_code"]): value
            for labels, value in self.families[FAILURES].items()
            if value
        }
        assert failures == self.history.failures, (
            f"{self.source.name}: {failures} is shown of failures, and not written"
        )

    def check_freshness(self, patience: float | None) -> None:
        """Have an answer behind each claim to have polled; within `patience` seconds where the last poll worked."""
        assert self.polled <= self.now, f"{self.source.name} was polled {self.polled - self.now:g} seconds from now"
        assert self.witness.near(self.polled + 30.0, 32.0), f"{self.source.name} was not answered at {self.polled}"
        if self.is_up and patience is not None:
            is_answered = self.witness.near(self.now - patience / 2, patience / 2)
            assert is_answered, f"{self.source.name} claims success, and nothing was answered in {patience:g} s"

    def check_totals(self, *, is_whole: bool, is_trusted: bool) -> None:
        """Have counted whatever was to be when the last poll worked, and nothing that did not happen."""
        if self.history is None or self.witness.looked is None:
            return
        watched = oracle.Watched(self.history.watched_since, self.witness.looked, is_whole, self.witness.stale)
        lost = {"seconds": self.witness.durations_lost, "documents": self.witness.documents_lost}
        for (what, label), bound in oracle.totals(self.source, watched, self.polled, self.now).items():
            value = self._total(what, label)
            low = bound.low if is_trusted and not lost.get(what) else 0.0
            assert low - 0.01 <= value <= bound.high + 0.01, (
                f"{self.source.name}: {what} {label} is {value:g}, and {bound} is true"
            )

    def check_gauges(self, window: float | None) -> None:
        """Have shown of jobs what the last answers said; `window` is polling.window where that is settled."""
        moments = (self.polled - oracle.SLACK, self.witness.usable[-1])
        looked = self.witness.looked or moments[0]
        first, last = (oracle.state(self.source, moment, looked) for moment in moments)
        if first == last:  # else it changed while it was being looked at
            assert self._state() == first, f"{self.source.name}: shown is {self._state()}, and {first} is true"
        if window is not None:
            shown = {labels[0][1]: value for labels, value in self.families[WINDOW].items()}
            for status, within in oracle.started(self.source, self.now - window, moments).items():
                assert within.hold(shown[status]), (
                    f"{self.source.name}: {shown[status]:g} {status} jobs are in the window, and {within} is true"
                )

    def _state(self) -> oracle.State:
        statuses = self.families.get("qbusiness_last_completed_sync_status", {})
        return oracle.State(
            running=int(self.families[RUNNING][ALONE]),
            oldest_start=self._alone("qbusiness_running_sync_start_timestamp_seconds"),
            last_status=next((labels[0][1] for labels, value in statuses.items() if value), None),
            last_start=self._alone("qbusiness_last_completed_sync_start_timestamp_seconds"),
            last_success=self._alone("qbusiness_last_successful_sync_timestamp_seconds"),
            last_indexed=self._alone("qbusiness_last_indexed_sync_timestamp_seconds"),
            failed_in_a_row=min(MAX_FAILURE_LOOKBACK, int(self.families["qbusiness_consecutive_failed_syncs"][ALONE])),
        )

    def _total(self, what: str, label: str) -> float:
        if what == "documents":
            return float(self.families[DOCUMENTS[label]][ALONE])
        name = COMPLETED if what == "completed" else SECONDS
        return float(self.families.get(name, {}).get((("status", label),), 0.0))

    def _alone(self, name: str) -> float | None:
        value: float | None = self.families.get(name, {}).get(ALONE)
        return value
